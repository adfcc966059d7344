// The open item follows what happens to it: a reply on its way, a colleague, the author.
//
// The pane is asked for again and laid over the one in view, node by node, so that what did not
// change stays as it is: focus, what is typed, open menus, the place one has scrolled to.

import { fragment, say, SignedOut } from "./say.js";

const WAIT_MS = 200;
const AGAIN_MS = 5_000;

let waiting = null;
let stale = false;

const pane = () => document.getElementById("detail");
const openItem = () => pane()?.querySelector("[data-item]")?.dataset.item;

// ------------------------------------------------------------------ laying over

const keyOf = (node) => node.nodeType === Node.ELEMENT_NODE && (node.id || node.dataset.key || node.dataset.reply || "");

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
}

/** Whether a person is at it: what they do there must outlast any news. */
function inUse(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  const text = node.id === "composer" ? node.querySelector("#reply") : null;
  return Boolean(text && (text.value.trim() || text === document.activeElement));
}

function layOver(old, made) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== made.nodeValue) old.nodeValue = made.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!made.hasAttribute(name) && !theirs(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of made.attributes) {
    if (old.getAttribute(name) !== value && !theirs(old, name)) old.setAttribute(name, value);
  }
  if (old.matches("#saved, #counter, #news")) return; // the composer's own words
  if (old.matches("textarea, select")) layField(old, made);
  else layChildren(old, made);
}

/** A field takes the news as long as nobody has touched it. */
function layField(old, made) {
  if (old === document.activeElement) return;
  if (old.matches("select")) {
    const first = [...old.options].find((one) => one.defaultSelected) ?? old.options[0];
    const untouched = old.value === first?.value;
    const value = untouched ? made.value : old.value;
    if (untouched) old.replaceChildren(...made.childNodes);
    old.value = value; // a browser chooses again among options that it is given
  } else if (old.readOnly || !old.value) old.value = made.value;
}

/** Attributes that belong to the person or to another script. */
function theirs(node, name) {
  if (name === "open") return true;
  if (name === "hidden") return node.matches("[data-until], #news");
  if (name === "data-sent-item" || name === "data-barred") return true;
  if (name === "value" || name === "checked") return node.matches("input:not([type=hidden])");
  if (name === "disabled") return node.id === "send";
  return name === "aria-invalid" && node.id === "reply";
}

function layChildren(old, made) {
  let at = old.firstChild;
  for (const child of [...made.childNodes]) {
    let found = at;
    while (found && !alike(found, child)) found = found.nextSibling;
    if (!found) {
      old.insertBefore(child, at);
      continue;
    }
    while (at !== found) at = leave(at);
    layOver(found, child);
    at = found.nextSibling;
  }
  while (at) at = leave(at);
}

/** Take a node away, unless somebody writes in it: then sending ends, and the text stays. */
function leave(node) {
  const next = node.nextSibling;
  if (inUse(node)) bar(node, true);
  else node.remove();
  return next;
}

function bar(form, on) {
  form.toggleAttribute("data-barred", on);
  const send = form.querySelector("#send");
  if (send) send.disabled = on;
}

/** Which post, in which of its revisions, a reply from this form answers. */
const seen = (form) => [...form.querySelectorAll("[name^=mention]")].map((one) => one.value).join();

/** The same for a composer whose field the news would shut: its text stays readable. */
function keepWriting(made) {
  const [form, next] = [document.getElementById("composer"), made.querySelector("#composer")];
  if (!form) return;
  if (inUse(form) && next && seen(form) !== seen(next)) form.querySelector("#news").hidden = false;
  if (inUse(form) && !next) made.querySelector(".your-text")?.remove();
  const shut = !next || next.querySelector("#reply").disabled;
  if (!shut) bar(form, false);
  else if (next && inUse(form)) {
    bar(form, true);
    const said = next.querySelector(".notice");
    if (said) next.before(said);
    next.replaceWith(form.cloneNode(true));
  }
}

// ------------------------------------------------------------------ asking

async function refresh() {
  waiting = null;
  stale = false;
  const item = openItem();
  const url = pane()?.dataset.follow;
  if (!item || !url) return;
  let made;
  try {
    made = new DOMParser().parseFromString(await fragment(url, { byItself: true }), "text/html");
  } catch (error) {
    if (!(error instanceof SignedOut)) later(AGAIN_MS);
    return;
  }
  if (openItem() !== item || pane().dataset.follow !== url) return;
  const before = replies();
  const whole = "whole" in pane().dataset;
  const places = whole ? ["detail", "context"] : ["detail"];
  for (const id of places) {
    const [old, next] = [document.getElementById(id), whole ? made.getElementById(id) : made.body];
    if (!old || !next || !next.hasChildNodes()) continue;
    if (id === "detail") {
      if (next.querySelector("[data-item]")?.dataset.item !== item) return;
      keepWriting(next);
    }
    layChildren(old, next);
  }
  const news = replies().filter((one) => !before.includes(one));
  if (news.length) say(news.join(" "));
  globalThis.htmx?.process(pane());
  document.dispatchEvent(new CustomEvent("earshot:pane"));
}

const replies = () => [...document.querySelectorAll("[data-reply] .reply-state")].map((one) => one.textContent);

function later(ms) {
  waiting ??= setTimeout(refresh, ms);
}

function news(ids) {
  if (!ids.includes(openItem())) return;
  if (document.hidden) stale = true;
  else later(WAIT_MS);
}

document.addEventListener("earshot:changed", ({ detail }) => news(detail.items.map((item) => item.id)));
document.addEventListener("earshot:new", ({ detail }) => news(detail.ids));
document.addEventListener("earshot:stale", () => news([openItem()]));
document.addEventListener("visibilitychange", () => document.hidden || !stale || later(0));
