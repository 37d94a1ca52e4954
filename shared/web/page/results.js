// A job's results in the panel: the files to fetch, the first answers beside the own columns, the first failed rows.

const FIRST_ROWS = 10, MORE_ROWS = 50, COLUMNS = 12;

// Whether rows can be looked at: of a job that has ended, or whose pilot is collected.
function hasRows(job) {
  const pilot = (job.batches ?? []).filter((batch) => batch.pilot);
  return ENDED.has(job.state) || (pilot.length > 0 && pilot.every((batch) => batch.state === "collected"));
}

// Load files and first rows, once for each state that the job reaches; true where there is something new to draw.
async function loadResults(mine, job) {
  const stamp = [job.state, job.held_by, job.completed_at, (job.batches ?? []).filter((batch) => batch.pilot && batch.state === "collected").length].join(" ");
  if (mine.stamp === stamp) return false;
  mine.stamp = stamp;
  const path = `jobs/${encodeURIComponent(job.job_id)}`, found = { files: [], ok: null, error: null, fault: "" };
  try {
    found.files = (await api(`${path}/files`)).body.files;
    if (hasRows(job) && job.rows.succeeded) found.ok = (await api(`${path}/rows?status=ok&limit=${FIRST_ROWS}`)).body;
    if (hasRows(job) && progress(job).no) found.error = (await api(`${path}/rows?status=error&limit=${FIRST_ROWS}`)).body;
  } catch (error) {
    if (error instanceof Denied) { failed(error); return false; }
    found.fault = messageOf(error);
  }
  mine.results = found;
  return true;
}

function resultSection(job) {
  const found = shownJob.results;
  if (!found) return ENDED.has(job.state) ? section("Results", h("p", { class: "soft" }, "Loading …")) : null;
  if (found.fault) return section("Results", note("rest", found.fault));
  const files = ENDED.has(job.state) ? found.files : found.files.filter((file) => file.name !== "status.json");
  if (!files.length && !found.ok) return null;
  const said = h("p", { class: "fault", role: "alert" });
  return section("Results",
    h("ul", { class: "files" }, files.map((file) => h("li", null, fileLink(job, file, said)))),
    said,
    found.ok ? rowTable(job, found.ok, "ok") : null);
}

function fileLink(job, file, said) {
  const path = `jobs/${encodeURIComponent(job.job_id)}/files/${file.name}`;
  return h("a", { class: "file-link", href: base + path, download: true, "data-focus": file.name, on: { click: (event) => { event.preventDefault(); download(path, said); }, auxclick: (event) => event.preventDefault() } }, file.name, " ", h("small", null, bytes(file.bytes)));
}

// The link is fetched with the key in a header, and opened without it: no key ever stands in an address.
async function download(path, said) {
  setText(said, "");
  try {
    const { body } = await api(`${path}?redirect=false`);
    if (/^https?:$/.test(new URL(body.url).protocol)) location.assign(body.url);
    announce("The download begins.");
  } catch (error) {
    if (error instanceof Denied) return failed(error);
    setText(said, messageOf(error));
  }
}

function failureSection(job) {
  const errors = Object.entries(job.errors).filter(([code]) => !(code === "not_sent" && isTrial(job))).sort(([, one], [, other]) => other - one);
  if (!errors.length) return null;
  const most = errors[0][1], page = shownJob.results?.error;
  const chart = h("ul", { class: "chart" }, errors.map(([code, count]) => h("li", null,
    h("code", null, code),
    h("div", { class: "track", "aria-hidden": "true" }, sized(h("i"), count / most)),
    h("span", { class: "num" }, number.format(count)),
    ROW_CODES[code] ? h("p", null, ROW_CODES[code]) : null)));
  const told = page && isTrial(job) ? { ...page, rows: page.rows.filter((row) => row.error.code !== "not_sent") } : page;
  return section("Rows without a result", chart, told?.rows.length ? rowTable(job, told, "error") : null);
}

// ---- A table of rows; wide ones scroll within their frame.

