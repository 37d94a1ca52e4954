// The list of jobs: loaded in pages, refreshed by itself, narrowed by state and name.

// How often the API is asked: soon after a change, less and less without one, rarely while the page is left alone.
const SOON = 5000, LATE = 60000, IDLE = 300000, IDLE_AFTER = 300000, FIRST_PAGE = 50, PAGE = 500;

let filter = "", text = "";
let all = newList(), matches = newList(), month = null;
let timer = 0, pause = SOON, failures = 0, lastRefresh = 0, lastInput = Date.now(), running = null, isLoadingMore = false;
const rows = new Map();

function newList() { return { jobs: new Map(), cursor: null, loaded: false }; }

function narrowed() { return Boolean(filter || text); }

function shownList() { return narrowed() ? matches : all; }

function isMatch(job) {
  const wanted = text.toLowerCase();
  return (!filter || job.state === filter) && (!text || [job.prompt_file, job.job_id].some((value) => value.toLowerCase().includes(wanted)));
}

// Names are found by their beginning at the app, and by any part among the jobs that are here already.
function visible() {
  if (!narrowed()) return [...all.jobs.values()];
  const found = new Map(matches.jobs);
  for (const job of all.jobs.values()) if (isMatch(job)) found.set(job.job_id, job); else if (filter && job.state !== filter) found.delete(job.job_id);
  return [...found.values()].sort((one, other) => other.created_at.localeCompare(one.created_at) || one.job_id.localeCompare(other.job_id));
}

function knownJob(id) { return all.jobs.get(id) ?? matches.jobs.get(id); }

// ---- Loading.

function listPath(limit, cursor, narrow) {
  const query = new URLSearchParams({ limit: String(limit) });
  if (narrow && filter) query.set("state", filter);
  if (narrow && text) query.set("prefix", text);
  if (cursor) query.set("cursor", cursor);
  return `jobs?${query}`;
}

// As many jobs as are shown already, in as few calls as possible.
async function reload(list, narrow, signal) {
  const wanted = Math.max(FIRST_PAGE, list.jobs.size), fresh = newList();
  do {
    const { body } = await api(listPath(Math.min(PAGE, wanted - fresh.jobs.size), fresh.cursor, narrow), { signal });
    for (const job of body.jobs) fresh.jobs.set(job.job_id, job);
    fresh.cursor = body.cursor;
    month = body.month ?? null;
    targets = body.targets ?? [];
  } while (fresh.cursor && fresh.jobs.size < wanted);
  fresh.loaded = true;
  return fresh;
}

async function reloadMatches(signal) {
  const found = await reload(matches, true, signal);
  if (/^\d{8}T\d{6}Z-[0-9a-f]{8}(-r\d+)?$/.test(text)) {
    const job = (await api(`jobs/${encodeURIComponent(text)}`, { signal }).catch(() => null))?.body;
    if (job && (!filter || job.state === filter)) found.jobs.set(job.job_id, job);
  }
  return found;
}

// Not beside a refresh: each would replace what the other has loaded.
async function loadMore() {
  running?.abort();
  clearTimeout(timer);
  const list = shownList();
  $("more").disabled = isLoadingMore = true;
  try {
    const { body } = await api(listPath(PAGE, list.cursor, narrowed()));
    for (const job of body.jobs) list.jobs.set(job.job_id, job);
    list.cursor = body.cursor;
    draw();
    announce(`${plural(visible().length, "job")} shown`);
  } catch (error) { failed(error); }
  $("more").disabled = isLoadingMore = false;
  schedule();
}

function marks() { return JSON.stringify([all, matches].map((list) => [...list.jobs.values()].map((job) => [job.job_id, job.updated_at, job.state]))); }

async function refresh() {
  clearTimeout(timer);
  if (!key || isLoadingMore) return;
  running?.abort();
  const mine = running = new AbortController();
  $("frame").setAttribute("aria-busy", "true");
  try {
    const before = marks();
    const fresh = await reload(all, false, mine.signal), found = narrowed() ? await reloadMatches(mine.signal) : newList();
    if (mine.signal.aborted) return;
    [all, matches] = [fresh, found];
    if (shownJob) await reloadJob(mine.signal);
    if (mine.signal.aborted) return;
    pause = before === marks() ? Math.min(LATE, pause * 1.5) : SOON;
    if (failures) announce("The connection is back.");
    failures = 0;
    lastRefresh = Date.now();
    $("banner").hidden = true;
    draw();
  } catch (error) {
    if (mine.signal.aborted) return;
    failed(error);
  } finally {
    if (running === mine) { running = null; $("frame").removeAttribute("aria-busy"); schedule(); }
  }
}

