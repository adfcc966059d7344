"""Scores of a batch against a table of weights, in one pass over its n-grams.

A score is a sum over n-grams, so it is first a sum per token: what each token says for each
column. That gives the documents' scores and, at no further cost, the reasons for them. The
numbers are those of the scikit-learn pipeline (a test compares them); only numpy is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.features.growable_array import Growing
from classifier.features.ngrams import Columns, Grams, Ints, Vocabulary, word_grams

Floats = NDArray[np.floating]

_LONG = 64
"""Tokens with more character runs than this are summed one by one: they are rare."""


@dataclass(frozen=True, slots=True)
class Table:
    """Weights by n-gram. `row` leads from an n-gram's column to its row in `weights`.

    Without `row` there is one row per column, 2**bits of them. With it, most columns share the
    row 0 of zeros, so that a table for a few topics stays small and in the processor's cache.
    """

    weights: Floats
    row: NDArray[np.int32] | None = None

    @property
    def bits(self) -> int:
        """The columns of n-grams are numbered below 2**bits."""
        return len(self.weights if self.row is None else self.row).bit_length() - 1

    def take(self, columns: Columns) -> Floats:
        at = columns if self.row is None else self.row[columns]
        return self.weights.take(at, axis=0)


class WordScores:
    """What the n-grams inside each word of `vocabulary` add to each column of `table`.

    A word is reckoned when it is first asked for, and then remembered.
    """

    def __init__(self, vocabulary: Vocabulary, table: Table) -> None:
        self.table = table
        self._vocabulary = vocabulary
        self._scores = Growing(np.zeros((0, table.weights.shape[1]), np.float32))
        self._known = Growing(np.zeros(0, np.bool_))

    def of(self, words: Ints) -> Floats:
        """(words, columns): the scores of words by their number."""
        new = len(self._vocabulary.words) - len(self._known)
        self._known.add(np.zeros(new, np.bool_))
        self._scores.add(np.zeros((new, self.table.weights.shape[1]), np.float32))
        unknown = words[~self._known.rows[words]]
        if len(unknown):
            fresh = np.unique(unknown)
            self._scores.rows[fresh] = _word_sums(self._vocabulary, fresh, self.table)
            self._known.rows[fresh] = True
        return self._scores.rows.take(words, axis=0)


def token_scores(batch: Grams, words: WordScores) -> Floats:
    """What each token adds to each column: (tokens, columns of the table).

    `words` is of the batch's vocabulary. A pair of tokens is shared equally by both.
    """
    scores = words.of(batch.word)
    halves = words.table.take(batch.pair)
    halves *= np.where(batch.paired, np.float32(0.5), np.float32(0))[:, None]
    scores[:-1] += halves
    scores[1:] += halves
    scores[batch.denied_at] += words.table.take(batch.denied)
    return scores


def document_sums(batch: Grams, scores: Floats) -> Floats:
    """The token scores added up by text: (texts, columns). A text without tokens has zeros."""
    sums = np.zeros((batch.texts, scores.shape[1]), np.float32)
    begin, _ = _runs(batch.document)
    if len(begin):
        sums[batch.document[begin]] = np.add.reduceat(scores, begin, axis=0)
    return sums


def softmax(scores: Floats) -> Floats:
    """Each row as probabilities that add up to 1."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def strongest(scores: Floats, document: Ints, texts: int, count: int) -> Ints:
    """The `count` tokens with the highest positive score in each text: (texts, count).

    Strongest first, the earlier of equals; -1 where there are no more. `document` is sorted.
    """
    picked = np.full((texts, count), -1, np.intp)
    for_it = np.flatnonzero(scores > 0)
    left, document = scores[for_it], document[for_it]
    begin, size = _runs(document)
    for rank in range(count if len(begin) else 0):
        best = np.maximum.reduceat(left, begin)
        best[best <= 0] = np.inf  # nothing is left of this text
        at = np.flatnonzero(left == np.repeat(best, size))
        winners = at[_runs(document[at])[0]]
        picked[document[winners], rank] = for_it[winners]
        left[winners] = 0
    return picked


def _runs(values: Ints) -> tuple[Ints, Ints]:
    """Where each run of equal values begins, and how long it is."""
    if not len(values):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    begin = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1))
    return begin, np.diff(begin, append=len(values))


def _word_sums(vocabulary: Vocabulary, words: Ints, table: Table) -> Floats:
    """The sums over the n-grams inside each of `words`.

    numpy's own `reduceat` costs three times as much for short rows. Here, with the words
    sorted by length, the j-th n-gram of every word that has one is added in one step.
    """
    parts = word_grams(vocabulary, words, table.bits)
    sums = np.zeros((len(words), table.weights.shape[1]), np.float32)
    order = np.argsort(-parts[0][1], kind="stable")
    for columns, sizes in parts:
        size, begin = sizes[order], (np.cumsum(sizes) - sizes)[order]
        long = int(np.searchsorted(-size, -_LONG))
        for at in range(long):
            rows = table.take(columns[begin[at] : begin[at] + size[at]])
            sums[at] += rows.sum(axis=0, dtype=np.float32)
        short, begin = size[long:], begin[long:]
        having = np.searchsorted(-short, -np.arange(short[0] if len(short) else 0))
        for step, some in enumerate(having):
            sums[long : long + some] += table.take(columns[begin[:some] + step])
    unsorted = np.empty_like(sums)
    unsorted[order] = sums
    return unsorted
