"""How soon a mention wants a person: rules, because nobody has labels for it.

Points are added up and every point is a reason. Words of danger or of everything standing
still count most; then a complaint or bad feeling; then how many people may read along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from earshot.domain import WANTING, Intent, Label, Sentiment, Urgency

WIDE_REACH, HUGE_REACH = 10_000, 100_000
"""Followers from which a post is read by many, and by very many."""

HIGH_FROM = 3
_SURE = 0.6
_MAX_REASONS = 3

_DANGER = """
unsafe, dangerous, injur(?:y|ed|ies), hospital, ambulance, on fire, caught fire, smok(?:e|ing),
burn(?:t|ed|s), electric shock, poison(?:ed|ing)?, allergic, recall, hacked, data breach,
data leak, phishing, stolen, fraud, scam(?:med|mers)?, lawyer, lawsuit, sue you, police,
suicide, kill myself, gefährlich, verletzt, peligroso, estafa, dangereux, pericoloso, perigoso
"""
_HASTE = """
urgent(?:ly|e)?, asap, emergency, immediately, right now, straight away, outage,
(?:is|are|went|goes|completely|still) down, not responding, stranded, locked out,
nothing works, last chance, deadline, dringend, sofort, de inmediato, immédiatement, subito
"""


def _patterns(listed: str) -> list[str]:
    return [" ".join(pattern.split()) for pattern in listed.split(",")]


def _any_of(patterns: Sequence[str]) -> str:
    return "|".join(patterns)


_WORDING = re.compile(
    rf"\b(?:(?P<danger>{_any_of(_patterns(_DANGER))})|(?P<haste>{_any_of(_patterns(_HASTE))}))\b"
)
_LAST_WORD = re.compile(
    rf"\b(?:{_any_of([p.split()[-1] for p in _patterns(f'{_DANGER},{_HASTE}')])})\b"
)


class _Point(NamedTuple):
    points: int
    reason: str
    confidence: float


_WORDING_CONFIDENCE = 0.8
"""How often such a word means what it says; the rest is talk about somebody else's fire."""

# plain strings: to reach an enumeration's member takes longer than to make the label
_LOW, _NORMAL, _HIGH = Urgency.LOW.value, Urgency.NORMAL.value, Urgency.HIGH.value
_COMPLAINT, _NEGATIVE = Intent.COMPLAINT.value, Sentiment.NEGATIVE.value
_WANTING = frozenset(intent.value for intent in WANTING)
_SPAM = Label(value=_LOW, confidence=0.9, reasons=("spam",))


def may_alarm(token: str) -> bool:
    """Whether a text's wording may be urgent by this token. Without such a token it isn't."""
    return _LAST_WORD.search(token) is not None


def urgency(text: str, intent: Label, sentiment: Label, *, reach: int, spam: bool = False) -> Label:
    """The urgency of a post with the normalised `text`, with its reasons, strongest first.

    Spam is never urgent. The confidence is that of the weakest judgement it rests on.
    """
    if spam:
        return _SPAM
    points = [*_wording(text), *_mood(intent, sentiment), *_audience(reach)]
    if not points:
        level = _NORMAL if intent.value in _WANTING else _LOW
        return Label(value=level, confidence=intent.confidence, reasons=(intent.value,))
    points.sort(key=lambda p: -p.points)
    high = sum(point.points for point in points) >= HIGH_FROM
    return Label(
        value=_HIGH if high else _NORMAL,
        confidence=min(point.confidence for point in points),
        reasons=tuple(point.reason for point in points[:_MAX_REASONS]),
    )


def _wording(text: str) -> list[_Point]:
    found = _WORDING.search(text)
    if found is None:
        return []
    points = HIGH_FROM if found["danger"] else 2
    return [_Point(points, found[0], _WORDING_CONFIDENCE)]


def _mood(intent: Label, sentiment: Label) -> list[_Point]:
    points = []
    if intent.value == _COMPLAINT:
        points.append(_Point(1, _COMPLAINT, intent.confidence))
    if sentiment.value == _NEGATIVE and sentiment.confidence >= _SURE:
        points.append(_Point(1, _NEGATIVE, sentiment.confidence))
    return points


def _audience(reach: int) -> list[_Point]:
    if reach < WIDE_REACH:
        return []
    return [_Point(2 if reach >= HUGE_REACH else 1, f"reach {reach}", 1.0)]
