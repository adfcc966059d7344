from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from classifier.text.language import DEFAULT_LANGUAGES, DEPTH, KNOWN, SURE, UNKNOWN, Languages
from classifier.text.scripts import is_foreign
from tests.classifier.texts import any_text

SENTENCES = {
    "en": "The parcel has still not arrived and nobody answers the phone",
    "de": "Das Paket ist immer noch nicht da und niemand geht ans Telefon",
    "es": "El paquete todavía no ha llegado y nadie contesta el teléfono",
    "fr": "Le colis n'est toujours pas arrivé et personne ne répond",
    "it": "Il pacco non è ancora arrivato e nessuno risponde al telefono",
    "pt": "O pacote ainda não chegou e ninguém atende o telefone",
    "nl": "Het pakket is nog steeds niet aangekomen en niemand neemt op",
}


@pytest.fixture(scope="module")
def library() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(DEFAULT_LANGUAGES)
    return identifier


@pytest.fixture(scope="module")
def languages() -> Languages:
    return Languages()


def test_the_default_languages_are_told_apart(languages: Languages) -> None:
    found = languages.detect(list(SENTENCES.values()))
    assert [code for code, _ in found] == list(SENTENCES)


@settings(max_examples=50, deadline=None)
@given(st.lists(any_text.map(lambda text: text.lower()[:50]), min_size=1, max_size=5))
def test_a_batch_gets_the_library_s_own_numbers(
    library: LanguageIdentifier, languages: Languages, texts: list[str]
) -> None:
    for text, (code, share) in zip(texts, languages.detect(texts), strict=True):
        expected, probability = library.classify(text)
        if is_foreign(text, DEFAULT_LANGUAGES):
            assert (code, share) == (UNKNOWN, 1.0)
        elif code == UNKNOWN:
            assert share == pytest.approx(1 - probability, abs=2e-3)
            assert probability < SURE + 2e-3
        else:
            assert code == expected
            assert share == pytest.approx(probability, abs=2e-3)


def test_the_known_languages_are_those_of_the_model() -> None:
    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    assert {code for code in model.labels if len(code) == 2} == KNOWN


def test_a_text_without_letters_has_no_language(languages: Languages) -> None:
    assert [code for code, _ in languages.detect(["", "12345", "!!!"])] == [UNKNOWN] * 3


def test_the_platform_is_believed_if_it_names_a_language_of_the_brand(languages: Languages) -> None:
    english, german, swiss, japanese = languages.labels(
        ["en", "", "de-CH", "ja"],
        [SENTENCES["de"], SENTENCES["de"], SENTENCES["en"], SENTENCES["fr"]],
    )
    assert (english.value, english.reasons) == ("en", ("platform",))
    assert (german.value, german.reasons) == ("de", ("text",))
    assert (swiss.value, swiss.reasons) == ("de", ("platform",))
    assert (japanese.value, japanese.reasons) == ("fr", ("text",))


def test_a_language_in_two_scripts_is_one() -> None:
    cyrillic = "Пакет још није стигао и нико се не јавља"  # noqa: RUF001 # Serbian, not Latin
    (found,) = Languages(["sr", "en"]).detect([cyrillic])
    assert found[0] == "sr"
    assert 0.5 < found[1] <= 1


@pytest.mark.parametrize("codes", [["en", "xx"], ["english"], []])
def test_unknown_languages_are_refused_at_once(codes: list[str]) -> None:
    with pytest.raises(ValueError, match="language"):
        Languages(codes)


def test_no_sequence_of_bytes_that_is_looked_for_is_longer_than_is_read_before_a_piece() -> None:
    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    moves = np.asarray(model.tk_nextmove).reshape(-1, 256)[np.asarray(model.tk_row)]
    depth = np.full(len(moves), -1)
    reached, steps = np.zeros(1, np.intp), 0
    depth[0] = 0
    while len(reached):
        steps += 1
        there = np.unique(moves[reached]).astype(np.intp)
        reached = there[depth[there] < 0]
        depth[reached] = steps
    assert depth.max() == DEPTH


@settings(max_examples=30, deadline=None)
@given(st.lists(any_text, max_size=5))
def test_a_batch_is_told_apart_as_its_texts_one_by_one(
    languages: Languages, texts: list[str]
) -> None:
    assert languages.detect(texts) == [languages.detect([text])[0] for text in texts]
