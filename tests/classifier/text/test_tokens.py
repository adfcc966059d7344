from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.text.normalization import normalise
from classifier.text.tokens import END, is_symbol, tokens
from tests.classifier.texts import any_text


def _of(text: str) -> list[str]:
    *words, end = tokens([normalise(text)])
    assert end == END
    return words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Checkout fails, again!", ["checkout", "fails", ",", "again", "!"]),
        ("it's #late", ["it's", "#late"]),
        ("love❤️it", ["love", "❤", "it"]),
        ("für 你好", ["für", "你好"]),
        ("😡😡 no", ["😡😡", "no"]),
        ("a\u200bb\x00c", ["a", "b", "c"]),
    ],
)
def test_a_text_is_split_into_words_and_runs_of_symbols(text: str, words: list[str]) -> None:
    assert _of(text) == words


@given(st.lists(any_text, max_size=6))
def test_texts_are_split_together_as_one_by_one(texts: list[str]) -> None:
    ready = [normalise(text) for text in texts]
    assert tokens(ready) == [token for text in ready for token in tokens([text])]
    assert tokens(ready).count(END) == len(texts)


@given(any_text)
def test_what_can_be_seen_is_in_a_token_and_nothing_else_is(text: str) -> None:
    ready = normalise(text)
    seen = [c for c in ready if not c.isspace() and (c.isprintable() or c >= "\u3100")]
    drawn = [c for c in seen if not "\ufe00" <= c <= "\ufe0f"]
    assert list("".join(_of(text))) == drawn


@given(any_text)
def test_a_token_is_letters_and_digits_or_symbols(text: str) -> None:
    for token in _of(text):
        assert len({is_symbol(char) for char in token}) == 1
