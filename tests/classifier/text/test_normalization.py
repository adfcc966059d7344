from __future__ import annotations

import pytest
from hypothesis import given

from classifier.text.normalization import READ_LIMIT, normalise
from tests.classifier.texts import any_text


@given(any_text)
def test_any_text_comes_out_in_a_shape_that_every_codec_takes(text: str) -> None:
    normalise(text).encode()


def test_links_and_people_become_placeholders() -> None:
    assert normalise("Hey @Anna see https://a.example/b?c=1 NOW").split() == [
        "hey",
        "@user",
        "see",
        "http",
        "now",
    ]


def test_a_mail_address_is_no_handle() -> None:
    assert normalise("me@example.org") == "me@example.org"


def test_entities_and_typographic_apostrophes_are_as_typed_by_hand() -> None:
    assert normalise("Don\N{RIGHT SINGLE QUOTATION MARK}t &lt;3") == "don't <3"


@pytest.mark.parametrize("piece", ["a", "@a ", "&amp;", "https://", "😡", "(("])
def test_only_the_beginning_of_a_long_text_is_read(piece: str) -> None:
    text = piece * (40_000 // len(piece))
    assert normalise(text) == normalise(text[:READ_LIMIT])
