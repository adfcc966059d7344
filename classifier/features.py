"""The n-grams of a whole batch of texts, hashed at once with numpy.

A text is split into tokens: runs of letters and digits, or runs of symbols. Its n-grams are

* every token, and every pair of neighbouring tokens;
* runs of 2 to 5 characters inside a token, its two edges counted as a character each
  (scikit-learn calls this `char_wb`);
* a token once more, under another hash, when one of the three tokens before it denies it
  ("not good"), unless a symbol stands between.

Each is hashed to a column number; nothing is stored that could be read back. Words repeat
(half of the tokens of a batch are some sixty words), so characters are hashed once per
*distinct* token. Every n-gram keeps the token it came from: that is what makes reasons cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.lexicon import DENIALS

Ints = NDArray[np.intp]
Columns = NDArray[np.uint32]

BITS = 17
"""Columns are numbered below 2**BITS: large enough that collisions cost under 0.5 points."""

LENGTHS = (2, 3, 4, 5)
REACH_OF_DENIAL = 3
_SPACE, _WORD, _SYMBOL = 0, 1, 2
_EDGE = np.uint32(32)
_MIX32 = np.uint32(0x9E3779B1)
_SALT32 = np.uint32(0x85EBCA6B)
_MIX64 = np.uint64(0xBF58476D1CE4E5B9)
_POWER64 = np.uint64(0x9E3779B97F4A7C15)
_PAIR, _DENIED = np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F)


def _classes() -> NDArray[np.uint8]:
    """What each code point is, up to the end of the kana; `_class_of` knows the rest."""

    def class_of(char: str) -> int:
        if char.isspace() or not char.isprintable():
            return _SPACE
        return _WORD if char.isalnum() or char in "'_#@" else _SYMBOL

    return np.fromiter((class_of(chr(code)) for code in range(0x3100)), np.uint8, 0x3100)


_CLASSES = _classes()
_EMOJI = range(0x1F000, 0x1FB00)
_VARIATION = range(0xFE00, 0xFE10)
"""Says how the character before is drawn; the emoji is the same."""


def _among(codes: NDArray[np.uint32], block: range) -> NDArray[np.bool_]:
    return (codes >= block.start) & (codes < block.stop)


def _class_of(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    classes = _CLASSES[np.minimum(codes, len(_CLASSES) - 1)]
    beyond = codes >= len(_CLASSES)
    if beyond.any():
        far = codes[beyond]
        symbol = np.where(_among(far, _EMOJI), np.uint8(_SYMBOL), np.uint8(_WORD))
        classes[beyond] = np.where(_among(far, _VARIATION), np.uint8(_SPACE), symbol)
    return classes


def _mix(h: NDArray[np.uint64]) -> NDArray[np.uint64]:
    h = (h ^ (h >> np.uint64(30))) * _MIX64
    return h ^ (h >> np.uint64(29))


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a batch, in order. Arrays hold one entry per token unless said otherwise.

    `start` and `end` are positions in `joined`, the batch's texts with a line break between.
    `code_start` and `size` are the same in `codes`: there, three or more equal characters in
    a row are two ("sooo" and "soooooo" are one word).
    """

    texts: int
    joined: str
    document: Ints
    start: Ints
    end: Ints
    codes: NDArray[np.uint32]
    code_start: Ints
    size: Ints
    symbol: NDArray[np.bool_]

    def word(self, token: int) -> str:
        """The token as it stands in the normalised text."""
        return self.joined[self.start[token] : self.end[token]]


def tokenise(texts: Sequence[str]) -> Tokens:
    """The tokens of `texts`, which `classifier.text.normalise` has put into shape."""
    joined = "\n".join(texts)
    raw = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
    kept = np.ones(len(raw), np.bool_)
    kept[2:] = (raw[2:] != raw[1:-1]) | (raw[2:] != raw[:-2])
    place = np.flatnonzero(kept)
    codes = raw[place].astype(np.uint32)
    classes = _class_of(codes)
    edge = np.flatnonzero(classes[1:] != classes[:-1]) + 1
    first = np.concatenate(([0], edge)) if len(codes) else edge
    after = np.concatenate((edge, [len(codes)])) if len(codes) else edge
    kind = classes[first]
    real = kind != _SPACE
    first, after = first[real], after[real]
    lengths = np.fromiter(map(len, texts), np.intp, len(texts))
    ends = np.cumsum(lengths + 1)
    start = place[first]
    return Tokens(
        texts=len(texts),
        joined=joined,
        document=np.searchsorted(ends, start, side="right"),
        start=start,
        end=place[after - 1] + 1,
        codes=codes,
        code_start=first,
        size=after - first,
        symbol=kind[real] == _SYMBOL,
    )


