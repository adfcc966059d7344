from __future__ import annotations

from collections.abc import Sequence

import pytest

from classifier.classify import classified
from classifier.labelling.rules import RuleClassifier
from classifier.labelling.trained_classifier import Classifier, TrainedClassifier
from classifier.model.bundle import Bundle
from earshot.domain import TOMBSTONE, Classification, Mention, Op
from earshot.log.topics import CLASSIFIED
from tests.builders import a_mention


@pytest.fixture(params=["trained", "rules"])
def classifier(request: pytest.FixtureRequest, shipped: Bundle) -> Classifier:
    return TrainedClassifier(shipped, {}) if request.param == "trained" else RuleClassifier({})


class _Counting:
    """A classifier that notes what it is asked."""

    version = "counting-1"

    def __init__(self) -> None:
        self.asked: list[Mention] = []

    def classify(self, mentions: Sequence[Mention]) -> list[Classification]:
        self.asked += mentions
        return RuleClassifier({}).classify(mentions)


def _deleted(native_id: str) -> Mention:
    return a_mention(native_id=native_id, text="", op=Op.DELETE, revision=TOMBSTONE)


def test_each_mention_comes_back_with_its_classification_in_order(classifier: Classifier) -> None:
    batch = [a_mention(native_id="1", text="love it"), _deleted("2"), a_mention(native_id="3")]
    result = classified(batch, classifier)
    assert [c.mention for c in result] == batch
    assert result[0].classification.sentiment.value == "positive"
    assert all(c.classification.model == classifier.version for c in result)
    for c in result:
        assert CLASSIFIED.decode(CLASSIFIED.encode(c)) == c


def test_a_deletion_is_passed_on_unread() -> None:
    counting = _Counting()
    post, gone = a_mention(native_id="1"), _deleted("1")
    result = classified([post, gone], counting)
    assert counting.asked == [post]
    label = result[1].classification.sentiment
    assert (label.confidence, label.reasons) == (0.0, ("deleted",))


def test_an_edit_is_judged_anew(classifier: Classifier) -> None:
    edit = a_mention(text="I love it now", op=Op.EDIT, revision=1)
    assert classified([edit], classifier)[0].classification.sentiment.value == "positive"
