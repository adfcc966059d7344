"""Whether a text is in a script that none of some languages is written in. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_WRITTEN_IN = {
    "ARABIC": "ar fa ku ps ug ur",
    "ARMENIAN": "hy",
    "BENGALI": "as bn",
    "CJK": "ja zh",
    "CYRILLIC": "az be bg kk ky mk mn ru sr tt uk uz",
    "DEVANAGARI": "hi mr ne",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "dz",
}
LANGUAGES_BY_SCRIPT = {script: frozenset(codes.split()) for script, codes in _WRITTEN_IN.items()}
"""The ISO 639-1 codes of the languages written in each script other than Latin, by the first
word of its letters' names in Unicode. A language with two scripts is among both."""

_READ = 240
"""Characters of a text that are looked at."""

_LETTER = re.compile(r"[^\W\d_]")
_BEYOND_LATIN = re.compile(
    r"[^\W\d_\u0000-\u02ff\u1d00-\u1dbf\u1e00-\u1eff\u2070-\u218f\u2c60-\u2c7f\ua722-\ua7ff"
    r"\uab30-\uab6f\uff21-\uff5a\U0001d400-\U0001d7ff]"
)
"""A letter of another script: the blocks of Latin letters, and of those that stand for them in
mathematics, are taken out."""


def is_foreign(text: str, codes: Sequence[str]) -> bool:
    """True where most letters of `text` are of a script in which none of `codes` is written.

    Latin letters are never foreign: they are in names and links of any language.
    """
    if text.isascii() or _BEYOND_LATIN.search(text, 0, _READ) is None:
        return False
    letters = _BEYOND_LATIN.findall(text, 0, _READ)
    if 2 * len(letters) <= len(_LETTER.findall(text, 0, _READ)):
        return False
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in letters)
    (script, _), *_ = scripts.most_common(1)
    return LANGUAGES_BY_SCRIPT.get(script, frozenset()).isdisjoint(codes)