function schedule() {
  clearTimeout(timer);
  if (!key || document.hidden) return drawLive();
  const idle = Date.now() - lastInput > IDLE_AFTER;
  const wait = failures ? Math.min(SOON * 2 ** (failures - 1), 120000) : idle ? IDLE : pause;
  timer = setTimeout(refresh, wait);
  drawLive();
}

function failed(error) {
  if (error instanceof Denied) return forget("This key is not accepted. Is it a key of this function app?");
  failures += 1;
  setText($("banner-text"), all.loaded ? `${messageOf(error)} What is shown may be out of date.` : messageOf(error));
  $("banner").hidden = false;
  draw();
}

// ---- Drawing.

function draw() {
  const jobs = visible(), list = shownList();
  drawRows(jobs);
  drawTiles(jobs);
  drawTargets();
  drawChips();
  drawVoid(jobs, list);
  $("more").hidden = !list.cursor;
  setText($("shown"), jobs.length ? `${plural(jobs.length, "job")} shown${list.cursor ? ", there are older ones" : ""}` : "");
  drawLive();
}

function drawRows(jobs) {
  const wanted = new Set();
  let place = $("jobs").firstElementChild;
  for (const job of jobs) {
    wanted.add(job.job_id);
    let row = rows.get(job.job_id);
    if (!row) rows.set(job.job_id, row = newRow(job));
    row.update(job);
    if (row.element === place) place = place.nextElementSibling;
    else $("jobs").insertBefore(row.element, place);
  }
  for (const [id, row] of rows) if (!wanted.has(id)) { row.element.remove(); rows.delete(id); }
}

function jobLink(id, attributes, ...children) {
  const opens = (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go({ job: id }, true);
    followAddress();
  };
  return h("a", { ...attributes, href: addressOf({ job: id }), on: { click: opens } }, ...children);
}

function newRow(job) {
  const file = h("bdi"), mark = h("span"), trial = h("span", { class: "tag" }, "Trial"), meter = h("div", { class: "bar" }), count = h("div", { class: "count num" });
  const used = h("span"), price = h("span"), born = h("time"), words = h("p", { class: "note" });
  const label = (name) => h("span", { class: "cell-label" }, name + " ");
  const element = h("li", { class: "job" },
    h("div", { class: "file" }, jobLink(job.job_id, { class: "name" }, file), h("span", { class: "id mono" }, job.job_id)),
    h("div", { class: "state" }, mark, trial),
    h("div", { class: "progress" }, meter, count),
    h("div", { class: "figures" },
      h("span", { class: "right num" }, label("Tokens"), used),
      h("span", { class: "right num" }, label("Cost"), price),
      h("span", { class: "right num" }, label("Created"), born)),
    words);
  let drawn = "";
  return {
    element,
    update(job) {
      this.job = job;
      setText(born, age(job));
      const now = JSON.stringify([job, timeLeftLabel(job)]);
      if (now === drawn) return;
      drawn = now;
      setText(file, job.prompt_file);
      jobBadge(mark, job);
      trial.hidden = !isTrial(job);
      progressBar(meter, job);
      const { no } = progress(job), { reused } = job.rows, left = timeLeftLabel(job);
      count.replaceChildren(rowsLabel(job), no ? h("span", { class: "no" }, ` · ${number.format(no)} failed`) : "", reused ? ` · ${number.format(reused)} reused` : "", left ? h("span", { class: "left" }, left) : "");
      setText(used, tokens(job.usage.total_tokens));
      const ahead = !ENDED.has(job.state) && !job.cost.usd && job.estimate?.usd;
      price.className = ahead ? "estimate" : "";
      setText(price, ahead ? `est. ${dollars(ahead)}` : cost(job.cost));
      born.dateTime = job.created_at;
      born.title = time(job.created_at);
      const [first, ...others] = job.warnings;
      words.hidden = !job.message && !first;
      words.dataset.tone = job.message ? stateOf(job)[1] : "warn";
      setText(words, job.message ?? (first ? first + (others.length ? ` (and ${others.length} more)` : "") : ""));
    },
  };
}

