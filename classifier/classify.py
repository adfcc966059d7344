"""What the classify stage does with a batch: each mention gets its classification."""

from __future__ import annotations

from collections.abc import Sequence

from classifier.labelling.trained_classifier import Classifier
from earshot.domain import (
    Classification,
    Classified,
    Intent,
    Label,
    Mention,
    Op,
    Sentiment,
    Urgency,
)


def classified(mentions: Sequence[Mention], classifier: Classifier) -> list[Classified]:
    """Each mention with its classification, in order.

    A deletion has no text to classify: it passes with an empty classification, so that the next
    stage learns of it in the conversation's order.
    """
    judged = iter(classifier.classify([m for m in mentions if m.op is not Op.DELETE]))
    return [
        Classified(
            mention=mention,
            classification=_nothing(classifier.version)
            if mention.op is Op.DELETE
            else next(judged),
        )
        for mention in mentions
    ]


def _nothing(version: str) -> Classification:
    """The classification of a post that is gone: nothing is believed of it."""

    def unknown(value: str) -> Label:
        return Label(value=value, confidence=0.0, reasons=("deleted",))

    return Classification(
        model=version,
        lang=unknown("und"),
        sentiment=unknown(Sentiment.NEUTRAL),
        intent=unknown(Intent.REMARK),
        urgency=unknown(Urgency.LOW),
        spam=unknown("ham"),
        wants_answer=0.0,
    )
