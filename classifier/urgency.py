"""How soon a mention wants a person: rules, because nobody has labels for it.

Points are added up and every point is a reason. Words of danger or of everything standing
still count most; then a complaint or bad feeling; then how many people may read along.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from earshot.domain import Intent, Label, Sentiment, Urgency

WIDE_REACH, HUGE_REACH = 10_000, 100_000
"""Followers from which a post is read by many, and by very many."""

HIGH_FROM = 3
_SURE = 0.6
_MAX_REASONS = 3

_DANGER = (
    r"unsafe|dangerous|injur(?:y|ed|ies)|hospital|ambulance|on fire|caught fire|smok(?:e|ing)|"
    r"burn(?:t|ed|s)|electric shock|poison(?:ed|ing)?|allergic|recall|hacked|data breach|"
    r"data leak|phishing|stolen|fraud|scam(?:med|mers)?|lawyer|lawsuit|sue you|police|"
    r"suicide|kill myself|gefährlich|verletzt|peligroso|estafa|dangereux|pericoloso|perigoso"
)
_HASTE = (
    r"urgent(?:ly|e)?|asap|emergency|immediately|right now|straight away|outage|"
    r"(?:is|are|went|goes|completely|still) down|not responding|stranded|locked out|"
    r"nothing works|last chance|deadline|dringend|sofort|de inmediato|immédiatement|subito"
)
_WORDING = re.compile(rf"\b(?:(?P<danger>{_DANGER})|(?P<haste>{_HASTE}))\b")


class _Point(NamedTuple):
    points: int
    reason: str
    confidence: float


_WORDING_CONFIDENCE = 0.8
"""How often such a word means what it says; the rest is talk about somebody else's fire."""


def urgency(text: str, intent: Label, sentiment: Label, *, reach: int, spam: bool = False) -> Label:
    """The urgency of a post with the normalised `text`, with its reasons, strongest first.

    Spam is never urgent. The confidence is that of the weakest judgement it rests on.
    """
    if spam:
        return Label(value=Urgency.LOW, confidence=0.9, reasons=("spam",))
    points = sorted(
        [*_wording(text), *_mood(intent, sentiment), *_audience(reach)], key=lambda p: -p.points
    )
    total = sum(point.points for point in points)
    wanted = intent.value in {Intent.QUESTION, Intent.REQUEST, Intent.COMPLAINT}
    if total >= HIGH_FROM:
        level = Urgency.HIGH
    elif total > 0 or wanted:
        level = Urgency.NORMAL
    else:
        level = Urgency.LOW
    reasons = [point.reason for point in points] or [intent.value]
    confidence = min([point.confidence for point in points], default=intent.confidence)
    return Label(value=level, confidence=confidence, reasons=tuple(reasons[:_MAX_REASONS]))


def _wording(text: str) -> list[_Point]:
    found = _WORDING.search(text)
    if found is None:
        return []
    points = HIGH_FROM if found["danger"] else 2
    return [_Point(points, found[0], _WORDING_CONFIDENCE)]


def _mood(intent: Label, sentiment: Label) -> list[_Point]:
    points = []
    if intent.value == Intent.COMPLAINT:
        points.append(_Point(1, Intent.COMPLAINT.value, intent.confidence))
    if sentiment.value == Sentiment.NEGATIVE and sentiment.confidence >= _SURE:
        points.append(_Point(1, Sentiment.NEGATIVE.value, sentiment.confidence))
    return points


def _audience(reach: int) -> list[_Point]:
    if reach < WIDE_REACH:
        return []
    return [_Point(2 if reach >= HUGE_REACH else 1, f"reach {reach}", 1.0)]
