"""Texts as sparse vectors, with numpy alone: for the few texts that describe a brand's topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classifier.features.ngrams import Columns, Grams, Ints, grams, word_grams
from classifier.features.scoring import Floats
from classifier.text.normalization import normalise


@dataclass(frozen=True, slots=True)
class Vectors:
    """The entries of sparse vectors, sorted by vector: where each is, and its value."""

    vector: Ints
    column: Ints
    value: Floats

    def of(self, first: int, after: int) -> tuple[Ints, Floats]:
        """The columns and values of the vectors `first`..`after`, a column as often as it is in."""
        begin, end = np.searchsorted(self.vector, (first, after))
        return self.column[begin:end], self.value[begin:end]


def vectors(texts: Sequence[str], weight: Floats) -> Vectors:
    """One vector for each text: its n-grams' counts times `weight`, brought to length 1.

    `weight` has one number per column, 2**bits of them. A text without an n-gram that weighs
    has no entry.
    """
    bits = len(weight).bit_length() - 1
    text, column = _found(grams([normalise(text) for text in texts], bits), bits)
    keys, times = np.unique((text << bits) | column, return_counts=True)
    text, column = keys >> bits, keys & (len(weight) - 1)
    value = times * weight[column].astype(np.float64)
    length = np.sqrt(np.bincount(text, np.square(value), len(texts)))[text]
    kept = value > 0
    return Vectors(text[kept], column[kept], value[kept] / length[kept])


def _found(batch: Grams, bits: int) -> tuple[Ints, Ints]:
    """The text and the column of every n-gram in the batch."""
    text = batch.document
    pairs: list[tuple[Ints, Columns]] = [
        (text[:-1][batch.paired], batch.pair[batch.paired]),
        (text[batch.denied_at], batch.denied),
    ]
    numbers = np.arange(len(batch.vocabulary.words))
    for columns, sizes in word_grams(batch.vocabulary, numbers, bits):
        size, first = sizes[batch.word], (np.cumsum(sizes) - sizes)[batch.word]
        begin = np.cumsum(size) - size
        at = np.arange(int(size.sum())) + np.repeat(first - begin, size)
        pairs.append((np.repeat(text, size), columns[at]))
    return (
        np.concatenate([at for at, _ in pairs]).astype(np.intp),
        np.concatenate([columns for _, columns in pairs]).astype(np.intp),
    )
