"""Scores of a batch against a table of weights, in one pass over its n-grams.

A score is a sum over n-grams, so it is first a sum per token: what each token says for each
column. That gives the documents' scores and, at no further cost, the reasons for them. The
numbers are those of the scikit-learn pipeline (a test compares them); only numpy is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.features import Columns, Grams, Ints

Floats = NDArray[np.floating]

_LONG = 64
"""Tokens with more character runs than this are summed one by one: they are rare."""


@dataclass(frozen=True, slots=True)
class Table:
    """Weights by n-gram. `row` leads from an n-gram's column to its row in `weights`.

    Without `row` there is one row per column. With it, most columns share an empty row, so
    that a table for a few topics stays small and in the processor's cache.
    """

    weights: Floats
    row: NDArray[np.int32] | None = None

    def take(self, columns: Columns) -> Floats:
        at = columns if self.row is None else self.row[columns]
        return self.weights.take(at, axis=0)


def token_scores(batch: Grams, table: Table) -> Floats:
    """What each token adds to each column: (tokens, columns of the table).

    A pair of tokens is shared equally by both.
    """
    distinct = table.take(batch.whole)
    distinct += _runs(batch, table)
    scores = distinct.take(batch.distinct, axis=0)
    pairs = table.take(batch.pair) * np.float32(0.5)
    scores[batch.pair_at] += pairs
    scores[batch.pair_at + 1] += pairs
    scores[batch.denied_at] += table.take(batch.denied)
    return scores


def document_sums(batch: Grams, scores: Floats) -> Floats:
    """The token scores added up by text: (texts, columns). A text without tokens has zeros."""
    sums = np.zeros((batch.tokens.texts, scores.shape[1]), np.float32)
    document = batch.tokens.document
    if len(document):
        begin = np.flatnonzero(np.concatenate(([True], document[1:] != document[:-1])))
        sums[document[begin]] = np.add.reduceat(scores, begin, axis=0)
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
    if not len(document):
        return picked
    begin = np.flatnonzero(np.concatenate(([True], document[1:] != document[:-1])))
    place = np.cumsum(np.concatenate(([0], document[1:] != document[:-1])))
    left = scores.copy()
    for rank in range(count):
        best = np.maximum.reduceat(left, begin)
        at = np.flatnonzero((left == best[place]) & (left > 0))
        first = np.concatenate(([True], document[at][1:] != document[at][:-1]))[: len(at)]
        winners = at[first]
        picked[document[winners], rank] = winners
        left[winners] = 0
    return picked


def _runs(batch: Grams, table: Table) -> Floats:
    """The sums of the character runs of each distinct token.

    numpy's own `reduceat` costs three times as much for short rows. Here, with the tokens
    sorted by length, the j-th run of every token that has one is added in one step.
    """
    sums = np.zeros((len(batch.whole), table.weights.shape[1]), np.float32)
    if not len(sums):
        return sums
    order = np.argsort(-batch.parts[0][1], kind="stable")
    for columns, sizes in batch.parts:
        size, begin = sizes[order], (np.cumsum(sizes) - sizes)[order]
        long = int(np.searchsorted(-size, -_LONG))
        for at in range(long):
            rows = table.take(columns[begin[at] : begin[at] + size[at]])
            sums[at] += rows.sum(axis=0, dtype=np.float32)
        short, begin = size[long:], begin[long:]
        having = np.searchsorted(-short, -np.arange(short[0] if len(short) else 0))
        for step, tokens in enumerate(having):
            sums[long : long + tokens] += table.take(columns[begin[:tokens] + step])
    unsorted = np.empty_like(sums)
    unsorted[order] = sums
    return unsorted
