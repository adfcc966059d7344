// The composer: counts as the platform's readers do, keeps the draft, sends by Ctrl+Enter.

import { post, say, sentence } from "./say.js";

const form = document.getElementById("composer");
const field = document.getElementById("reply");
const SAVE_AFTER_MS = 800;

if (form && field && !field.disabled) {
  const item = document.querySelector("[data-item]").dataset.item;
  const kept = `earshot:draft:${document.body.dataset.person}:${item}`;
  const counter = document.getElementById("counter");
  const saved = document.getElementById("saved");
  const limit = Number(field.dataset.limit);
  const parts = new Intl.Segmenter(document.documentElement.lang, { granularity: "grapheme" });
  let saving = null;
  let sent = false;

  const count = () => {
    let n = 0;
    for (const _ of parts.segment(field.value)) n += 1;
    counter.textContent = `${n} / ${limit}`;
    counter.classList.toggle("over", n > limit);
    field.setAttribute("aria-invalid", String(n > limit));
    document.getElementById("send").disabled = n > limit;
    return n;
  };

  const save = async () => {
    if (sent) return;
    try {
      const answer = await post(form.dataset.draft, { text: field.value });
      if (!answer.ok) throw new Error(String(answer.status));
      localStorage.removeItem(kept);
      saved.textContent = sentence("saved");
    } catch {
      saved.textContent = sentence("not_saved");
    }
  };

  field.addEventListener("input", () => {
    count();
    localStorage.setItem(kept, field.value);
    saved.textContent = "";
    clearTimeout(saving);
    saving = setTimeout(save, SAVE_AFTER_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    if (!document.getElementById("send").disabled) form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    sent = true;
    clearTimeout(saving);
    // Kept until the page has gone: a failed send comes back with the text in it.
    addEventListener("pagehide", () => localStorage.removeItem(kept));
  });
  addEventListener("pageshow", () => (sent = false));

  const insert = (text) => {
    field.focus();
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
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

  const lost = localStorage.getItem(kept);
  if (lost && lost !== field.value) {
    field.value = lost;
    say(sentence("saved"));
    save();
  }
  count();
  if (document.querySelector("[data-offered]")) post(form.dataset.accept, {}).catch(() => {});
}

document.addEventListener("earshot:command", (event) => {
  const { name } = event.detail;
  const target = { done: "done-here", take: "take", undo: "undo-done" }[name];
  const button = target && document.querySelector(`[data-cmd="${target}"]`);
  if (name === "undo" && !button && !event.defaultPrevented) say(sentence("nothing_to_undo"));
  if (!button || event.detail.button === button || event.defaultPrevented) return;
  event.preventDefault();
  button.click();
});
