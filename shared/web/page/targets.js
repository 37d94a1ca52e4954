// The targets of batches, above the list of jobs: where DEPLOYMENTS is set, or one is left alone after a refusal.

let targets = [], targetsDrawn = "";

function drawTargets() {
  $("targets").hidden = !targets.length;
  const now = JSON.stringify(targets);
  if (now === targetsDrawn) return;
  targetsDrawn = now;
  const open = targets.reduce((sum, target) => sum + target.open_batches, 0), waiting = targets.filter((target) => target.waiting_until).length;
  const words = [plural(open, "open batch", "open batches"), waiting && `${number.format(waiting)} waiting after a refusal`];
  setText($("targets-title"), plural(targets.length, "target"));
  setText($("targets-sum"), words.filter(Boolean).join(" · "));
  $("targets-list").replaceChildren(...targets.map(targetItem));
}

function targetItem({ target, open_batches: open, waiting_until: until, last_refusal: refusal }) {
  return h("li", null,
    h("bdi", { class: "mono" }, target),
    h("div", null, until ? badge(h("span"), `Waiting until ${clock.format(new Date(until))}`, "warn", true, false) : badge(h("span"), "Has room", "good", false, false)),
    h("span", { class: "num" }, plural(open, "open batch", "open batches")),
    h("p", { class: "soft" }, refusal ? [h("span", { class: "num" }, `Last refusal ${time(refusal.at)}: `), h("bdi", null, refusal.message)] : "No refusal so far"));
}
