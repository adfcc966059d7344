// How long a reply is, counted as its platform counts. The page says how: the bounds are those of
// earshot/items/reply_length.py, and tests/data/reply_lengths.json holds both to the same numbers.

const clusters = new Intl.Segmenter("und", { granularity: "grapheme" });

const EMOJI =
  /^(?:[\u{1F000}-\u{1FAFF}][\u{1F000}-\u{1FAFF}\u2190-\u2BFF\uFE0F\u200D\u20E3\u{E0020}-\u{E007F}]*|[#*0-9\u00A9\u00AE\u203C-\u3299][\uFE0F\u{1F3FB}-\u{1F3FF}][\u{1F000}-\u{1FAFF}\u2190-\u2BFF\uFE0F\u200D\u20E3]*)$/u;

const HOST = "(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\\.)+";
const ENDINGS =
  "com|net|org|edu|gov|info|biz|io|co|app|dev|ai|me|tv|shop|store|online|site|blog|cloud|tech" +
  "|at|au|be|br|ca|ch|cz|de|dk|es|eu|fi|fr|ie|in|it|jp|kr|mx|nl|no|nz|pl|pt|ru|se|uk|us";
const SIGN = "!#-;=?-~\\u00a1-\\u024f\\u0400-\\u04ff"; // of a path: what X takes, without <, > and \"
const LINK = new RegExp(
  `(?<![@a-z0-9_.-])(?:https?://${HOST}[a-z]{2,}|${HOST}(?:${ENDINGS})(?![a-z0-9_-]|\\.[a-z0-9_]))` +
    `(?::[0-9]+)?(?:[/?#](?:[${SIGN}]*(?![.,;:!?)'\\]])[${SIGN}])?)?`,
  "gi",
);

function weight(cluster, light) {
  if (EMOJI.test(cluster)) return 2;
  let sum = 0;
  for (const sign of cluster) {
    const point = sign.codePointAt(0);
    sum += light.some(([first, last]) => first <= point && point <= last) ? 1 : 2;
  }
  return sum;
}

function units(text, bound) {
  if (bound.unit === "bytes") return new TextEncoder().encode(text).length;
  if (bound.unit === "characters") return [...text].length;
  let n = 0;
  for (const { segment } of clusters.segment(text)) {
    n += bound.unit === "weighted" ? weight(segment, bound.light ?? []) : 1;
  }
  return n;
}

/** How long a text is, in the bound's unit. */
export function count(text, bound) {
  const said = bound.unit === "weighted" ? text.normalize("NFC") : text;
  if (bound.link === undefined) return units(said, bound);
  const links = said.match(LINK)?.length ?? 0;
  return links * bound.link + units(said.replace(LINK, ""), bound);
}

/** The bound that a text comes nearest to, or exceeds most: how much is used, and of what. */
export function tightest(text, length) {
  const used = length.map((bound) => ({ used: count(text, bound), limit: bound.limit }));
  return used.reduce((most, one) => (one.used / one.limit > most.used / most.limit ? one : most));
}
