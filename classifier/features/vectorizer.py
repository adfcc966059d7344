"""The n-grams of `classifier.features.ngrams` as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin

from classifier.features.ngrams import BITS, Grams, grams, word_grams
from classifier.text.normalization import normalise

_AT_ONCE = 2_000


class HashedNgrams(TransformerMixin, BaseEstimator):  # type: ignore[misc] # sklearn is untyped
    """Texts to a CSR matrix of hashed n-grams, one row per text, 2**`bits` columns.

    An n-gram that occurs c times has the value c * idf / norm. `idf` is scikit-learn's
    smooth ln((1 + texts) / (1 + texts with it)) + 1, learnt by `fit`; n-grams seen in fewer
    than `min_df` texts get 0. The norm is sqrt(sum of c * idf**2): that of one occurrence
    at a time, so that the score of a text is a sum over its tokens.
    """

    def __init__(self, bits: int = BITS, min_df: int = 2) -> None:
        self.bits = bits
        self.min_df = min_df

    def fit(self, X: Iterable[str], y: Any = None) -> Self:  # noqa: N803 # sklearn's own names
        counts = self._counts(X)
        seen_in = np.bincount(counts.indices, minlength=1 << self.bits)
        idf = np.log((1 + counts.shape[0]) / (1 + seen_in)) + 1
        # kept as a bundle keeps it, so that a fitted pipeline and its bundle agree
        self.idf_ = np.where(seen_in >= self.min_df, idf, 0).astype(np.float16).astype(np.float32)
        return self

    def transform(self, X: Iterable[str]) -> Any:  # noqa: N803 # sklearn's own names
        """The CSR matrix (float32) of the texts. A text without a known n-gram is a zero row."""
        counts = self._counts(X)
        norm = np.sqrt(counts @ np.square(self.idf_))
        scale = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
        counts.data *= self.idf_[counts.indices]
        counts.data *= np.repeat(scale, np.diff(counts.indptr))
        counts.eliminate_zeros()
        return counts

    def _counts(self, texts: Iterable[str]) -> Any:
        ready = [normalise(text) for text in texts]
        blocks = [
            count_matrix(grams(ready[at : at + _AT_ONCE], self.bits), self.bits)
            for at in range(0, len(ready), _AT_ONCE)
        ]
        return sparse.vstack(blocks, format="csr", dtype=np.float32)


def count_matrix(batch: Grams, bits: int) -> Any:
    """How often each n-gram occurs in each text of the batch, as CSR."""
    texts, rows = batch.texts, len(batch.vocabulary.words)
    numbers = np.arange(rows)
    in_words = sum(
        _matrix(np.repeat(numbers, sizes), columns, (rows, 1 << bits))
        for columns, sizes in word_grams(batch.vocabulary, numbers, bits)
    )
    used = _matrix(batch.document, batch.word, (texts, rows))
    pairs = _matrix(batch.document[:-1][batch.paired], batch.pair[batch.paired], (texts, 1 << bits))
    denied = _matrix(batch.document[batch.denied_at], batch.denied, (texts, 1 << bits))
    counts = (used @ in_words + pairs + denied).tocsr()
    counts.sum_duplicates()
    return counts


def _matrix(row: NDArray[Any], column: NDArray[Any], shape: tuple[int, int]) -> Any:
    ones = np.ones(len(row), np.float32)
    return sparse.csr_matrix((ones, (row, column)), shape=shape)
