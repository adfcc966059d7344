// Keys become commands: `earshot:command` on document, with the command's name. Buttons with
// `data-cmd` give the same commands, so that a key is only ever a short cut.

document.documentElement.classList.add("scripted");

const KEYS = {
  j: "next", k: "previous", ArrowDown: "next", ArrowUp: "previous",
  J: "extend-next", K: "extend-previous", Enter: "open", o: "open",
  e: "done", a: "assign", A: "take", h: "snooze", "!": "not_us",
  x: "pick", z: "undo", ".": "fresh", r: "reply", "/": "search", "?": "help", Escape: "back",
};
const ALT = { KeyJ: "next", KeyK: "previous", KeyE: "done", Digit1: "insert-1", Digit2: "insert-2", Digit3: "insert-3" };
const ALWAYS = new Set(["Escape", "ArrowDown", "ArrowUp", "Enter"]);

let went = 0;
let opener = null;

export function command(name, detail = {}) {
  const event = new CustomEvent("earshot:command", { detail: { name, ...detail }, cancelable: true });
  return !document.dispatchEvent(event);
}

function typing(target) {
  return target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.altKey) {
    const name = ALT[event.code];
    if (name && command(name)) event.preventDefault();
    return;
  }
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.body.dataset.keys === "off" && !ALWAYS.has(event.key)) return;
  if (Date.now() - went < 1000) {
    went = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
      return;
    }
  }
  if (event.key === "g") {
    went = Date.now();
    return;
  }
  // Enter belongs to whatever has the focus, unless that is a row of a list.
  if (event.key === "Enter" && !event.target.closest(".row .open")) return;
  const name = KEYS[event.key];
  if (name && command(name)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-cmd]");
  if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (command(button.dataset.cmd, { button })) event.preventDefault();
});

document.addEventListener("earshot:command", (event) => {
  const { name } = event.detail;
  if (name === "help") {
    opener = document.activeElement;
    document.getElementById("help").showModal();
    event.preventDefault();
  } else if (name === "search") {
    const field = document.getElementById("q");
    if (!field) return;
    field.focus();
    event.preventDefault();
  } else if (name === "reply") {
    const field = document.getElementById("reply");
    if (!field) return;
    field.focus();
    event.preventDefault();
  }
});

document.getElementById("help")?.addEventListener("close", () => opener?.focus());
