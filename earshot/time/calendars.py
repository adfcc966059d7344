"""Calendars as an operator writes them: a part of the routing policy's file.

office:
  zone: Europe/Madrid
  hours: {mon-fri: "08:00-20:00", sat: "10:00-14:00, 16:00-18:00"}
  holidays: [ES-MD]
  closed: [2026-12-24]
  changes:
    - {from: 2027-01-01, hours: {mon-fri: "09:00-18:00"}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from earshot.time.holiday_dates import public_holidays
from earshot.time.hours import DAY_MINUTES, Calendar, Minutes, Schedule
from earshot.yaml_source import Step, YamlSource

HOUR_MINUTES = 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


class ChangePart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours that replace the earlier ones from the local day `from_` on."""

    from_: date = msgspec.field(name="from")
    hours: dict[str, str]


class CalendarPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hours` maps days (`mon`, `mon-fri`) to spans (`08:00-20:00`, several with commas)."""

    hours: dict[str, str]
    zone: str = ""
    holidays: tuple[str, ...] = ()
    closed: frozenset[date] = frozenset()
    changes: tuple[ChangePart, ...] = ()


def build(
    source: YamlSource, parts: Mapping[str, CalendarPart], zone: str, *path: Step
) -> dict[str, Calendar]:
    """The calendars of `parts`, which stand at `path` of `source`; `zone` is the default one.

    Raises OperatorError that names file, line and path.
    """
    return {
        name: _calendar(source, name, part, zone, (*path, name)) for name, part in parts.items()
    }


def _calendar(
    source: YamlSource, name: str, part: CalendarPart, zone: str, path: tuple[Step, ...]
) -> Calendar:
    check_zone(source, part.zone or zone, *path, "zone")
    for code in part.holidays:
        try:
            public_holidays(code, 2026)  # any year: this only asks whether the code is known
        except ValueError as error:
            raise source.error(str(error), *path, "holidays") from error
    dated = [(date.min, part.hours, (*path, "hours"))]
    for number, change in enumerate(part.changes):
        dated.append((change.from_, change.hours, (*path, "changes", number, "hours")))
    schedules = []
    for valid_from, hours, where in dated:
        try:
            schedules.append(
                Schedule(
                    week=_week(source, hours, where),
                    valid_from=valid_from,
                    closed=part.closed,
                    holidays=part.holidays,
                )
            )
        except ValueError as error:
            raise source.error(str(error), *where) from error
    return Calendar(name=name, zone=part.zone or zone, schedules=tuple(schedules))


def check_zone(source: YamlSource, zone: str, *path: Step) -> None:
    """Raise OperatorError unless `zone` is an IANA time zone."""
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError) as error:
        raise source.error(
            f"{zone!r} is not a time zone; write an IANA name like Europe/Madrid", *path
        ) from error


def _week(
    source: YamlSource, hours: Mapping[str, str], path: tuple[Step, ...]
) -> tuple[tuple[Minutes, ...], ...]:
    week: list[tuple[Minutes, ...]] = [()] * 7
    taken: dict[int, str] = {}
    for key, spans in hours.items():
        for day in _days(source, key, path):
            if day in taken:
                raise source.error(
                    f"{DAYS[day]} is in {taken[day]!r} and in {key!r}; name each day once",
                    *path,
                    key,
                )
            taken[day] = key
            week[day] = tuple(_span(source, span, (*path, key)) for span in spans.split(","))
    return tuple(week)


def _days(source: YamlSource, key: str, path: tuple[Step, ...]) -> range:
    first, _, last = key.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise source.error(f"{key!r} is not a day; write mon, tue … or mon-fri", *path, key)
    begin, end = DAYS.index(first), DAYS.index(last or first)
    if end < begin:
        raise source.error(f"{key!r} runs backwards; weeks begin with mon", *path, key)
    return range(begin, end + 1)


def _span(source: YamlSource, span: str, path: tuple[Step, ...]) -> Minutes:
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise source.error(f"{span.strip()!r} is not a span of hours like 08:00-20:00", *path)
    hour, minute, end_hour, end_minute = map(int, found.groups())
    begin, end = hour * HOUR_MINUTES + minute, end_hour * HOUR_MINUTES + end_minute
    if not begin < end <= DAY_MINUTES or max(minute, end_minute) >= HOUR_MINUTES:
        raise source.error(
            f"{span.strip()!r} does not lie within one day; split it at 24:00", *path
        )
    return begin, end
