// Lists: a cursor, a selection, verdicts that show at once and are taken back when they fail.
// The list never moves under the reader: what is new waits behind a button.

import { fragment, post, say, sentence, SignedOut, toast } from "./say.js";

const list = document.getElementById("list");
const detail = document.getElementById("detail");
const dialog = document.getElementById("choice");
const pill = document.getElementById("pill");
const desk = list.closest(".desk");
const MOST_ROWS = 300;
const CONFIRM_ABOVE = 100;

let current = null;
let undoable = [];
let fresh = new Set();
let opening = 0;
let opener = null;

const rows = () => [...list.querySelectorAll(".row:not([hidden])")];
const link = (row) => row.querySelector(".open");
const picked = () => rows().filter((row) => row.querySelector(".pick")?.checked);
const token = (row) => `${row.dataset.id}:${row.dataset.version}`;
const byId = (id) => list.querySelector(`.row[data-id="${CSS.escape(id)}"]`);

// ------------------------------------------------------------------ the cursor

function select(row, { focus = true, show = true } = {}) {
  list.querySelectorAll(".row .open").forEach((a) => (a.tabIndex = -1));
  current?.classList.remove("current");
  list.querySelectorAll(".row.gone").forEach((one) => one !== row && one.remove());
  if (current) link(current).removeAttribute("aria-current");
  current = row || null;
  if (!row) return;
  row.classList.add("current");
  link(row).tabIndex = 0;
  link(row).setAttribute("aria-current", "true");
  if (focus) {
    link(row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  if (show && detail && link(row).dataset.pane) showPane(row);
}

async function showPane(row) {
  const mine = ++opening;
  await new Promise((done) => setTimeout(done, 60)); // j held down passes over panes
  if (mine !== opening) return;
  try {
    const html = await fragment(link(row).dataset.pane);
    if (mine !== opening) return;
    detail.innerHTML = html;
    detail.dataset.follow = link(row).dataset.pane;
    detail.scrollTop = 0;
    globalThis.htmx?.process(detail);
  } catch (error) {
    if (mine === opening) detail.textContent = error instanceof SignedOut ? error.message : sentence("failed");
  }
}

function step(by, extend = false) {
  const all = rows();
  const at = all.indexOf(current);
  const row = all[Math.max(0, Math.min(all.length - 1, at + by))];
  if (extend) [current, row].forEach((one) => one && pick(one, true));
  if (row && row !== current) select(row);
}

// ------------------------------------------------------------------ selection

function pick(row, on) {
  const box = row.querySelector(".pick");
  if (!box) return;
  box.checked = on ?? !box.checked;
  showBulk();
}

function showBulk() {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const n = picked().length;
  bar.hidden = !n;
  document.getElementById("bulk-n").textContent = sentence("selected", { n });
  document.getElementById("bulk-all").textContent = sentence("select_all", { n: rows().length });
}

// ------------------------------------------------------------------ verdicts

function chosen() {
  const some = picked();
  return some.length ? some : current ? [current] : [];
}

/** Carry out a verdict on rows: they go at once, and come back if the server says no. */
async function act(action, extra = {}, targets = chosen()) {
  if (!targets.length || !list.dataset.acts) return;
  const n = targets.length;
  if (n > CONFIRM_ABOVE && !confirm(sentence("confirm_many", { n }))) return;
  leave(targets);
  count(-n);
  const undo = [sentence("undo"), takeBack];
  const close = toast(sentence(action, { n }), { buttons: [undo] });
  const failed = (error) => {
    close();
    comeBack(targets);
    count(n);
    if (error instanceof SignedOut) return;
    toast(error.message || sentence("failed"), { failed: true, buttons: [[sentence("retry"), () => act(action, extra, targets)]] });
  };
  const last = { rows: targets, tokens: [], done: null };
  undoable.push(last);
  last.done = send("/act", action, extra, targets).then(
    ({ done, conflicts }) => {
      const versions = new Map(done.map((one) => [one.id, one.version]));
      last.tokens = done.map((one) => `${one.id}:${one.version}`);
      last.rows = targets.filter((row) => versions.has(row.dataset.id));
      last.rows.forEach((row) => (row.dataset.version = versions.get(row.dataset.id)));
      if (!done.length) undoable = undoable.filter((one) => one !== last);
      conflicts.forEach(({ id, words }) => overtaken(id, words));
    },
    (error) => {
      undoable = undoable.filter((one) => one !== last);
      failed(error);
    },
  );
  await last.done;
}

async function send(path, action, extra, targets) {
  const fields = [["action", action], ...Object.entries(extra), ...targets.map((row) => ["item", token(row)])];
  let answer;
  try {
    answer = await post(list.dataset.acts + path, fields);
  } catch (error) {
    throw error instanceof SignedOut ? error : new Error("");
  }
  if (!answer.ok && answer.status !== 409) {
    const said = answer.status === 422 ? (await answer.json()).error : "";
    throw new Error(said || "");
  }
  return answer.json();
}

function leave(targets) {
  const all = rows();
  const gone = new Set(targets);
  const lowest = all.lastIndexOf(targets.at(-1));
  const next = all.slice(lowest + 1).find((row) => !gone.has(row)) || all.slice(0, lowest).reverse().find((row) => !gone.has(row));
  targets.forEach((row) => {
    row.hidden = true;
    const box = row.querySelector(".pick");
    if (box) box.checked = false;
  });
  showBulk();
  select(next);
  if (!next) settle();
}

function comeBack(targets) {
  targets.forEach((row) => (row.hidden = false));
  if (targets[0]) select(targets[0]);
  settle();
}

// Somebody else changed this item first: say who, and show its row as it is now, if it has one.
async function overtaken(id, words) {
  toast(words, { failed: true });
  const row = byId(id);
  if (row) await refreshRow(row);
}

async function refreshRow(row) {
  try {
    const html = await fragment(`${list.dataset.rows}&ids=${row.dataset.id}`, { byItself: true });
    const made = parse(html)[0];
    if (!made) {
      gone(row);
      return;
    }
    if (row === current) setTimeout(() => select(made, { focus: false, show: false }));
    row.replaceWith(made);
  } catch {
    row.hidden = false;
  }
}

async function takeBack() {
  const last = undoable.pop();
  if (!last) {
    say(sentence("nothing_to_undo"));
    return;
  }
  await last.done;
  if (!last.tokens.length) return;
  comeBack(last.rows);
  count(last.rows.length);
  try {
    const answer = await post(`${list.dataset.acts}/undo`, last.tokens.map((one) => ["item", one]));
    const { done = [], conflicts = [] } = await answer.json();
    const versions = new Map(done.map((one) => [one.id, one.version]));
    last.rows.forEach((row) => versions.has(row.dataset.id) && (row.dataset.version = versions.get(row.dataset.id)));
    conflicts.forEach(({ id, words }) => overtaken(id, words));
    if (done.length) toast(sentence("undone"), { ms: 3000 });
  } catch (error) {
    leave(last.rows);
    count(-last.rows.length);
    undoable.push(last);
    if (error instanceof SignedOut) return;
    toast(sentence("failed"), { failed: true, buttons: [[sentence("retry"), takeBack]] });
  }
}

// The count of this view changes at once; the server's own count follows and is right.
function count(by) {
  const place = document.querySelector(".views a[aria-current] .count");
  if (place) place.textContent = Math.max(0, Number(place.textContent) + by);
}

function settle() {
  const empty = document.getElementById("empty");
  if (empty) empty.hidden = Boolean(list.querySelector(".row:not([hidden]), .more"));
  if (!current && detail && list.dataset.acts) detail.replaceChildren();
}

// ------------------------------------------------------------------ choices

async function choose(name) {
  const targets = chosen();
  if (!targets.length || !dialog) return;
  const query = new URLSearchParams(targets.map((row) => ["item", token(row)]));
  if (targets.length === 1) query.set("suggested", targets[0].dataset.team || "");
  opener = document.activeElement;
  try {
    dialog.innerHTML = await fragment(`/triage/${name}?${query}`);
  } catch (error) {
    if (error instanceof SignedOut) return;
    toast(sentence("failed"), { failed: true, buttons: [[sentence("retry"), () => choose(name)]] });
    return;
  }
  dialog.showModal();
  narrow("");
  const form = dialog.querySelector("form");
  (form.querySelector("[data-narrow]") || form.querySelector("button")).focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter?.value && event.submitter.offsetParent ? event.submitter : form.querySelector("button.first");
    if (!button) return;
    const extra = { [button.name]: button.value };
    if (form.elements.on) extra.on = form.elements.on.value;
    opener = null;
    dialog.close();
    act(name, extra, targets);
  });
}