function drawTiles(jobs) {
  const open = jobs.filter((job) => !ENDED.has(job.state) && !STUCK.has(job.state)).length;
  const stuck = jobs.filter((job) => STUCK.has(job.state)).length;
  const sum = (value) => jobs.reduce((total, job) => total + value(job), 0);
  const of = `of ${plural(jobs.length, "job")} shown`;
  const put = (id, value, hint) => $(id).replaceChildren(value, h("span", { class: "hint" }, hint));
  put("tile-open", number.format(open), of);
  put("tile-stuck", number.format(stuck), stuck ? "each says why, below" : of);
  put("tile-failed", number.format(sum((job) => progress(job).no)), `of ${plural(sum((job) => job.rows.total ?? 0), "row")}`);
  const unpriced = sum((job) => job.cost.unpriced_rows);
  put("tile-cost", cost({ usd: sum((job) => job.cost.usd), unpriced_rows: 0 }), unpriced ? `and ${plural(unpriced, "row")} of unknown price` : `${tokens(sum((job) => job.usage.total_tokens))} tokens at batch prices`);
  drawMonth();
  document.title = stuck ? `(${stuck} waiting) StructuredBatch` : "StructuredBatch";
}

function drawMonth() {
  const known = month?.spent_usd != null, tile = $("tile-month");
  tile.parentElement.hidden = !known;
  if (!known) return;
  const { spent_usd: spent, reserved_usd: reserved, budget_usd: budget } = month;
  const hint = [budget != null && `of ${dollars(budget)}`, reserved && `${dollars(reserved)} more reserved`].filter(Boolean).join(" · ") || "no budget set";
  const meter = budget ? bar(h("span", { class: "bar" }), { on: Math.min(spent, budget), ahead: Math.min(reserved ?? 0, Math.max(0, budget - spent)) }, budget, `${dollars(spent)} spent, ${dollars(reserved ?? 0)} reserved, of ${dollars(budget)}`) : null;
  tile.replaceChildren(cost({ usd: spent, unpriced_rows: 0 }), h("span", { class: "hint" }, hint), ...(meter ? [meter] : []));
}

function drawChips() {
  const counts = new Map([["", all.jobs.size]]);
  for (const job of all.jobs.values()) counts.set(job.state, (counts.get(job.state) ?? 0) + 1);
  for (const chip of $("states").querySelectorAll("input")) {
    const count = counts.get(chip.value) ?? 0, badge = chip.parentElement.querySelector("b");
    setText(badge, all.loaded ? number.format(count) + (all.cursor ? "+" : "") : "");
    chip.parentElement.toggleAttribute("data-none", all.loaded && !count && !all.cursor);
    chip.parentElement.title = all.cursor ? `Among the ${plural(all.jobs.size, "newest job")} loaded` : "";
  }
}

function drawVoid(jobs, list) {
  const empty = !jobs.length;
  $("void").hidden = !empty;
  if (!empty) return;
  $("void-clear").hidden = !narrowed() || !list.loaded;
  if (!list.loaded) {
    setText($("void-title"), failures ? "No jobs to show" : "Loading jobs …");
    setText($("void-text"), failures ? "They appear as soon as the function app answers." : "");
  } else if (narrowed()) {
    setText($("void-title"), "No job matches");
    setText($("void-text"), text ? "Names are found by their beginning, and jobs shown already by any part of their name or id." : "No job is in this state.");
  } else {
    setText($("void-title"), "No jobs yet");
    setText($("void-text"), "Drop a prompt file into the prompts container: its job appears here within seconds.");
  }
}

function drawLive() {
  const live = $("live");
  live.hidden = !key;
  live.dataset.kind = failures ? "lost" : document.hidden ? "paused" : "live";
  const since = lastRefresh ? `updated ${span(Math.round((Date.now() - lastRefresh) / 1000))} ago` : "connecting …";
  setText(live, failures ? (navigator.onLine ? "No answer, trying again" : "Offline") : since);
}
