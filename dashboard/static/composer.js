// The composer: counts as the platform does, keeps the draft, sends by Ctrl+Enter.
//
// What is typed is kept in this browser, under its writer's name, until the server says that
// it has it: as a draft, or as a reply. The form may come and go while the page is open.

import { tightest } from "./reply_length.js";
import { post, say, sentence } from "./say.js";

const SAVE_AFTER_MS = 800;
const SUBMITTED = "earshot:submitted";
const attached = new WeakSet();

let saving = null;
let sent = false;

const composer = () => document.getElementById("composer");
const openItem = () => document.querySelector("[data-item]")?.dataset.item;
const copyOf = (item) => `earshot:draft:${document.body.dataset.person}:${item}`;

function field() {
  const found = document.getElementById("reply");
  return found && !found.disabled ? found : null;
}

// A browser may refuse to store anything: the server's draft is then the only one.
function store(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    return;
  }
}

// ------------------------------------------------------------------ counting and keeping

function count() {
  const text = field();
  const counter = document.getElementById("counter");
  const { used, limit } = tightest(text.value, JSON.parse(text.dataset.length));
  counter.textContent = `${used} / ${limit}`;
  counter.classList.toggle("over", used > limit);
  text.setAttribute("aria-invalid", String(used > limit));
  document.getElementById("send").disabled = used > limit || "barred" in composer().dataset;
}

async function save() {
  const [form, text, item] = [composer(), field()?.value, openItem()];
  if (sent || text === undefined) return;
  const saved = document.getElementById("saved");
  try {
    const answer = await post(form.dataset.draft, { text });
    if (!answer.ok) throw new Error(String(answer.status));
    if (localStorage.getItem(copyOf(item)) === text) localStorage.removeItem(copyOf(item));
    saved.textContent = sentence("saved");
  } catch {
    saved.textContent = sentence("not_saved");
  }
}

document.addEventListener("input", (event) => {
  if (event.target !== field()) return;
  count();
  store(copyOf(openItem()), event.target.value);
  document.getElementById("saved").textContent = "";
  clearTimeout(saving);
  saving = setTimeout(save, SAVE_AFTER_MS);
});

// ------------------------------------------------------------------ sending

document.addEventListener("keydown", (event) => {
  if (event.target !== field() || event.key !== "Enter") return;
  if (!(event.ctrlKey || event.metaKey) || event.isComposing) return;
  event.preventDefault();
  if (!document.getElementById("send").disabled) composer().requestSubmit();
});

document.addEventListener("submit", (event) => {
  if (event.target !== composer() || !field()) return;
  sent = true;
  clearTimeout(saving);
  store(copyOf(openItem()), field().value);
  sessionStorage.setItem(SUBMITTED, openItem());
});
addEventListener("pageshow", () => (sent = false));

/** Let go of the copy of a reply that the server has: it says so, or shows the reply. */
function dropWhatArrived() {
  const item = document.querySelector("[data-sent-item]")?.dataset.sentItem;
  if (item && sessionStorage.getItem(SUBMITTED) === item) {
    localStorage.removeItem(copyOf(item));
    sessionStorage.removeItem(SUBMITTED);
  }
  const copy = localStorage.getItem(copyOf(openItem()))?.trim();
  const ours = [...document.querySelectorAll("[data-reply] .said")];
  if (copy && ours.some((one) => one.textContent.trim() === copy)) localStorage.removeItem(copyOf(openItem()));
}

// ------------------------------------------------------------------ inserting

function insert(text) {
  const into = field();
  if (!into) return;
  into.focus();
  into.setRangeText(text, into.selectionStart, into.selectionEnd, "end");
  into.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-insert]");
  if (button) insert(button.dataset.insert);
});
document.addEventListener("earshot:command", (event) => {
  const number = /^insert-(\d)$/.exec(event.detail.name)?.[1];
  const button = number && document.querySelectorAll("[data-insert]")[number - 1];
  if (!button) return;
  event.preventDefault();
  insert(button.dataset.insert);
});

document.addEventListener("earshot:command", (event) => {
  const { name } = event.detail;
  const target = { done: "done-here", take: "take", undo: "undo-done" }[name];
  const button = target && document.querySelector(`[data-cmd="${target}"]`);
  if (event.defaultPrevented || event.detail.button) return;
  if (button && !button.closest("[hidden]")) {
    event.preventDefault();
    button.click();
  } else if (name === "undo") say(sentence("nothing_to_undo"));
});

// ------------------------------------------------------------------ a form that is new here

function attach() {
  dropWhatArrived();
  const text = field();
  if (!text) return;
  if (!attached.has(text)) {
    attached.add(text);
    const copy = localStorage.getItem(copyOf(openItem()));
    if (copy && copy !== text.value) {
      text.value = copy;
      say(sentence("saved"));
      save();
    }
    if (document.querySelector("[data-offered]")) post(composer().dataset.accept, {}).catch(() => {});
  }
  count();
}

document.addEventListener("earshot:pane", attach);
attach();
