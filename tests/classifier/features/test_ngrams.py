from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from classifier.features.ngrams import BITS, Grams, Vocabulary, grams, word_grams
from classifier.features.vectorizer import HashedNgrams, count_matrix
from classifier.text.normalization import normalise
from tests.classifier.texts import any_text


def _words(batch: Grams, at: Sequence[int] | NDArray[Any]) -> list[str]:
    return [batch.vocabulary.words[number] for number in batch.word[at]]


def _columns(text: str) -> dict[int, float]:
    matrix = count_matrix(grams([normalise(text)]), BITS)
    return dict(zip(matrix.indices.tolist(), matrix.data.tolist(), strict=True))


def test_a_long_drawn_word_is_one_word() -> None:
    assert _columns("soooooo good") == _columns("sooo good") == _columns("soo good")
    assert _columns("so good") != _columns("soo good")


def test_a_denied_word_counts_as_itself_and_as_denied() -> None:
    batch = grams(["not really very good here", "not, good"])
    assert _words(batch, batch.denied_at) == ["really", "very", "good"]


def test_pairs_and_denials_end_with_their_text() -> None:
    batch = grams(["never", "good day"])
    assert _words(batch, np.flatnonzero(batch.paired)) == ["good"]
    assert not len(batch.denied_at)


def test_character_runs_are_those_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    text = "refund my order order"
    batch = grams([text])
    *runs, _ = word_grams(batch.vocabulary, batch.word, BITS)
    ours = sum(len(columns) for columns, _ in runs)
    theirs = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)).fit_transform([text])
    assert ours == theirs.sum()


@given(st.lists(any_text, max_size=6))
def test_a_batch_has_the_n_grams_of_its_texts_one_by_one(texts: list[str]) -> None:
    ready = [normalise(text) for text in texts]
    together = count_matrix(grams(ready), BITS)
    assert together.shape == (len(texts), 1 << BITS)
    for at, text in enumerate(ready):
        assert abs(together[[at]] - count_matrix(grams([text]), BITS)).nnz == 0


@given(st.lists(any_text, max_size=4), st.lists(any_text, max_size=4))
def test_what_a_vocabulary_knew_before_changes_nothing(before: list[str], texts: list[str]) -> None:
    vocabulary = Vocabulary()
    grams([normalise(text) for text in before], vocabulary=vocabulary)
    ready = [normalise(text) for text in texts]
    assert (
        abs(
            count_matrix(grams(ready, vocabulary=vocabulary), BITS)
            - count_matrix(grams(ready), BITS)
        ).nnz
        == 0
    )


def test_the_transformer_keeps_scikit_learns_contract() -> None:
    from sklearn.base import clone

    ngrams = clone(HashedNgrams(bits=10, min_df=1))
    matrix = ngrams.fit_transform(["good app", "bad app", ""])
    assert matrix.shape == (3, 1024)
    assert matrix.dtype == np.float32
    assert matrix[[2]].nnz == 0
    assert ngrams.get_params() == {"bits": 10, "min_df": 1}
