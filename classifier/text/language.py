"""Which language a text is in, among those a brand listens to.

The model and its numbers are py3langid's: a naive Bayes classifier over byte sequences that a
state machine finds (Lui and Baldwin 2011). py3langid walks that machine one text at a time in
Python, which would cost more than all other labels together. Here all texts of a batch take
each step at once; a test holds the results equal to the library's own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifier.text.scripts import is_foreign
from earshot.domain import Label

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_KNOWN = """
af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy ga gd gl gu
ha he hi hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo lt lv mg mk ml mn mr ms
mt my ne nl nn no oc om or pa pl ps pt qu ro ru rw sa se si sk sl sn so sq sr st sv sw ta te tg th
tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu
"""
KNOWN = frozenset(_KNOWN.split())
"""The ISO 639-1 codes that py3langid's model has (a test compares)."""

DEFAULT_LANGUAGES = ("en", "de", "es", "fr", "it", "pt", "nl")
UNKNOWN = "und"
PLATFORM_TRUST = 0.95
"""How far a platform's own word is believed: mostly its own detector's, or the user's setting."""

SURE = 0.5
"""Below this probability a language is not named."""

DEPTH = 6
"""The longest sequence of bytes that py3langid's model looks for (a test compares)."""

_PIECE = 32
_READ_BYTES = 240
"""Bytes of a text that are looked at. More changed no decision in a thousand on public posts."""


class Languages:
    """Tells the languages `codes` (ISO 639-1) apart.

    Raises ValueError at once for a code that py3langid does not know. Its model (10 MB, half
    a second to a second) is read when the first text has to be judged: where platforms name
    the language, never.
    """

    def __init__(self, codes: Sequence[str] = DEFAULT_LANGUAGES) -> None:
        if not codes:
            raise ValueError("a brand needs at least one language, for example 'en'")
        if unknown := sorted(set(codes) - KNOWN):
            raise ValueError(
                f"unknown language {unknown[0]!r}; known are {', '.join(sorted(KNOWN))}"
            )
        self.codes = tuple(dict.fromkeys(codes))
        self._said = {
            code: Label(value=code, confidence=PLATFORM_TRUST, reasons=("platform",))
            for code in self.codes
        }

    def detect(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The likeliest language of each text with its probability; `und` when not sure.

        The probability beside `und` is that of none of the languages being the right guess: 1
        for a text in a script that none of them is written in.
        """
        if not texts:
            return []
        shares = self._model.shares([_encode(text) for text in texts])
        best = shares.argmax(axis=1)
        found: list[tuple[str, float]] = []
        for text, at, share in zip(texts, best.tolist(), shares.max(axis=1).tolist(), strict=True):
            # The model has no byte of such a text in common with its languages: it would name
            # the one that is likeliest beforehand.
            if is_foreign(text, self.codes):
                found.append((UNKNOWN, 1.0))
                continue
            sure = share >= SURE and share > 1 / len(self.codes)
            found.append((self._model.codes[at], share) if sure else (UNKNOWN, 1 - share))
        return found

    def labels(self, said: Sequence[str], texts: Sequence[str]) -> list[Label]:
        """The language of each text: what its platform `said`, else what the text shows.

        A platform's word counts when it is one of the brand's languages ("en-GB" is "en").
        """
        labels = [self._said.get(tag.partition("-")[0].lower()) for tag in said]
        unsaid = [at for at, label in enumerate(labels) if label is None]
        found = iter(self.detect([texts[at] for at in unsaid]))
        return [label or _seen(*next(found)) for label in labels]

    @cached_property
    def _model(self) -> _Walk:
        return _Walk(self.codes)


def is_said_to_be(said: str, code: str) -> bool:
    """False where a platform `said` that a post is in a known language other than `code`."""
    tag = said.partition("-")[0].lower()
    return tag == code or tag not in KNOWN


def _seen(code: str, share: float) -> Label:
    return Label(value=code, confidence=round(share, 4), reasons=("text",))


@cache
def _library() -> LanguageIdentifier:
    """py3langid's model, read once for all brands: large, and most never need it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


class _Walk:
    """py3langid's state machine and its probabilities for some languages, as arrays."""

    def __init__(self, codes: Sequence[str]) -> None:
        model = _library()
        self._row = np.asarray(model.tk_row, np.intp) << 8
        self._next = np.asarray(model.tk_nextmove)
        self._feature = np.asarray(model.tk_output, np.intp)
        self._features = len(model.nb_ptc)
        names = np.asarray(model.nb_classes)
        kept = np.flatnonzero(np.isin(names, codes))
        self._table = np.ascontiguousarray(model.nb_ptc[:, kept].T.astype(np.float32))
        self._prior = model.nb_pc[kept].astype(np.float64)
        self.codes = tuple(dict.fromkeys(names[kept].tolist()))
        # a language written in two scripts (Serbian, Uzbek) has a column for each
        self._columns = [np.flatnonzero(names[kept] == code) for code in self.codes]

    def shares(self, texts: Sequence[bytes]) -> NDArray[np.float64]:
        """(texts, codes): the probability of each language. Without a trace, all are equal."""
        document, feature = self._visits(texts)
        keys, count = np.unique(document * self._features + feature, return_counts=True)
        document, feature = np.divmod(keys, self._features)
        weight = np.log1p(count.astype(np.float32))
        evidence: NDArray[np.float64] = np.stack(
            [np.bincount(document, weight * row[feature], len(texts)) for row in self._table],
            axis=1,
        )
        found = np.bincount(document, minlength=len(texts)) > 0
        scores = evidence + np.where(found[:, None], self._prior, 0)
        sizes = np.fromiter(map(len, texts), np.float64, len(texts))
        scores /= np.sqrt(np.maximum(sizes, 1))[:, None]  # py3langid's temperature
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
        return np.stack([powers[:, columns].sum(axis=1) for columns in self._columns], axis=1)

    def _visits(self, texts: Sequence[bytes]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(text, feature) for every feature that the state machine meets.

        Its state depends on the last `DEPTH` bytes alone. So texts are cut into pieces, which
        all take each step at once, beginning as many bytes before: there are fewer steps.
        """
        sizes = np.fromiter(map(len, texts), np.intp, len(texts))
        padded = np.frombuffer(b"".join((b"\0" * DEPTH, *texts, b"\0" * _PIECE)), np.uint8)
        ends = DEPTH + np.cumsum(sizes)
        pieces = -(-sizes // _PIECE)
        text = np.repeat(np.arange(len(texts)), pieces)
        nth = np.arange(len(text)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        first, end = (ends - sizes)[text], ends[text]
        state = np.zeros(len(text), np.intp)
        met = np.full((DEPTH + _PIECE, len(text)), -1, np.intp)
        for step in range(DEPTH + _PIECE):
            at = first + nth * _PIECE + (step - DEPTH)
            state = self._next[self._row[state] + padded[at]]
            state *= (at >= first) & (at < end)  # outside of the text it rests at the beginning
            if step >= DEPTH:
                met[step] = self._feature[state]
        step_at, piece = np.nonzero(met >= 0)
        return text[piece], met[step_at, piece]


def _encode(text: str) -> bytes:
    """The first bytes of the text, as py3langid encodes them, cut between two characters."""
    raw = unicodedata.normalize("NFC", text[:_READ_BYTES]).encode("utf-8", "surrogatepass")
    if len(raw) <= _READ_BYTES:
        return raw
    cut = _READ_BYTES
    while raw[cut] & 0xC0 == 0x80:  # noqa: PLR2004 # inside a character in UTF-8
        cut -= 1
    return raw[:cut]
