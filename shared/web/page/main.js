// The beginning, and what ties the parts together: the address, the key, and what the page's controls do.

function followAddress() {
  const { key: given, state = "", find = "", job } = fragment();
  if (given !== undefined) {
    go({});
    if (given) return useKey(given);
  }
  if (!key) return;
  if ((STATES[state] ? state : "") !== filter || find !== text) {
    const chip = [...$("states").querySelectorAll("input")].find((one) => one.value === state) ?? $("states").querySelector("input");
    chip.checked = true;
    $("find").value = find;
    narrow();
  }
  if (job && shownJob?.job_id !== job) openJob(job);
  if (!job && shownJob) closeJob();
}

function narrow() {
  const state = new FormData($("tools")).get("state") ?? "", words = $("find").value.trim();
  if (state !== filter || words !== text) matches = newList();
  filter = state;
  text = words;
  go({ state, find: words });
  pause = SOON;
  draw();
  refresh().then(() => announce(`${plural(visible().length, "job")} shown`));
}

function useKey(given) {
  if (!/^[\x21-\x7e]+$/.test(given)) return forget("This is not a function key: it has letters or spaces that keys never have.");
  key = storedKey(given);
  failures = 0;
  pause = SOON;
  all = newList(); matches = newList();
  $("key-view").hidden = true;
  $("key").value = "";
  setText($("key-fault"), "");
  for (const id of ["list-view", "refresh", "forget"]) $(id).hidden = false;
  draw();
  refresh();
  followAddress();
}

function forget(fault) {
  key = storedKey("");
  running?.abort();
  clearTimeout(timer);
  if ($("ask").open) $("ask").close();
  shownJob = null;
  if ($("panel").open) $("panel").close();
  all = newList(); matches = newList(); targets = [];
  drawRows([]);
  drawTargets();
  document.title = "StructuredBatch";
  for (const id of ["list-view", "refresh", "forget", "live"]) $(id).hidden = true;
  $("key-view").hidden = false;
  setText($("key-fault"), fault ?? "");
  $("key").focus();
}

for (const [state, label] of [["", "All"], ...Object.entries(STATES).map(([state, [label]]) => [state, label])]) {
  const choice = h("input", { type: "radio", name: "state", value: state, checked: state === "" });
  $("states").append(h("label", null, choice, h("span", null, label, " ", h("b", { class: "num" }))));
}

let typing = 0;
$("states").addEventListener("change", narrow);
$("find").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(narrow, 250); });
$("tools").addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); narrow(); });
$("void-clear").addEventListener("click", () => { $("tools").reset(); narrow(); $("find").focus(); });
$("more").addEventListener("click", loadMore);
$("refresh").addEventListener("click", () => { pause = SOON; refresh(); });
$("banner-again").addEventListener("click", refresh);
$("forget").addEventListener("click", () => forget());
$("key-form").addEventListener("submit", (event) => { event.preventDefault(); useKey($("key").value.trim()); });
$("panel-close").addEventListener("click", closeJob);
$("panel").addEventListener("close", () => { if (shownJob) closeJob(); });
$("panel").addEventListener("click", (event) => { if (event.target === $("panel")) closeJob(); });
$("ask-no").addEventListener("click", () => $("ask").close());

for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => {
  const idle = Date.now() - lastInput > IDLE_AFTER;
  lastInput = Date.now();
  if (idle) refresh();
}, { passive: true });
document.addEventListener("visibilitychange", () => { if (document.hidden) schedule(); else { lastInput = Date.now(); refresh(); } });
addEventListener("online", refresh);
addEventListener("offline", () => failed(new Fault("This device is offline.")));
addEventListener("hashchange", followAddress);
addEventListener("popstate", followAddress);
setInterval(() => { if (!document.hidden && key) { drawLive(); for (const row of rows.values()) row.update(row.job); } }, 10000);

key = storedKey();
if (fragment().key !== undefined) followAddress();
else if (key) useKey(key);
else forget();
