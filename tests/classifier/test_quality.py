"""The figures of the model card, held."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from classifier.evaluate import evaluate
from classifier.labelling.rules import RuleClassifier
from classifier.labelling.trained_classifier import TrainedClassifier
from classifier.model.bundle import DEFAULT_MODEL, Bundle
from classifier.training.training_labels import Example

LEAST_ON_SPOKEN = {"sentiment": 0.70, "intent": 0.85, "spam": 0.80}


@pytest.mark.parametrize("task", ["sentiment", "intent", "spam"])
def test_sentences_said_to_brands_are_understood(
    shipped: Bundle, spoken: list[Example], task: str
) -> None:
    trained = evaluate(TrainedClassifier(shipped, {}), spoken, task)
    rules = evaluate(RuleClassifier({}), spoken, task)
    assert trained.macro_recall >= LEAST_ON_SPOKEN[task], trained.as_table()
    assert trained.macro_recall > rules.macro_recall


def test_sentences_written_last_are_understood_better_than_by_rules(
    shipped: Bundle, written_last: list[Example]
) -> None:
    trained = evaluate(TrainedClassifier(shipped, {}), written_last, "intent")
    rules = evaluate(RuleClassifier({}), written_last, "intent")
    assert trained.macro_recall >= 0.75, trained.as_table()
    assert trained.macro_recall > rules.macro_recall


def _tweets(path: Path) -> list[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Example(text=row["text"], task="sentiment", label=row["label"])
            for row in csv.DictReader(file)
        ]


def test_sentiment_on_the_public_validation_set(public_sets: Path, shipped: Bundle) -> None:
    report = evaluate(
        TrainedClassifier(shipped, {}),
        _tweets(public_sets / "sentiment_semeval_val.csv"),
        "sentiment",
    )
    assert report.macro_recall >= 0.68, report.as_table()
    assert report.calibration_error <= 0.10, report.as_table()


def test_the_card_is_of_the_shipped_model(shipped: Bundle) -> None:
    card = DEFAULT_MODEL.with_name("CARD.md").read_text(encoding="utf-8")
    assert shipped.version in card
    for corpus in shipped.header.provenance["corpora"]:
        assert corpus["name"] in card
        assert corpus["licence"] in card
