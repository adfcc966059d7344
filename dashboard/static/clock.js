// Deadlines that tick, times that age, replies that go out. The server's clock decides: the
// page carries its time, and only the difference is kept. A hidden tab does not tick.

import { post, say, sentence } from "./say.js";

const page = document.body.dataset;
const served = Number(page.now || 0) * 1000;
const answered = performance.getEntriesByType("navigation")[0]?.responseStart ?? 0;
const ahead = served ? served - (performance.timeOrigin + answered) : 0;
const HEARTBEAT_MS = 30_000;
const EXACT_BELOW_S = 600;
const DAY_S = 86_400;

const now = () => (Date.now() + ahead) / 1000;

/** The size of a span, in the same words as the server: 4:12, 12 min, 2 h 05, 3 d 4 h. */
export function duration(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  if (whole < EXACT_BELOW_S) return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
  if (whole < 3600) return `${minutes} min`;
  if (hours < 48) return `${hours} h ${two(minutes)}`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function level(left, risk) {
  if (left < 0) return "overdue";
  return left < risk ? "risk" : "later";
}

function tick() {
  if (document.hidden) return;
  for (const badge of document.querySelectorAll(".sla[data-due]")) {
    const left = Number(badge.dataset.due) - now();
    const state = level(left, Number(badge.dataset.risk));
    const far = left >= DAY_S ? "_far" : "";
    const text = sentence(state + far, { left: duration(left), at: badge.dataset.at });
    if (badge.textContent !== text) badge.textContent = text;
    if (!badge.classList.contains(state)) {
      badge.classList.remove("overdue", "risk", "later");
      badge.classList.add(state);
      regroup(badge, state);
    }
  }
  for (const span of document.querySelectorAll("[data-goes-out]")) {
    const left = Math.ceil(Number(span.dataset.goesOut) - now());
    span.textContent = left > 0 ? sentence("goes_out", { seconds: left }) : sentence("going_out");
    if (left <= 0) span.closest("form")?.querySelectorAll("button").forEach((b) => (b.disabled = true));
  }
  for (const offer of document.querySelectorAll("[data-until]")) {
    offer.hidden = Number(offer.dataset.until) <= now();
  }
}

// An item of yours that crosses a line is announced once, and its list moves it to its new group.
function regroup(badge, state) {
  const list = badge.closest("#list[data-refresh]");
  if (!list) return;
  if (state === "overdue") say(sentence("became_overdue"), { urgent: true });
  document.dispatchEvent(new CustomEvent("earshot:regroup"));
}

tick();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
if ("onDuty" in page) {
  setInterval(() => document.hidden || post("/me/heartbeat", {}).catch(() => {}), HEARTBEAT_MS);
}
