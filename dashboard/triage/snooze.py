"""When a snoozed item comes back: choices in the words of a person's day. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MORNING = time(9)
EVENING = time(18)
LONGEST = timedelta(days=365)


class Until(StrEnum):
    HOUR = "hour"
    TONIGHT = "tonight"
    TOMORROW = "tomorrow"
    MONDAY = "monday"
    DATE = "date"


class NoSuchTime(ValueError):
    """The choice names no time to come back at."""


def until(choice: str, on: str, now: datetime, zone: ZoneInfo) -> datetime:
    """When an item comes back, in UTC; `on` is an ISO date, for the choice `date`.

    Evening is 18:00 and morning 09:00 by the person's wall clock. Raises NoSuchTime for an
    unknown choice, and for a time that is past or more than a year off.
    """
    here = now.astimezone(zone)
    tomorrow = here.date() + timedelta(days=1)
    match choice:
        case Until.HOUR:
            return now + timedelta(hours=1)
        case Until.TONIGHT:
            evening = _at(here.date(), EVENING, zone)
            return evening if evening > now else now + timedelta(hours=1)
        case Until.TOMORROW:
            return _at(tomorrow, MORNING, zone)
        case Until.MONDAY:
            return _at(here.date() + timedelta(days=7 - here.weekday()), MORNING, zone)
        case Until.DATE:
            return _on(on, now, zone)
        case _:
            known = ", ".join(Until)
            raise NoSuchTime(f"{choice!r} is no time to snooze until; choose one of {known}")


def _on(on: str, now: datetime, zone: ZoneInfo) -> datetime:
    try:
        back = _at(date.fromisoformat(on), MORNING, zone)
    except (ValueError, OverflowError) as error:
        raise NoSuchTime(f"{on!r} is not a date; write it like 2026-03-02") from error
    if not now < back <= now + LONGEST:
        raise NoSuchTime(f"{on} is not within the year to come")
    return back


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
