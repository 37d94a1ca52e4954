// What states, codes, numbers and times are called: the words of the README.

const STATES = {
  preparing: ["Preparing", "move"], held: ["Held", "hold"], waiting: ["Waiting", "warn"], running: ["Running", "move"],
  collecting: ["Collecting", "move"], completed: ["Completed", "good"], failed: ["Failed", "bad"], cancelled: ["Cancelled", "rest"],
};
const ENDED = new Set(["completed", "failed", "cancelled"]);
const STUCK = new Set(["held", "waiting"]);
const ROW_CODES = {
  invalid_json: "The row is not valid JSON.",
  invalid_request: "The row, or its batch request, does not have the form that it must have.",
  missing_prompt: "The row has no prompt.",
  missing_value: "A column that the prompt template names is missing in the row.",
  missing_model: "Neither the row nor the job nor the app names a model.",
  duplicate_custom_id: "An earlier row has the same custom id.",
  invalid_schema: "The row's schema is missing, or cannot be sent.",
  row_too_large: "The row is larger than a batch may be.",
  image_missing: "There is no such image in the prompts container.",
  image_unsupported: "The image cannot be sent: its kind, its size, its number of pages, or it is damaged.",
  document_unsupported: "The text file is not UTF-8, or larger than 1 MB.",
  not_sent: "The row was never sent.",
  refusal: "The model refused to answer.",
  content_filter: "A content filter stopped the prompt or the answer.",
  truncated: "The answer ended at its token cap.",
  invalid_output: "The answer is not valid JSON, or does not fit the schema.",
  request_failed: "The service answered this row with an error.",
  rate_limited: "The service was too busy every time.",
  expired: "The batch expired before this row's turn.",
  cancelled: "The batch was cancelled before this row's turn.",
  missing: "The service gave no answer for this row.",
  batch_failed: "The service rejected the whole batch at its validation.",
  gave_up: "The job gave up waiting.",
};
const NEVER_SENT = new Set(["invalid_json", "invalid_request", "missing_prompt", "missing_value", "missing_model", "duplicate_custom_id", "invalid_schema", "row_too_large", "image_missing", "image_unsupported", "document_unsupported", "not_sent"]);
const BATCH_TONES = { completed: "good", failed: "bad", expired: "warn", cancelled: "rest", cancelling: "rest" };
const BASES = {
  pilot: "going by the pilot's answers", history: "going by earlier answers of this deployment",
  cap: "if every answer were as long as its token cap allows",
};

const number = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const long = new Intl.NumberFormat("en", { notation: "compact", compactDisplay: "long", maximumFractionDigits: 1 });
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

function plural(count, one, many) { return `${number.format(count)} ${count === 1 ? one : many ?? one + "s"}`; }

function tokens(count) { return count < 100000 ? number.format(count) : compact.format(count); }

