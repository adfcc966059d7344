"""The n-grams of a whole batch of texts, hashed with numpy.

The n-grams of a text are

* every token (`classifier.text.tokens`), and every pair of neighbouring tokens;
* runs of 2 to 5 characters inside a token, its two edges counted as a character each
  (scikit-learn calls this `char_wb`);
* a token once more, under another hash, when one of the three tokens before it denies it
  ("not good"), unless a symbol is between them.

Each is hashed to a column number; nothing is stored that could be read back. Tokens repeat, so
a `Vocabulary` numbers them, and what is inside a token is hashed once for each different one.
Every n-gram keeps the token it came from: that is what makes reasons cheap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from classifier.features.growable_array import Growing
from classifier.text.lexicon import DENIALS
from classifier.text.tokens import is_symbol, tokens

Ints = NDArray[np.intp]
Columns = NDArray[np.intp]
Hashes = NDArray[np.uint64]

BITS = 17
"""Columns are numbered below 2**BITS: large enough that collisions cost under 0.5 points."""

LENGTHS = (2, 3, 4, 5)
REACH_OF_DENIAL = 3
_EDGE = ord(" ")
_MIX32 = np.uint32(0x9E3779B1)
_SALT32 = np.uint32(0x85EBCA6B)
_MIX64 = np.uint64(0xBF58476D1CE4E5B9)
_POWER64 = np.uint64(0x9E3779B97F4A7C15)
_PAIR, _DENIED = np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F)


def _mix(h: Hashes) -> Hashes:
    h = (h ^ (h >> np.uint64(30))) * _MIX64
    return h ^ (h >> np.uint64(29))


def _column(hashes: Hashes, bits: int) -> Columns:
    return (hashes >> np.uint64(64 - bits)).astype(np.intp)


@dataclass(frozen=True, slots=True)
class _Spelt:
    """The code points of some tokens, one after another, each between two edges.

    Three or more equal characters in a row are two ("sooo" and "soooooo" are one word).
    `begin` and `size` are a token's place in `codes`, its edges included.
    """

    codes: NDArray[np.uint32]
    begin: Ints
    size: Ints


def _spelt(words: Sequence[str]) -> _Spelt:
    # two edges between neighbours: the end of one, and the beginning of the next
    joined = f" {'  '.join(words)} " if words else ""
    raw = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    kept = np.ones(len(raw), np.bool_)
    kept[2:] = (raw[2:] != raw[1:-1]) | (raw[2:] != raw[:-2])
    codes = raw[kept]
    edges = np.flatnonzero(codes == _EDGE)
    begin = edges[::2]
    return _Spelt(codes, begin, edges[1::2] - begin + 1)


def word_hashes(words: Sequence[str]) -> Hashes:
    """A 64-bit hash of each token. Different ones share it only by accident, or when squeezed."""
    if not words:
        return np.zeros(0, np.uint64)
    spelt = _spelt(words)
    within = np.arange(len(spelt.codes)) - np.repeat(spelt.begin, spelt.size)
    powers = np.cumprod(np.full(int(spelt.size.max()), _POWER64, np.uint64))
    terms = _mix(spelt.codes.astype(np.uint64) + np.uint64(1)) * powers[within - 1]
    terms[spelt.codes == _EDGE] = 0
    return _mix(np.add.reduceat(terms, spelt.begin))


_NEGATORS = np.sort(word_hashes(sorted(DENIALS)))


class Vocabulary:
    """The different tokens met so far, numbered as they came; each is looked at once."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self.words: list[str] = []
        self._hashes = Growing(np.zeros(0, np.uint64))
        self._symbol = Growing(np.zeros(0, np.bool_))
        self._negator = Growing(np.zeros(0, np.bool_))
        self.read([""])  # the end of a text is number 0

    @property
    def hashes(self) -> Hashes:
        """The 64-bit hash of each word."""
        return self._hashes.rows

    @property
    def symbol(self) -> NDArray[np.bool_]:
        """Whether each word is a run of symbols."""
        return self._symbol.rows

    @property
    def negator(self) -> NDArray[np.bool_]:
        """Whether each word denies what follows."""
        return self._negator.rows

    def read(self, texts: Sequence[str]) -> Ints:
        """The number of each token of `texts`, with 0 after those of each text."""
        found = tokens(texts)
        numbers = np.fromiter(map(self._numbers.__getitem__, found), np.intp, len(found))
        if new := len(self._numbers) - len(self.words):
            self._meet(list(islice(reversed(self._numbers), new))[::-1])
        return numbers

    def _meet(self, words: list[str]) -> None:
        hashes = word_hashes(words)
        self.words += words
        self._hashes.add(hashes)
        self._symbol.add(list(map(is_symbol, words)))
        self._negator.add(np.isin(hashes, _NEGATORS))


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of a batch, but for those inside a token, which `vocabulary` leads to.

    `word` is each token's number in it, and `document` its text; both hold the batch's tokens in
    order. `pair[i]` is the column of token `i` and the next, if they are `paired[i]`, that is of
    one text. `denied[i]` is the column of token `denied_at[i]`, denied.
    """

    texts: int
    vocabulary: Vocabulary
    word: Ints
    document: Ints
    pair: Columns
    paired: NDArray[np.bool_]
    denied: Columns
    denied_at: Ints


def grams(texts: Sequence[str], bits: int = BITS, vocabulary: Vocabulary | None = None) -> Grams:
    """The n-grams of normalised `texts`, hashed to columns below 2**`bits` (8 to 24).

    `vocabulary` learns the words that are new to it. What it knew changes nothing.
    """
    known = vocabulary or Vocabulary()
    numbers = known.read(texts)
    real = numbers != 0
    word, document = numbers[real], np.cumsum(~real)[real]
    hashes = known.hashes[word]
    denied_at = _denied(document, known.negator[word], known.symbol[word])
    return Grams(
        texts=len(texts),
        vocabulary=known,
        word=word,
        document=document,
        pair=_column(_mix(hashes[:-1] * _PAIR + hashes[1:]), bits),
        paired=document[1:] == document[:-1],
        denied=_column(_mix(hashes[denied_at] ^ _DENIED), bits),
        denied_at=denied_at,
    )


def word_grams(vocabulary: Vocabulary, words: Ints, bits: int) -> tuple[tuple[Columns, Ints], ...]:
    """The n-grams inside each of some `words` of a vocabulary, by their number there.

    For each of `LENGTHS`, then for the words themselves: the columns of one word after
    another, and how many belong to each word.
    """
    spelt = _spelt([vocabulary.words[number] for number in words.tolist()])
    codes, size = spelt.codes, spelt.size
    left = np.repeat(spelt.begin + size, size) - np.arange(len(codes))
    h = (codes + _SALT32) * _MIX32
    parts = []
    for length in LENGTHS:
        h = (h[:-1] ^ codes[length - 1 :]) * _MIX32
        h ^= h >> np.uint32(15)
        inside = left[: len(h)] >= length
        columns = (h[inside] * (_SALT32 + np.uint32(2 * length))) >> np.uint32(32 - bits)
        parts.append((columns.astype(np.intp), np.maximum(size - length + 1, 0)))
    return *parts, (_column(vocabulary.hashes[words], bits), np.ones_like(size))


def _denied(document: Ints, negator: NDArray[np.bool_], symbol: NDArray[np.bool_]) -> Ints:
    """The tokens that a negator before them denies."""
    denying = np.flatnonzero(negator)
    denied = np.zeros(len(document), np.bool_)
    open_ = denying
    for _ in range(REACH_OF_DENIAL):
        # a denial moves one token on, and ends at a symbol and at the end of its text
        open_ = open_[open_ + 1 < len(document)]
        open_ = open_[document[open_ + 1] == document[open_]] + 1
        open_ = open_[~symbol[open_]]
        denied[open_] = True
    return np.flatnonzero(denied)
