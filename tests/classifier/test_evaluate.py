from __future__ import annotations

import pytest

from classifier.evaluate import calibration_error, evaluate
from classifier.labelling.rules import RuleClassifier
from classifier.training.training_labels import Example


def _sentiment(text: str, label: str) -> Example:
    return Example(text=text, task="sentiment", label=label)


def test_figures_are_counted_per_label() -> None:
    report = evaluate(
        RuleClassifier({}),
        [
            _sentiment("love it", "positive"),
            _sentiment("great", "positive"),
            _sentiment("we met", "positive"),
            _sentiment("awful", "negative"),
            _sentiment("lovely", "negative"),
        ],
        "sentiment",
    )
    positive, negative = report.labels["positive"], report.labels["negative"]
    assert (positive.precision, positive.recall, positive.texts) == (2 / 3, 2 / 3, 3)
    assert (negative.precision, negative.recall) == (1, 0.5)
    assert negative.f1 == pytest.approx(2 / 3)
    assert report.accuracy == 3 / 5
    assert report.macro_recall == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert "| positive | 66.7 | 66.7 | 66.7 | 3 |" in report.as_table()


def test_calibration_error_is_how_far_confidence_is_from_truth() -> None:
    assert calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert calibration_error([0.9] * 2, [True, False]) == pytest.approx(0.4)
    assert calibration_error([1.0, 0.0], [True, False]) == pytest.approx(0)


def test_a_task_without_examples_is_refused() -> None:
    with pytest.raises(ValueError, match="no example is labelled for the task 'spam'"):
        evaluate(RuleClassifier({}), [_sentiment("a", "neutral")], "spam")