function narrow(text) {
  const wanted = text.trim().toLowerCase();
  let first = null;
  for (const entry of dialog.querySelectorAll(".pick-list li")) {
    const fits = entry.textContent.toLowerCase().includes(wanted);
    entry.hidden = !fits;
    const button = entry.querySelector("button");
    button?.classList.toggle("first", fits && !first);
    if (fits && !first) first = button;
  }
}

dialog?.addEventListener("input", (event) => event.target.matches("[data-narrow]") && narrow(event.target.value));
dialog?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("[data-narrow]")) return;
  event.preventDefault();
  dialog.querySelector("button.first")?.click();
});
dialog?.addEventListener("close", () => opener?.focus());

// ------------------------------------------------------------------ what others do

function parse(html) {
  const box = document.createElement("ul");
  box.innerHTML = html;
  return [...box.querySelectorAll(".row")];
}

function gone(row) {
  if (row === current && detail?.contains(document.activeElement)) {
    row.classList.add("gone"); // somebody works on it in the pane: it stays until they move on
    return;
  }
  if (row === current) {
    const all = rows();
    const at = all.indexOf(row);
    select(all[at + 1] || all[at - 1], { focus: row.contains(document.activeElement) });
  }
  row.remove();
  settle();
}

function showPill() {
  if (!pill) return;
  pill.hidden = !fresh.size;
  pill.textContent = sentence("new", { n: fresh.size });
}

