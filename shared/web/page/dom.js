// The page's elements: made from text only, never from markup.

const $ = (id) => document.getElementById(id);

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  for (const child of children.flat()) if (child != null && child !== false) element.append(child);
  return element;
}

function setText(element, value) { if (element.textContent !== value) element.textContent = value; }

function announce(message) { setText($("announce"), ""); setText($("announce"), message); }

function badge(element, label, tone, open, moving) {
  setText(element, label);
  element.className = "badge";
  element.dataset.tone = tone;
  element.toggleAttribute("data-open", open);
  element.toggleAttribute("data-moving", moving);
  return element;
}

function jobBadge(element, job) {
  const [label, tone] = stateOf(job);
  return badge(element, label, tone, !ENDED.has(job.state), tone === "move");
}

function sized(element, share) { element.style.width = `${100 * share}%`; return element; }

function bar(element, counts, total, label) {
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", label);
  const parts = Object.entries(counts).filter(([, count]) => count > 0 && total > 0);
  element.replaceChildren(...parts.map(([kind, count]) => sized(h("i", { class: kind }), count / total)));
  return element;
}

function progressBar(element, job) {
  const counts = progress(job);
  const words = [`${counts.ok} succeeded`, `${counts.no} failed`, counts.on && `${counts.on} answered, not collected yet`, counts.idle && `${counts.idle} not sent`];
  return bar(element, counts, job.rows.total, `${rowsLabel(job)}: ${words.filter(Boolean).join(", ")}`);
}

function section(title, ...children) { return h("section", null, h("h3", null, title), ...children); }

function fact(name, value, more) {
  return value == null ? null : h("div", null, h("dt", null, name), h("dd", { class: "num" }, value, more ? h("small", null, more) : null));
}

function note(tone, ...words) { return h("p", { class: "say", "data-tone": tone }, ...words); }

function copyable(value, label) {
  const button = h("button", { type: "button", class: "small", "data-focus": label, on: { click: async () => {
    try { await navigator.clipboard.writeText(value); announce("Copied"); setText(button, "Copied"); } catch { announce("The browser does not allow copying"); }
    setTimeout(() => setText(button, label), 2000);
  } } }, label);
  return h("div", { class: "path" }, h("code", null, value), button);
}
