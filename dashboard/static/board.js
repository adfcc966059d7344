// The board's tiles follow what happens, unless they are paused.

const QUIET_MS = 1000;
const MINUTE_MS = 60_000;

const pause = document.getElementById("pause");
let waiting = null;

async function refresh() {
  waiting = null;
  const answer = await fetch(pause.dataset.tiles, { headers: { "X-Fragment": "1" } }).catch(() => null);
  if (!answer?.ok || paused()) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("tiles");
  const shown = document.getElementById("tiles");
  // A reader with the keyboard on a tile keeps their place.
  const links = [...shown.querySelectorAll("a")];
  const place = links.indexOf(document.activeElement);
  if (fresh) shown.replaceWith(fresh);
  if (place >= 0) fresh?.querySelectorAll("a")[place]?.focus({ preventScroll: true });
}

const paused = () => pause.getAttribute("aria-pressed") === "true";

function soon() {
  if (!paused() && !document.hidden && !waiting) waiting = setTimeout(refresh, QUIET_MS);
}

pause.addEventListener("click", () => {
  pause.setAttribute("aria-pressed", String(!paused()));
  if (paused()) clearTimeout(waiting);
  waiting = null;
  soon();
});
document.addEventListener("earshot:tick", soon);
document.addEventListener("visibilitychange", soon);
setInterval(soon, MINUTE_MS); // ages grow though nothing happens
