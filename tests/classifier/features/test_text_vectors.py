from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.features.text_vectors import vectors
from classifier.features.vectorizer import HashedNgrams
from tests.classifier.texts import any_text

BITS = 10


@settings(max_examples=40, deadline=None)
@given(st.lists(any_text, max_size=4))
def test_vectors_point_where_those_of_the_scikit_learn_transformer_do(texts: list[str]) -> None:
    weight = np.linspace(0, 3, 1 << BITS)
    ngrams = HashedNgrams(bits=BITS)
    ngrams.idf_ = weight.astype(np.float32)
    found = vectors(texts, weight)
    dense = np.zeros((len(texts), 1 << BITS))
    dense[found.vector, found.column] = found.value
    if not texts:
        assert not len(found.value)
        return
    theirs = ngrams.transform(texts).toarray().astype(float)
    length = np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(dense, theirs / np.where(length > 0, length, 1), atol=1e-5)


def test_the_vectors_of_a_range_are_found() -> None:
    weight = np.ones(1 << BITS)
    found = vectors(["one", "", "two words"], weight)
    column, value = found.of(1, 3)
    np.testing.assert_allclose(np.square(value).sum(), 1)
    assert set(column) == set(vectors(["two words"], weight).column)