function bytes(count) {
  if (count < 1000) return count ? plural(count, "byte") : "empty";
  const unit = count < 1e6 ? ["KB", 1e3] : count < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(count / unit[1]).toPrecision(count / unit[1] < 100 ? 2 : 3)} ${unit[0]}`;
}

function dollars(usd) {
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "< $0.0001";
  return "$" + (usd < 0.01 ? usd.toFixed(4) : usd < 1 ? usd.toFixed(3) : usd < 1000 ? usd.toFixed(2) : number.format(Math.round(usd)));
}

// Cached input is cheaper, and is priced in full: so the bill is this or less.
function cost({ usd, unpriced_rows: unpriced }) {
  if (!usd && unpriced) return "unknown";
  if (!usd) return "$0";
  return (usd < 0.0001 ? "" : "≤ ") + dollars(usd) + (unpriced ? " +" : "");
}

function span(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [unit, size] = units[first];
  const count = Math.floor(seconds / size), next = units[first + 1];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  return `${count} ${unit}` + (rest && unit !== "min" ? ` ${rest} ${next[0]}` : "");
}

// A length of time as one says it of something uncertain: 20 min, 3 h, 2 d.
function roughly(seconds) {
  if (seconds < 90) return "1 min";
  if (seconds < 100 * 60) { const minutes = seconds / 60; return `${minutes < 10 ? Math.round(minutes) : 5 * Math.round(minutes / 5)} min`; }
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function age(job) {
  const seconds = Math.max(0, (Date.now() - Date.parse(job.created_at)) / 1000);
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return "just now";
}

function time(iso) { return iso ? when.format(new Date(iso)) : "–"; }

// ---- What a job's figures say.

function stateOf(job) { return STATES[job.state] ?? [String(job.state), "rest"]; }

function notSent(job) { return job.errors.not_sent ?? 0; }

// A trial: `limit` let only the first rows through, and the others wait to be sent.
function isTrial(job) { return notSent(job) > 0 && !["failed", "cancelled"].includes(job.state) && job.rows.total != null; }

function sentLabel(job) {
  const sent = job.rows.total - notSent(job);
  return `${number.format(sent)} of ${plural(job.rows.total, "row")} ${ENDED.has(job.state) ? "sent" : "to send"}`;
}

// Rows by how far they are: with a result, failed, not sent by a trial, answered at the service but not collected.
function progress(job) {
  const { succeeded, failed, pending } = job.rows, idle = isTrial(job) ? notSent(job) : 0;
  const neverSent = Object.entries(job.errors).reduce((sum, [code, count]) => sum + (NEVER_SENT.has(code) ? count : 0), 0);
  const collected = succeeded - (job.rows.reused ?? 0) + Math.max(0, failed - neverSent);
  return { ok: succeeded, no: failed - idle, on: Math.max(0, Math.min(pending, (job.answered ?? 0) - collected)), idle };
}

function rowsLabel(job) {
  const { total, pending } = job.rows;
  if (total == null) return ENDED.has(job.state) ? "rows unknown" : "counting rows";
  if (isTrial(job) && ENDED.has(job.state)) return sentLabel(job);
  const { ok, no, on, idle } = progress(job);
  return pending ? `${number.format(ok + no + on)} of ${plural(total - idle, "row")}` : plural(total, "row");
}

// How long the rest takes at the rate so far: [least, most] seconds, null while it is too early to tell. The service
// works in bursts, so the earlier it is, the wider the range.
function timeLeft(job, now = Date.now()) {
  const { total, pending } = job.rows;
  if (job.state !== "running" || total == null || !pending) return null;
  const { on } = progress(job), left = pending - on, all = job.answered ?? 0;
  const starts = (job.batches ?? []).map((batch) => Date.parse(batch.created_at)).filter((at) => at > 0);
  const spent = (now - Math.min(...(starts.length ? starts : [Date.parse(job.created_at)]))) / 1000;
  if (spent < 60 || all < 20 || all < total / 50) return null;
  const likely = (left * spent) / all, doubt = 0.2 + 0.6 * (left / (left + all));
  return [likely * (1 - doubt), likely * (1 + doubt)];
}

function timeLeftLabel(job) {
  const left = timeLeft(job);
  if (!left) return "";
  const [least, most] = left.map(roughly);
  return least === most ? `about ${most} left` : least.split(" ")[1] === most.split(" ")[1] ? `about ${least.split(" ")[0]} to ${most} left` : `about ${least} to ${most} left`;
}

function estimateWords(job) {
  const estimate = job.estimate;
  if (!estimate?.input_tokens) return "";
  const rows = job.rows.pending ? `${plural(job.rows.pending, "row")}: ` : "";
  const read = `${rows}about ${long.format(estimate.input_tokens)} tokens to read`;
  if (estimate.output_tokens == null) return `${read}. How much will be written cannot be told beforehand, so neither can the cost.`;
  const both = `${read} and ${long.format(estimate.output_tokens)} to write, ${BASES[estimate.basis] ?? "estimated"}.`;
  return estimate.usd == null ? `${both} The price of the model is not known.` : `${both} That costs about ${dollars(estimate.usd)} at most.`;
}