async function showFresh() {
  if (!fresh.size || !list.dataset.rows) return;
  const ids = [...fresh].slice(-MOST_ROWS);
  fresh = new Set();
  showPill();
  const made = parse(await fragment(`${list.dataset.rows}&ids=${ids.slice(-200).join(",")}`));
  list.prepend(...made.filter((row) => !byId(row.dataset.id)));
  const all = [...list.querySelectorAll(".row")];
  all.slice(MOST_ROWS).forEach((row) => row !== current && row.remove());
  list.closest(".list").scrollTop = 0;
  globalThis.htmx?.process(list);
  settle();
  if (made[0]) select(made[0]);
}

let refreshing = null;

function refreshSoon() {
  refreshing ??= setTimeout(async () => {
    refreshing = null;
    const under = [...list.querySelectorAll(".row:has([data-state])")].map((row) => ["was", row.dataset.id]);
    const url = `${list.dataset.refresh}?${new URLSearchParams(under)}`;
    const html = await fragment(url, { byItself: true }).catch(() => null);
    if (html === null) return;
    const id = current?.dataset.id;
    const focused = list.contains(document.activeElement);
    list.innerHTML = html;
    current = null;
    const row = id && byId(id);
    if (row) select(row, { focus: focused, show: false });
    const n = document.getElementById("mine-n");
    if (n) n.textContent = list.querySelectorAll(".row:not([data-until])").length;
    settle();
  }, 250);
}

document.addEventListener("earshot:new", ({ detail: { ids } }) => {
  if (list.dataset.refresh) refreshSoon();
  if (!list.dataset.rows) return;
  ids.filter((id) => !byId(id)).forEach((id) => fresh.add(id));
  showPill();
});
document.addEventListener("earshot:changed", ({ detail: { items } }) => {
  if (list.dataset.refresh) refreshSoon();
  if (!list.dataset.rows) return;
  for (const item of items) {
    if (item.mine) continue;
    const row = byId(item.id);
    if (row && !row.hidden) refreshRow(row);
    else if (!row && fresh.delete(item.id)) showPill();
  }
});
document.addEventListener("earshot:regroup", () => list.dataset.refresh && refreshSoon());
document.addEventListener("earshot:stale", () => list.dataset.refresh && refreshSoon());
document.addEventListener("earshot:counts", ({ detail }) => {
  for (const place of document.querySelectorAll("[data-count]")) {
    if (place.dataset.count in detail) place.textContent = detail[place.dataset.count];
  }
});

// ------------------------------------------------------------------ commands

const COMMANDS = {
  next: () => step(1),
  previous: () => step(-1),
  "extend-next": () => step(1, true),
  "extend-previous": () => step(-1, true),
  open: () => current && location.assign(link(current).dataset.full || link(current).href),
  back: () => {
    if (picked().length) return COMMANDS.clear();
    desk?.classList.remove("reading");
    if (current) link(current).focus();
  },
  pick: () => current && pick(current),
  all: () => rows().forEach((row) => pick(row, true)),
  clear: () => rows().forEach((row) => pick(row, false)),
  fresh: showFresh,
};
const VERDICTS = {
  done: () => act("done"),
  not_us: () => act("not_us"),
  take: () => act("assign", { target: "person:me" }),
  assign: () => choose("assign"),
  snooze: () => choose("snooze"),
  undo: takeBack,
};

document.addEventListener("earshot:command", (event) => {
  const { name } = event.detail;
  const run = COMMANDS[name] || (list.dataset.acts && VERDICTS[name]);
  if (!run) return;
  event.preventDefault();
  run();
});
list.addEventListener("change", (event) => event.target.matches(".pick") && showBulk());
list.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  const opened = event.target.closest(".open");
  if (event.shiftKey && row && event.target.matches(".pick") && current) {
    const all = rows();
    const [from, to] = [all.indexOf(current), all.indexOf(row)].sort((a, b) => a - b);
    all.slice(from, to + 1).forEach((one) => pick(one, true));
  }
  if (!opened || !opened.dataset.pane || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  desk?.classList.add("reading");
  select(row);
});

const open = new URLSearchParams(location.search).get("item") || document.querySelector("[data-item]")?.dataset.item;
select((open && byId(open)) || rows()[0], { focus: false, show: !detail?.querySelector("[data-item]") });
