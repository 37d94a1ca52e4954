// The HTTP API, asked with the key; and the key: from the address once, then for this tab's session only.

// The page is at …/dashboard: its neighbours are the API.
const base = location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "");

let key = "";

class Denied extends Error {}
class SwitchedOff extends Error {}
class Fault extends Error {}

async function api(path, options = {}) {
  const limit = AbortSignal.timeout(30000);
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
  let response;
  try {
    response = await fetch(base + path, { method: options.method ?? "GET", headers: { "x-functions-key": key }, cache: "no-store", credentials: "same-origin", signal });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Fault(navigator.onLine ? "The function app does not answer." : "This device is offline.");
  }
  let body = null;
  try { body = await response.json(); } catch { /* A gateway's page, not the app's answer. */ }
  if (response.status === 403 && body?.error?.code === "forbidden") throw new SwitchedOff(body.error.message);
  if (response.status === 401 || response.status === 403) throw new Denied();
  if (response.ok && body) return { body, link: response.headers.get("Link") };
  throw new Fault(body?.error?.message ?? `The function app answers with status ${response.status}.`);
}

function messageOf(error) { return error instanceof Fault || error instanceof SwitchedOff ? error.message : "The page met an answer that it does not understand."; }

function storedKey(value) {
  try {
    if (value === undefined) return sessionStorage.getItem("key") ?? "";
    if (value) sessionStorage.setItem("key", value); else sessionStorage.removeItem("key");
  } catch { /* Storage is switched off: the key lives as long as the page. */ }
  return value ?? "";
}

function decode(value) { try { return decodeURIComponent(value); } catch { return value; } }

// ---- The address: behind its # stand the filter and the open job, so that a view can be shared and gone back to.

const NAMES = ["key", "state", "find", "job"];

function fragment() {
  const parts = location.hash.slice(1).split("&").map((pair) => { const at = pair.indexOf("="); return [pair.slice(0, at), decode(pair.slice(at + 1))]; });
  return Object.fromEntries(parts.filter(([name]) => NAMES.includes(name)));
}

function addressOf(view) {
  const parts = ["state", "find", "job"].filter((name) => view[name]).map((name) => `${name}=${encodeURIComponent(view[name])}`);
  return location.pathname + location.search + (parts.length ? `#${parts.join("&")}` : "");
}

function go(change, push) {
  const address = addressOf({ ...fragment(), ...change });
  if (push) history.pushState(null, "", address); else history.replaceState(null, "", address);
}
