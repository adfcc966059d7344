"""What people write, and how often: as the first post of a thread, or below what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from collectors.platforms.simulator.phrases import TOPICAL, Kind, topics


def _wheel(weights: Mapping[Kind, int]) -> tuple[Kind, ...]:
    return tuple(kind for kind, weight in weights.items() for _ in range(weight))


OPENINGS = _wheel(
    {
        Kind.COMPLAINT: 15,
        Kind.QUESTION: 11,
        Kind.REQUEST: 3,
        Kind.PRAISE: 13,
        Kind.REMARK: 37,
        Kind.SPAM: 9,
        Kind.INSULT: 2,
        Kind.ELSEWHERE: 10,
    }
)
_BELOW_TROUBLE = _wheel(
    {
        Kind.ECHO: 28,
        Kind.ADVICE: 32,
        Kind.COMPLAINT: 10,
        Kind.QUESTION: 8,
        Kind.REMARK: 8,
        Kind.INSULT: 4,
        Kind.ELSEWHERE: 10,
    }
)
_BELOW_CHAT = _wheel(
    {
        Kind.REMARK: 45,
        Kind.PRAISE: 20,
        Kind.QUESTION: 12,
        Kind.COMPLAINT: 8,
        Kind.INSULT: 3,
        Kind.ELSEWHERE: 12,
    }
)
_TROUBLE = frozenset({Kind.COMPLAINT, Kind.QUESTION, Kind.SPIKE})
_THEMES = topics(Kind.COMPLAINT)


def replies_to(opening: Kind) -> Sequence[Kind]:
    """The kinds of replies below a post of this kind, each as often as it is likely."""
    return _BELOW_TROUBLE if opening in _TROUBLE else _BELOW_CHAT


@cache
def topic_of(kind: Kind, theme: int) -> str:
    """The topic of a post in a thread of this theme, a number; empty where there is none.

    Where nobody writes about the theme in this way, it is another topic.
    """
    if kind is Kind.SPIKE:
        return "outage"
    topic = _THEMES[theme % len(_THEMES)]
    if kind in TOPICAL:
        known = topics(kind)
        return topic if topic in known else known[theme % len(known)]
    return topic if kind in {Kind.ECHO, Kind.ADVICE} else ""
