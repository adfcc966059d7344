"""A brand's own labels on top of a model: what they don't teach stays as it was.

The public sets are not at hand where a brand labels, so the model itself stands in for them.
Its scores for a text are features beside the n-grams; a linear model over both is, as both are
linear, again a model over n-grams alone, and fits in the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from classifier.features.ngrams import grams
from classifier.features.vectorizer import HashedNgrams, count_matrix
from classifier.model.bundle import Bundle, Head
from classifier.text.normalization import normalise
from classifier.training.training_labels import Example

_TRUST_IN_MODEL = 3.0
"""How much cheaper it is for the fit to follow the model than to learn an n-gram."""

_REGULARISATION = 10.0


def adapted(bundle: Bundle, own: Sequence[Example], replayed: Sequence[Example]) -> Bundle:
    """`bundle` after learning `own`. `replayed` keeps labels known that `own` has none of.

    Tasks without an example in `own` are unchanged; topics are added by the caller.
    """
    ngrams = HashedNgrams(bits=bundle.header.bits)
    ngrams.idf_ = _widened(bundle, own)
    heads, weights, first = [], [], 0
    for head in bundle.header.heads:
        columns = bundle.weights[:, first : first + len(head.labels)].astype(np.float32)
        first += len(head.labels)
        if any(example.task == head.task for example in own):
            rows = [e for e in (*replayed, *own) if e.task == head.task]
            head, columns = _refit(head, columns, rows, ngrams)  # noqa: PLW2901 # its successor
        heads.append(head)
        weights.append(columns.astype(np.float16))
    return replace(
        bundle,
        header=replace(bundle.header, heads=tuple(heads)),
        idf=ngrams.idf_.astype(np.float16),
        weights=np.concatenate(weights, axis=1),
    )


def _refit(
    head: Head, columns: NDArray[np.float32], rows: Sequence[Example], ngrams: HashedNgrams
) -> tuple[Head, NDArray[np.float32]]:
    """The head's successor: its scores remixed, with corrections for single n-grams."""
    texts = ngrams.transform([row.text for row in rows])
    intercepts = np.asarray(head.intercepts)
    scores = (texts @ columns + intercepts) * _TRUST_IN_MODEL
    labels = [row.label for row in rows]
    weight = compute_sample_weight("balanced", labels) * [row.weight for row in rows]
    fitted = LogisticRegression(C=_REGULARISATION, max_iter=500).fit(
        sparse.hstack([sparse.csr_matrix(scores), texts], format="csr"), labels, weight
    )
    coefficients, added = fitted.coef_, fitted.intercept_
    if len(coefficients) == 1:
        # two labels share one score: half of it for each side gives the same softmax
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        added = np.concatenate([-added, added]) / 2
    mixing = coefficients[:, : len(head.labels)] * _TRUST_IN_MODEL
    return (
        replace(
            head,
            labels=tuple(str(label) for label in fitted.classes_),
            intercepts=tuple((mixing @ intercepts + added).tolist()),
        ),
        (columns @ mixing.T + coefficients[:, len(head.labels) :].T).astype(np.float32),
    )


def _widened(bundle: Bundle, own: Sequence[Example]) -> NDArray[np.float32]:
    """The model's idf, with the highest for n-grams that only the brand's own texts have."""
    idf = bundle.idf.astype(np.float32)
    texts = [normalise(example.text) for example in own]
    seen = np.asarray(
        count_matrix(grams(texts, bundle.header.bits), bundle.header.bits).sum(axis=0)
    )
    new = (seen.ravel() > 0) & (idf == 0)
    idf[new] = idf.max()
    return idf
