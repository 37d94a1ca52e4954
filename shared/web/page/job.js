// One job, in the panel beside the list.

let shownJob = null, shownLink = null;
const cancelled = new Set();

function isBeingCancelled(job) {
  return !ENDED.has(job.state) && (cancelled.has(job.job_id) || /^The job is being cancelled/.test(job.message ?? "") || (job.batches ?? []).some((batch) => batch.status === "cancelling"));
}

// The newest retry of a job among those that are listed.
function laterRetry(job) {
  const first = job.retry_of ?? job.job_id, turn = (id) => Number(/-r(\d+)$/.exec(id)?.[1] ?? 0);
  const retries = [...all.jobs.values(), ...matches.jobs.values()].filter((other) => other.retry_of === first && turn(other.job_id) > turn(job.job_id));
  return retries.sort((one, other) => turn(other.job_id) - turn(one.job_id))[0] ?? null;
}

async function reloadJob(signal) {
  if (shownJob.final) return;
  const { body, link } = await api(`jobs/${encodeURIComponent(shownJob.job_id)}`, { signal });
  shownLink = link;
  const known = all.jobs.has(body.job_id) ? all.jobs : matches.jobs;
  if (known.has(body.job_id)) known.set(body.job_id, body);
  drawJob(body);
}

function drawJob(job) {
  if (shownJob?.job_id !== job.job_id) return;
  const mine = shownJob;
  loadResults(mine, job).then((news) => { if (news && shownJob === mine) drawJob(job); });
  const drawn = JSON.stringify([job, shownLink, mine.results, laterRetry(job)?.state, timeLeftLabel(job), cancelled.has(job.job_id)]);
  if (mine.drawn === drawn) return;
  mine.drawn = drawn;
  mine.final = ENDED.has(job.state);
  jobBadge($("job-state"), job);
  $("job-title").replaceChildren(h("bdi", null, job.prompt_file));
  $("job-title").title = job.prompt_file;
  setText($("job-meta"), job.job_id);
  const focused = document.activeElement?.closest?.("#job-body [data-focus]")?.dataset.focus;
  const parts = [saySection, actionSection, rowSection, resultSection, failureSection, factSection, warningSection, batchSection, placeSection];
  $("job-body").replaceChildren(...parts.map((part) => part(job)).filter(Boolean));
  if (focused) ($("job-body").querySelector(`[data-focus="${CSS.escape(focused)}"]`) ?? $("job-title")).focus();
}

function saySection(job) {
  const code = job.code ?? job.held_by;
  if (!job.message && !code) return null;
  return note(stateOf(job)[1], h("b", null, code ? `${stateOf(job)[0]} (${code}). ` : `${stateOf(job)[0]}. `), job.message ?? "");
}

function actionSection(job) {
  const offers = [];
  const later = laterRetry(job);
  if (job.state === "held" && !isBeingCancelled(job)) offers.push(["release", "Release", "primary"]);
  if (ENDED.has(job.state) && job.rows.failed && !later) offers.push(["retry", isTrial(job) ? `Send the other ${number.format(notSent(job))}` : "Retry failed rows", "primary"]);
  if (!ENDED.has(job.state) && !isBeingCancelled(job)) offers.push(["cancel", "Cancel job", "danger"]);
  const said = isBeingCancelled(job) ? h("p", { class: "soft" }, "Being cancelled …")
    : later && ENDED.has(job.state) ? h("p", { class: "soft" }, "Tried again in ", jobLink(later.job_id, { "data-focus": "later" }, later.job_id), ` (${stateOf(later)[0].toLowerCase()})`) : null;
  if (!offers.length && !said) return null;
  const buttons = offers.map(([action, label, kind]) => h("button", { type: "button", class: kind, "data-focus": action, on: { click: () => ask(job, action) } }, label));
  return h("div", { class: "actions" }, buttons, said);
}

function rowSection(job) {
  const { total, pending, reused } = job.rows, counts = progress(job), left = timeLeftLabel(job);
  const known = (kind, count, words) => count ? h("li", { class: kind }, `${number.format(count)} ${words}`) : null;
  const title = isTrial(job) ? `Trial: ${sentLabel(job)}` : "Rows";
  return section(title,
    progressBar(h("div", { class: "big bar" }), job),
    h("ul", { class: "legend num" },
      known("ok", counts.ok, "succeeded"),
      known("no", counts.no, "failed"),
      known("idle", counts.idle, "not sent"),
      known("on", counts.on, "answered at the service so far"),
      total == null ? h("li", { class: "todo" }, rowsLabel(job)) : known("todo", pending - counts.on, "pending"),
      known("again", reused, "of them reused from an earlier job")),
    left ? h("p", { class: "eta" }, h("b", null, left[0].toUpperCase() + left.slice(1)), ", at the rate so far. Batches work in bursts, and are promised within 24 hours.") : null);
}

