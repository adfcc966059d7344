// What pages say to a person, and how scripts talk to the server.

const page = document.body.dataset;
const words = JSON.parse(page.words || "{}");

/** A sentence of the page, with `%(name)s` filled from `values`. */
export function sentence(name, values = {}) {
  return (words[name] || name).replace(/%\((\w+)\)s/g, (_, key) => values[key] ?? "");
}

/** Tell a screen reader, politely or at once. */
export function say(text, { urgent = false } = {}) {
  document.getElementById(urgent ? "urgent" : "polite").textContent = text;
}

/** A short message with buttons. One that reports a failure stays until it is dismissed. */
export function toast(text, { buttons = [], failed = false, ms = 8000 } = {}) {
  const box = document.createElement("div");
  box.className = failed ? "toast wrong" : "toast";
  box.append(text);
  const close = () => box.remove();
  const all = failed ? [...buttons, [sentence("dismiss"), () => {}]] : buttons;
  for (const [label, act] of all) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => {
      close();
      act();
    });
    box.append(button);
  }
  const place = document.getElementById("toasts");
  place.querySelectorAll(".toast:not(.wrong)").forEach((other) => other.remove());
  place.append(box);
  if (!failed) setTimeout(close, ms);
  say(text, { urgent: failed });
  return close;
}

/** The sign-in of this page is over: the person was told, and nothing was done. */
export class SignedOut extends Error {}

/**
 * The part of a page at `url`, or a thrown error. With `byItself` nobody asked for it, so that
 * it does not keep its person signed in.
 */
export async function fragment(url, { byItself = false } = {}) {
  const headers = { "X-Fragment": "1", ...(byItself ? { "X-By-Itself": "1" } : {}) };
  const answer = await fetch(url, { headers });
  signedOut(answer);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

/** Post a form's fields; the answer, whatever its status. Throws SignedOut. */
export async function post(url, fields) {
  const headers = {
    "X-Fragment": "1",
    "X-Client": page.client || "",
    "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content,
  };
  const answer = await fetch(url, { method: "POST", headers, body: new URLSearchParams(fields) });
  signedOut(answer);
  return answer;
}

let told = null;

/** Say once that nothing was done, and where to sign in. The page stays, with what is typed. */
export function signedOut(answer) {
  const login = answer.headers.get("HX-Redirect");
  if (!login) return;
  if (!told?.isConnected) {
    const here = `${location.pathname}${location.search}`;
    const go = () => location.assign(`/login?ended=1&next=${encodeURIComponent(here)}`);
    toast(sentence("signed_out"), { failed: true, buttons: [[sentence("sign_in"), go]] });
    told = document.getElementById("toasts").lastElementChild;
  }
  throw new SignedOut(sentence("signed_out"));
}
