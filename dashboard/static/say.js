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

/** The part of a page at `url`, or a thrown error; a session that is over leads to sign-in. */
export async function fragment(url) {
  const answer = await fetch(url, { headers: { "X-Fragment": "1" } });
  signedOut(answer);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

/** Post a form's fields; the answer, whatever its status. */
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

function signedOut(answer) {
  const login = answer.status === 401 && answer.headers.get("HX-Redirect");
  if (!login) return;
  const here = location.pathname + location.search;
  location.assign(`${login}?next=${encodeURIComponent(here)}`);
}
