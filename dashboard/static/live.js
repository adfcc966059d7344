// Live pages. One tab of this browser holds the stream (a browser opens six connections per
// host, and people keep more tabs than that); it passes on what it hears to the others.
//
// On `document`, for whoever listens:
//   earshot:new      {n, ids}      items that arrived
//   earshot:changed  {n, items}    items that changed: {id, by, client, mine}
//   earshot:counts   {view: n}     open items by view
//   earshot:tick     {}            numbers may have changed
//   earshot:health   {sources}     sources whose health changed
//   earshot:stale    {}            more happened than could be sent: read the lists again
//
// A request that changes something sends `document.body.dataset.client` as X-Client; the
// change comes back with it, and `mine` is then true.

const page = document.body.dataset;
const words = JSON.parse(page.words || "{}");
const scope = `earshot:${page.person}:${page.brand}`;

const HEARTBEAT_MS = 10_000;
const SILENCE_MS = 35_000;
const POLL_MS = 10_000;
const POLL_HIDDEN_MS = 60_000;
const FAILURES_BEFORE_POLL = 3;
const STREAM_AGAIN_MS = 60_000;
const RECENT = 50;

page.client = crypto.getRandomValues(new Uint32Array(2)).join("-");

// ------------------------------------------------------------------ what this tab shows

let last = page.last || "";

function show(state) {
  const badge = document.getElementById("conn");
  if (!badge || badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.textContent = words[`conn_${state}`] || state;
}

function emit(name, detail) {
  document.dispatchEvent(new CustomEvent(`earshot:${name}`, { detail }));
}

function deliver(message) {
  if (message.stale) emit("stale", {});
  if (message["mention.new"]) emit("new", message["mention.new"]);
  if (message["item.changed"]) {
    const { n, items } = message["item.changed"];
    emit("changed", { n, items: items.map((item) => ({ ...item, mine: item.client === page.client })) });
    if (n > items.length) emit("stale", {});
  }
  if (message["source.health"]) emit("health", message["source.health"]);
  if (message.counts) emit("counts", message.counts);
  if (message["board.tick"] || message.stale) emit("tick", {});
}

// ------------------------------------------------------------------ between tabs

const tabs = new BroadcastChannel(scope);
let heardAt = Date.now();
const handled = new Set();
let leading = null;

function pass(kind, rest) {
  tabs.postMessage({ kind, ...rest });
}

function follow(entry) {
  if (handled.has(entry.key)) return;
  handled.add(entry.key);
  if (handled.size > 4 * RECENT) handled.delete(handled.values().next().value);
  last = entry.last;
  deliver(entry.message);
}

tabs.onmessage = ({ data }) => {
  if (data.kind === "hello") return leading?.welcome(data);
  if (leading) return;
  heardAt = Date.now();
  if (data.kind === "state") show(data.state);
  if (data.kind === "message") follow(data.entry);
  if (data.kind === "welcome" && data.to === page.client) {
    show(data.state);
    data.entries.forEach(follow);
  }
};

// ------------------------------------------------------------------ the tab that holds the stream

const high = (position) => parseInt(position, 10) || 0;

class Leader {
  constructor({ streaming }) {
    this.recent = [];
    this.failures = 0;
    this.state = "connecting";
    this.timers = new Set();
    this.heartbeat = setInterval(() => this.tell(this.state), HEARTBEAT_MS);
    if (streaming) this.open();
    else this.poll();
  }

  tell(state) {
    this.state = state;
    show(state);
    pass("state", { state });
  }

  welcome({ from, last: position }) {
    const missed = this.recent.filter((entry) => high(entry.last) > high(position));
    pass("welcome", { to: from, state: this.state, entries: position ? missed : [] });
  }

  heard(position, message) {
    last = position;
    const entry = { key: `${page.client}.${Date.now()}.${Math.random()}`, last, message };
    this.recent.push(entry);
    if (this.recent.length > RECENT) this.recent.shift();
    pass("message", { entry });
    deliver(message);
  }

  url(path) {
    return `${path}?${new URLSearchParams({ brand: page.brand, last })}`;
  }

  later(act, ms) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, ms);
    this.timers.add(timer);
  }

  open() {
    const source = new EventSource(this.url("/stream"));
    this.source = source;
    source.onopen = () => {
      this.failures = 0;
      clearTimeout(this.polling);
      this.polling = null;
      this.tell("live");
    };
    source.onmessage = (event) => this.heard(event.lastEventId, JSON.parse(event.data));
    source.onerror = () => {
      if (!this.polling) this.tell("reconnecting"); // a poll says what is wrong
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      this.failures += 1;
      if (this.failures < FAILURES_BEFORE_POLL) {
        this.later(() => this.open(), 2000 + Math.random() * 3000);
        return;
      }
      if (!this.polling) this.poll();
      this.later(() => this.open(), STREAM_AGAIN_MS * (0.5 + Math.random()));
    };
  }

  async poll() {
    const again = () => {
      this.polling = setTimeout(() => this.poll(), document.hidden ? POLL_HIDDEN_MS : POLL_MS);
    };
    this.polling = true;
    try {
      const headers = { "X-Fragment": "1", ...(this.etag ? { "If-None-Match": this.etag } : {}) };
      const answer = await fetch(this.url("/poll"), { headers, cache: "no-store", redirect: "error" });
      if (!this.polling) return; // the stream came back meanwhile
      if (answer.ok) {
        this.etag = answer.headers.get("ETag");
        const { last: position, ...message } = await answer.json();
        this.heard(position, { ...message, "board.tick": {} });
      }
      const state = answer.ok || answer.status === 304 ? "polling" : "reconnecting";
      this.tell(answer.status === 401 ? "signed_out" : state);
    } catch {
      this.tell("reconnecting");
    }
    if (this.polling) again();
  }

  close() {
    this.source?.close();
    clearInterval(this.heartbeat);
    clearTimeout(this.polling);
    this.polling = null;
    this.timers.forEach(clearTimeout);
  }
}

// ------------------------------------------------------------------ who leads

function lead() {
  leading = new Leader({ streaming: true });
  return new Promise(() => {}); // held until the tab goes, or another takes the lock
}

async function queueForLead(options = {}) {
  try {
    await navigator.locks.request(scope, options, lead);
  } catch {
    leading?.close(); // another tab took over, since nothing was heard from this one
    leading = null;
    heardAt = Date.now();
    queueForLead();
  }
}

function begin() {
  show("connecting");
  if (!navigator.locks) {
    // Without TLS a browser has no locks: every tab asks by itself, and none keeps a connection.
    leading = new Leader({ streaming: false });
    return;
  }
  pass("hello", { from: page.client, last });
  queueForLead();
  setInterval(() => {
    if (leading || Date.now() - heardAt < SILENCE_MS) return;
    heardAt = Date.now();
    queueForLead({ steal: true });
  }, HEARTBEAT_MS / 2);
  addEventListener("pagehide", () => leading?.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

if (page.person) begin();
