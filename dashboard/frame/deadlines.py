"""How near a promise is to being broken, in words and as data for the ticking clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

RISK_SHARE = 0.2
RISK_AT_LEAST_S = 15 * 60
_HOUR = 3600
_EXACT_BELOW_S = 600
_DAY_S = 24 * _HOUR
_WEEKDAY_BELOW_S = 6 * _DAY_S


class Level(StrEnum):
    OVERDUE = "overdue"
    RISK = "risk"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Badge:
    """`due` is in seconds since 1970; below `risk_s` seconds before it, the item is at risk.

    `far` says that the deadline is a day or more away: people read a time then, not a countdown.
    """

    level: Level
    left: str
    due: int
    risk_s: int
    far: bool


def badge(due_at: datetime | None, target_s: int, now: datetime) -> Badge | None:
    """The badge of a deadline at `now`; None for an item without one.

    At risk means: less than a fifth of the target is left, or less than 15 minutes. The
    time left is calendar time, also for targets in business hours, so that people can
    compare items.
    """
    if due_at is None:
        return None
    left_s = (due_at - now) / timedelta(seconds=1)
    risk_s = int(max(RISK_SHARE * target_s, RISK_AT_LEAST_S))
    level = Level.OVERDUE if left_s < 0 else Level.RISK if left_s < risk_s else Level.LATER
    due, far = int(due_at.timestamp()), left_s >= _DAY_S
    return Badge(level, duration(left_s), due, risk_s, far)


def time_pattern(left_s: float) -> str:
    """How to write a deadline that is `left_s` seconds away: with its weekday, or its date.

    A pattern of Unicode TR 35 (https://unicode.org/reports/tr35/tr35-dates.html). From six days
    on, a weekday could be read as this week's.
    """
    return "EEE HH:mm" if left_s < _WEEKDAY_BELOW_S else "d MMM HH:mm"


def duration(seconds: float) -> str:
    """The size of a span for a badge: `4:12` below ten minutes, `12 min`, `2 h 05`, `3 d 4 h`."""
    whole = int(abs(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if whole < _EXACT_BELOW_S:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < _HOUR:
        return f"{minutes} min"
    if hours < 48:  # noqa: PLR2004 -- two days
        return f"{hours} h {minutes:02d}"
    return f"{hours // 24} d {hours % 24} h"