function factSection(job) {
  const until = job.completed_at ?? new Date().toISOString(), { usage, estimate } = job;
  const read = [`${number.format(usage.input_tokens)} read`, usage.cached_tokens && `${number.format(usage.cached_tokens)} of them cached`, `${number.format(usage.output_tokens)} written`];
  const unpriced = job.cost.unpriced_rows;
  return section("Figures", h("dl", { class: "facts" },
    fact("Created", time(job.created_at)),
    fact(job.completed_at ? "Took" : "Age", span((Date.parse(until) - Date.parse(job.created_at)) / 1000), job.completed_at ? `until ${time(job.completed_at)}` : null),
    fact("Tokens", number.format(usage.total_tokens), read.filter(Boolean).join(", ")),
    fact("Cost, at most", cost(job.cost).replace("≤ ", ""), unpriced ? `${plural(unpriced, "row")} of a model without a known price not counted` : "at list prices for batches; the bill decides"),
    estimateFact(estimate),
    job.settings?.length ? h("div", null, h("dt", null, "Job settings"), h("dd", null, job.settings.map((name) => h("bdi", { class: "line mono" }, name)))) : null,
    job.retry_of ? h("div", null, h("dt", null, "Retry of"), h("dd", null, jobLink(job.retry_of, { class: "mono", "data-focus": "first" }, job.retry_of))) : null));
}

function estimateFact(estimate) {
  if (!estimate?.input_tokens) return null;
  const { input_tokens: read, output_tokens: written, usd, basis } = estimate;
  const words = [`${tokens(read)} tokens to read`, written != null && `${tokens(written)} to write`, BASES[basis]];
  return fact("Estimated beforehand", usd == null ? "cost unknown" : dollars(usd), words.filter(Boolean).join(", "));
}

function warningSection(job) {
  if (!job.warnings.length) return null;
  return section(plural(job.warnings.length, "warning"), h("ul", { class: "warnings" }, job.warnings.map((warning) => h("li", { class: "say", "data-tone": "warn" }, warning))));
}

function batchSection(job) {
  if (!job.batches.length) return null;
  return section(plural(job.batches.length, "batch", "batches"), h("ul", { class: "batches" }, job.batches.map(batchItem)));
}

function batchItem(batch) {
  const word = batch.status ?? batch.state, collected = batch.state === "collected" || batch.state === "ended";
  const counts = `${number.format(batch.completed)} completed, ${number.format(batch.failed)} failed of ${plural(batch.requests, "request")}`;
  return h("li", null,
    h("div", { class: "line" },
      badge(h("span"), word.replace("_", " "), BATCH_TONES[word] ?? "move", !collected, false),
      h("b", null, h("bdi", null, batch.model)),
      batch.pilot ? h("span", { class: "tag" }, "Pilot") : null,
      h("span", { class: "soft" }, `attempt ${batch.attempt}`, batch.status ? ` · ${batch.state}` : ""),
      h("span", { class: "soft num" }, time(batch.created_at))),
    bar(h("div", { class: "bar" }), { ok: batch.completed, no: batch.failed }, batch.requests, counts),
    h("div", { class: "line" }, h("span", { class: "soft num" }, counts), h("span", { class: "meta mono" }, batch.batch_id ?? "not created yet")),
    batch.target ? h("p", { class: "meta" }, "at ", h("bdi", { class: "mono" }, batch.target)) : null,
    batch.message ? note(batch.status === "failed" ? "bad" : "warn", batch.message) : null);
}

// Where the files lie, for those who may read the storage account.
function placeSection(job) {
  const folder = resultsFolder();
  if (!folder) return null;
  const own = `/${job.prompt_file}/${job.job_id}/`, whole = decode(folder.pathname);
  const container = whole.endsWith(own) ? whole.slice(0, -own.length).split("/").pop() : "";
  const account = /^([a-z0-9]+)\.blob\./.exec(folder.hostname)?.[1];
  const command = account ? `az storage blob download-batch --auth-mode login --account-name ${account} --source ${container} --pattern ${quoted(own.slice(1))} --destination .` : "";
  return section("In the storage account", copyable(container + own, "Copy path"), command ? copyable(command, "Copy command") : null);
}

function resultsFolder() {
  const found = /<([^<>]+)>\s*;\s*rel="?related"?/.exec(shownLink ?? "");
  try {
    const url = new URL(found[1]);
    return /^https?:$/.test(url.protocol) ? url : null;
  } catch { return null; }
}

// For the command's pattern: its own wildcards taken literally, then quoted for a shell.
function quoted(name) { return "'" + name.replace(/[[*?]/g, "[$&]").replaceAll("'", "'\\''") + "*'"; }

function openJob(id) {
  const known = knownJob(id);
  const mine = shownJob = { job_id: id, drawn: "", final: false, stamp: "", results: null };
  shownLink = null;
  $("job-body").replaceChildren(h("p", { class: "soft" }, "Loading …"));
  setText($("job-title"), known?.prompt_file ?? "Job");
  setText($("job-meta"), id);
  if (known) jobBadge($("job-state"), known); else badge($("job-state"), "…", "rest", true, false);
  if (!$("panel").open) $("panel").showModal();
  $("panel").scrollTop = 0;
  $("job-title").focus();
  reloadJob().catch((error) => {
    if (error instanceof Denied) return failed(error);
    if (shownJob === mine) $("job-body").replaceChildren(h("p", { class: "say", "data-tone": "bad", role: "alert" }, messageOf(error)));
  });
}

function closeJob() {
  shownJob = null;
  if ($("panel").open) $("panel").close();
  if (fragment().job) go({ job: "" });
}
