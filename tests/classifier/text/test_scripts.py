"""Scripts: a text that none of a brand's languages is written in is known by its letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.text.language import KNOWN, UNKNOWN, Languages, is_said_to_be
from classifier.text.scripts import LANGUAGES_BY_SCRIPT, is_foreign

WESTERN = ("en", "de", "es", "fr")

SPOKEN = {
    "ar": "ما زلت أنتظر بطاقتي؟",
    "ru": "Где мой заказ, я жду уже неделю",
    "el": "Πού είναι η παραγγελία μου",
    "he": "איפה ההזמנה שלי",
    "ja": "カードがまだ届きません",
    "zh": "我的订单在哪里",
    "ko": "제 주문은 어디에 있나요",
    "hi": "मेरा ऑर्डर कहाँ है",
    "th": "คำสั่งซื้อของฉันอยู่ที่ไหน",
}


@pytest.mark.parametrize("code", SPOKEN)
def test_a_text_in_a_script_of_none_of_the_languages_is_undetermined(code: str) -> None:
    assert Languages(WESTERN).detect([f"@acme {SPOKEN[code]}"]) == [(UNKNOWN, 1.0)]
    assert not is_foreign(SPOKEN[code], ("en", code))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Where is it? 😡😡",
        "¿Dónde está mi pedido?",
        "Größe 42 für € 20 №1",
        "ok",
        "Привет, where is it?",
    ],
)
def test_latin_letters_signs_and_a_few_foreign_words_are_not_foreign(text: str) -> None:
    assert not is_foreign(text, WESTERN)


@given(st.text(alphabet=st.characters(max_codepoint=0x24F)))
def test_no_text_of_latin_letters_is_ever_foreign(text: str) -> None:
    assert not is_foreign(text, ("ar", "ja"))


@given(st.text())
def test_any_text_has_an_answer_and_more_languages_make_fewer_texts_foreign(text: str) -> None:
    if is_foreign(text, (*WESTERN, *LANGUAGES_BY_SCRIPT["ARABIC"])):
        assert is_foreign(text, WESTERN)


def test_every_language_of_a_script_is_one_that_can_be_told() -> None:
    assert frozenset().union(*LANGUAGES_BY_SCRIPT.values()) <= KNOWN


@pytest.mark.parametrize(
    ("said", "is_english"),
    [
        ("", True),
        ("en", True),
        ("en-GB", True),
        ("EN", True),
        ("zxx", True),
        ("tr", False),
        ("pt-BR", False),
    ],
)
def test_a_platform_contradicts_only_with_another_known_language(
    said: str, is_english: object
) -> None:
    assert is_said_to_be(said, "en") is is_english