def _hash_tokens(tokens: Tokens) -> NDArray[np.uint64]:
    """A 64-bit hash of each token's characters. Different words share one only by accident."""
    if not len(tokens.size):
        return np.zeros(0, np.uint64)
    place, _ = _spread(tokens.code_start, tokens.size)
    within = place - np.repeat(tokens.code_start, tokens.size)
    powers = np.cumprod(np.full(int(tokens.size.max()), _POWER64, np.uint64))
    terms = _mix(tokens.codes[place].astype(np.uint64) + np.uint64(1)) * powers[within]
    return _mix(np.add.reduceat(terms, np.cumsum(tokens.size) - tokens.size))


def _spread(start: Ints, size: Ints) -> tuple[Ints, Ints]:
    """Every position of the runs `start`..`start + size`, and where each run begins in them."""
    begin = np.cumsum(size) - size
    return np.arange(int(size.sum()), dtype=np.intp) + np.repeat(start - begin, size), begin


@dataclass(frozen=True, slots=True)
class Grams:
    """The hashed n-grams of a batch.

    `distinct` gives each token its row among the distinct tokens. For those rows, `whole`
    is the column of the token itself, and `parts` holds, for each length, the columns of
    their character runs one row after another, with how many belong to each row.
    `pair[i]` joins the tokens `pair_at[i]` and the next; `denied[i]` is of token `denied_at[i]`.
    `negator` says of each token whether it denies.
    """

    tokens: Tokens
    distinct: Ints
    whole: Columns
    parts: tuple[tuple[Columns, Ints], ...]
    pair: Columns
    pair_at: Ints
    denied: Columns
    denied_at: Ints
    negator: NDArray[np.bool_]


def grams(texts: Sequence[str], bits: int = BITS) -> Grams:
    """The n-grams of normalised `texts`, hashed to columns below 2**`bits` (8 to 24)."""
    tokens = tokenise(texts)
    hashes = _hash_tokens(tokens)
    distinct_hashes, example, distinct = np.unique(hashes, return_index=True, return_inverse=True)
    pair_at = np.flatnonzero(tokens.document[1:] == tokens.document[:-1])
    pairs = _mix(hashes[pair_at] * _PAIR + hashes[pair_at + 1])
    negator = np.isin(distinct_hashes, _negator_hashes())[distinct]
    denied_at = _denied(tokens, negator)
    return Grams(
        tokens=tokens,
        distinct=distinct,
        whole=_column(distinct_hashes, bits),
        parts=_parts(tokens, example, bits),
        pair=_column(pairs, bits),
        pair_at=pair_at,
        denied=_column(_mix(hashes[denied_at] ^ _DENIED), bits),
        denied_at=denied_at,
        negator=negator,
    )


def _column(hashes: NDArray[np.uint64], bits: int) -> Columns:
    return (hashes >> np.uint64(64 - bits)).astype(np.uint32)


def _denied(tokens: Tokens, negator: NDArray[np.bool_]) -> Ints:
    """The tokens that a negator before them denies."""
    denied = np.zeros(len(negator), np.bool_)
    open_ = negator
    for _ in range(REACH_OF_DENIAL):
        # a denial moves one token on, and ends at a symbol and at the end of its text
        moved = np.zeros_like(denied)
        moved[1:] = open_[:-1] & (tokens.document[1:] == tokens.document[:-1])
        open_ = moved & ~tokens.symbol
        denied |= open_
    return np.flatnonzero(denied)


def _parts(tokens: Tokens, example: Ints, bits: int) -> tuple[tuple[Columns, Ints], ...]:
    """The character runs of the tokens `example`, for each length."""
    size = tokens.size[example] + 2
    place, begin = _spread(tokens.code_start[example] - 1, size)
    codes = tokens.codes[np.clip(place, 0, max(len(tokens.codes) - 1, 0))]
    codes[begin] = _EDGE
    codes[begin + size - 1] = _EDGE
    left = np.repeat(begin + size, size) - np.arange(len(codes))
    h = (codes + _SALT32) * _MIX32
    parts = []
    for length in LENGTHS:
        h = (h[:-1] ^ codes[length - 1 :]) * _MIX32
        h ^= h >> np.uint32(15)
        inside = left[: len(h)] >= length
        columns = (h[inside] * (_SALT32 + np.uint32(2 * length))) >> np.uint32(32 - bits)
        parts.append((columns, np.maximum(size - length + 1, 0)))
    return tuple(parts)


_negators: list[NDArray[np.uint64]] = []


def _negator_hashes() -> NDArray[np.uint64]:
    if not _negators:
        _negators.append(_hash_tokens(tokenise(sorted(DENIALS))))
    return _negators[0]