function rowTable(job, page, status) {
  const table = h("table", { class: "rows" }), shown = [...page.rows];
  const frame = h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": status === "ok" ? "First answers" : "First failed rows", "data-focus": `rows-${status}` }, table);
  const more = h("button", { type: "button", class: "small", "data-focus": `more-${status}` }, "Show more rows"), said = h("span", { class: "meta" });
  let cursor = page.cursor;
  const draw = () => {
    table.replaceChildren(...(status === "ok" ? answerRows(shown) : failedRows(shown)));
    more.hidden = !cursor;
    setText(said, cursor ? `the first ${number.format(shown.length)}` : "");
  };
  more.addEventListener("click", async () => {
    more.disabled = true;
    try {
      const { body } = await api(`jobs/${encodeURIComponent(job.job_id)}/rows?${new URLSearchParams({ status, limit: MORE_ROWS, cursor })}`);
      shown.push(...body.rows.filter((row) => !isTrial(job) || row.error?.code !== "not_sent"));
      cursor = body.cursor;
      draw();
      announce(`${plural(shown.length, "row")} shown`);
      if (!cursor) frame.focus();
    } catch (error) { if (error instanceof Denied) return failed(error); setText(said, messageOf(error)); }
    more.disabled = false;
  });
  draw();
  return h("div", { class: "table" }, frame, h("div", { class: "line" }, more, said));
}

function columnsOf(objects) {
  const names = new Set();
  for (const object of objects) if (object && typeof object === "object" && !Array.isArray(object)) for (const name of Object.keys(object)) names.add(name);
  return [...names];
}

function cell(value, kind) {
  const none = value == null || value === "", text = none ? "–" : inWords(value);
  return h("td", { class: none ? `${kind} none` : kind }, h("div", { class: "clamp", title: text.length > 90 ? text.slice(0, 2000) : null }, text));
}

// A list of plain values as people write it; other structures as JSON.
function inWords(value) {
  if (Array.isArray(value) && value.length && value.every((one) => one !== null && typeof one !== "object")) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function heading(names, hidden, kind) {
  return [...names.map((name) => h("th", { scope: "col", class: kind }, h("bdi", null, name))), hidden ? h("th", { scope: "col", class: kind }, `${hidden} more`) : null];
}

function rowHead(row) {
  const own = row.custom_id && row.custom_id !== `row-${row.row}`;
  return h("th", { scope: "row" }, row.row ?? "–", own ? h("bdi", { class: "id" }, row.custom_id) : null);
}

function answerRows(shown) {
  const own = columnsOf(shown.map((row) => row.input)), fields = columnsOf(shown.map((row) => row.output));
  const [mine, theirs] = [own.slice(0, COLUMNS), fields.slice(0, COLUMNS)], plain = !fields.length;
  const [hiddenOwn, hiddenFields] = [own.length - mine.length, fields.length - theirs.length];
  return [
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Row"), heading(mine, hiddenOwn, "own"), plain ? h("th", { scope: "col", class: "answer" }, "Answer") : heading(theirs, hiddenFields, "answer"))),
    h("tbody", null, shown.map((row) => h("tr", null, rowHead(row),
      mine.map((name) => cell(row.input[name], "own")), hiddenOwn ? cell("…", "own") : null,
      row.error ? h("td", { class: "answer", colspan: Math.max(1, theirs.length + Boolean(hiddenFields)) }, row.error.message) : plain ? cell(row.output, "answer") : [theirs.map((name) => cell(row.output?.[name], "answer")), hiddenFields ? cell("…", "answer") : null].flat()))),
  ];
}

function failedRows(shown) {
  const own = columnsOf(shown.map((row) => row.input)), mine = own.slice(0, COLUMNS), hidden = own.length - mine.length;
  return [
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Row"), h("th", { scope: "col" }, "Code"), h("th", { scope: "col" }, "Message"), heading(mine, hidden, "own"))),
    h("tbody", null, shown.map((row) => h("tr", null, rowHead(row), h("td", null, h("code", null, row.error.code)), cell(row.error.message, "message"), mine.map((name) => cell(row.input[name], "own")), hidden ? cell("…", "own") : null))),
  ];
}
