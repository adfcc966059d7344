from __future__ import annotations

from pathlib import Path

import pytest

from classifier.model.bundle import BadBundle, Bundle, save
from classifier.model.load import load_classifier
from earshot.brand import Brand, TopicText
from tests.builders import a_mention

ACME = Brand(
    name="Acme",
    queries={"name": "acme"},
    topics={"delivery": TopicText(description="parcels that are late", examples=("late parcel",))},
    languages=("en", "sv"),
)


def test_the_brand_file_tells_the_judge_topics_and_languages() -> None:
    classifier = load_classifier("", {"acme": ACME})
    english = a_mention(text="Two parcels are late", lang="")
    swedish = a_mention(text="Paketet har fortfarande inte kommit och ingen svarar", lang="")
    first, second = classifier.classify([english, swedish])
    assert [topic.value for topic in first.topics] == ["delivery"]
    assert second.lang.value == "sv"


def test_the_model_that_is_set_is_used(tmp_path: Path, small: Bundle, shipped: Bundle) -> None:
    save(small, tmp_path / "own.npz")
    assert load_classifier(str(tmp_path / "own.npz"), {}).version.startswith(small.version)
    assert load_classifier("", {}).version.startswith(shipped.version)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match=r"gone\.npz"):
        load_classifier(str(tmp_path / "gone.npz"), {})


def test_the_rules_can_be_chosen_instead_of_a_model() -> None:
    rules = load_classifier("rules", {"acme": ACME})
    (judged,) = rules.classify([a_mention(text="Two parcels are late", lang="")])
    assert rules.version.startswith("rules-")
    assert [topic.value for topic in judged.topics] == ["delivery"]
