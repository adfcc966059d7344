from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.features import BITS, grams, tokenise
from classifier.text import normalise
from classifier.vectorizer import HashedNgrams, count_matrix
from tests.classifier.texts import any_text


def _words(text: str) -> list[str]:
    tokens = tokenise([normalise(text)])
    return [tokens.word(at) for at in range(len(tokens.size))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Checkout fails, again!", ["checkout", "fails", ",", "again", "!"]),
        ("it's #late", ["it's", "#late"]),
        ("love❤️it", ["love", "❤", "it"]),
        ("für 你好", ["für", "你好"]),
        ("😡😡 no", ["😡😡", "no"]),
    ],
)
def test_a_text_is_split_into_words_and_runs_of_symbols(text: str, words: list[str]) -> None:
    assert _words(text) == words


def _columns(text: str) -> dict[int, float]:
    matrix = count_matrix(grams([normalise(text)]), BITS)
    return dict(zip(matrix.indices.tolist(), matrix.data.tolist(), strict=True))


def test_a_long_drawn_word_is_one_word() -> None:
    assert _columns("soooooo good") == _columns("sooo good") == _columns("soo good")
    assert _columns("so good") != _columns("soo good")


def test_a_denied_word_counts_as_itself_and_as_denied() -> None:
    batch = grams(["not really very good here", "not, good"])
    denied = [batch.tokens.word(at) for at in batch.denied_at]
    assert denied == ["really", "very", "good"]


def test_pairs_and_denials_end_with_their_text() -> None:
    batch = grams(["never", "good day"])
    assert [batch.tokens.word(at) for at in batch.pair_at] == ["good"]
    assert not len(batch.denied_at)


def test_character_runs_are_those_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    text = "refund my order order"
    batch = grams([text])
    ours = sum(
        int((np.repeat(np.bincount(batch.distinct), sizes)).sum()) for _, sizes in batch.parts
    )
    theirs = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5)).fit_transform([text])
    assert ours == theirs.sum()


@given(st.lists(any_text, max_size=6))
def test_a_batch_has_the_n_grams_of_its_texts_one_by_one(texts: list[str]) -> None:
    ready = [normalise(text) for text in texts]
    together = count_matrix(grams(ready), BITS)
    assert together.shape == (len(texts), 1 << BITS)
    for at, text in enumerate(ready):
        assert abs(together[[at]] - count_matrix(grams([text]), BITS)).nnz == 0


def test_the_transformer_keeps_scikit_learns_contract() -> None:
    from sklearn.base import clone

    ngrams = clone(HashedNgrams(bits=10, min_df=1))
    matrix = ngrams.fit_transform(["good app", "bad app", ""])
    assert matrix.shape == (3, 1024)
    assert matrix.dtype == np.float32
    assert matrix[[2]].nnz == 0
    assert ngrams.get_params() == {"bits": 10, "min_df": 1}
