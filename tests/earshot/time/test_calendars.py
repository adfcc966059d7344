"""Calendars from YAML: what is read, and what is refused with its line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from earshot import yaml_source
from earshot.time import calendars
from earshot.time.calendars import CalendarPart
from earshot.time.hours import Calendar, elapsed
from earshot.yaml_source import OperatorError


def read(text: str) -> dict[str, Calendar]:
    source = yaml_source.parse(text, "routing.yaml")
    return calendars.build(source, source.convert(dict[str, CalendarPart]), "Europe/Madrid")


def test_days_spans_holidays_and_changes_are_read() -> None:
    office = read(
        """
        office:
          zone: Atlantic/Canary
          hours: {mon-fri: "08:00-14:00, 16:00-20:00", sat: "10:00-14:00"}
          holidays: [ES-CN]
          closed: [2026-06-10]
          changes:
            - {from: 2027-01-01, hours: {mon: "09:00-10:00"}}
        """
    )["office"]
    assert office.zone == "Atlantic/Canary"
    tuesday, closed, next_year = date(2026, 6, 9), date(2026, 6, 10), date(2027, 2, 1)
    assert [(b - a).seconds // 3600 for a, b in office.open_on(tuesday)] == [6, 4]
    assert office.open_on(tuesday)[0][0] == datetime(2026, 6, 9, 7, tzinfo=UTC)
    assert office.open_on(closed) == ()
    assert office.open_on(date(2026, 5, 30)) == ()  # the day of the Canary Islands, a Saturday
    assert len(office.open_on(next_year)) == 1
    assert office.open_on(date(2027, 2, 2)) == ()


def test_the_zone_of_the_policy_is_the_default() -> None:
    always = read('always: {hours: {mon-sun: "00:00-24:00"}}')["always"]
    assert always.zone == "Europe/Madrid"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert elapsed(always, start, start + timedelta(days=3)) == timedelta(days=3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('a:\n  hours: {mo: "08:00-20:00"}', r"line 2, a\.hours\.mo: 'mo' is not a day"),
        ('a:\n  hours: {fri-mon: "08:00-20:00"}', "line 2.*'fri-mon' runs backwards"),
        ('a:\n  hours:\n    mon: "8-20"', r"line 3.*'8-20' is not a span of hours"),
        ('a:\n  hours: {mon: "20:00-08:00"}', "does not lie within one day"),
        ('a:\n  hours: {mon: "08:00-24:30"}', "does not lie within one day"),
        ('a:\n  hours: {mon: "08:00-09:70"}', "does not lie within one day"),
        ('a:\n  hours: {mon: "08:00-12:00, 11:00-13:00"}', "line 2.*without overlap"),
        ('a:\n  hours: {mon-fri: "08:00-12:00", wed: "08:00-09:00"}', "wed is in 'mon-fri' and"),
        ("a:\n  hours: {}", "open at some time"),
        ('a:\n  zone: Madrid\n  hours: {mon: "08:00-20:00"}', "line 2, a.zone: 'Madrid' is not a"),
        ('a:\n  hours: {mon: "08:00-20:00"}\n  holidays: [XX]', "line 3, a.holidays: no public"),
        ('a:\n  hours: {mon: "08:00-20:00"}\n  holiday: [ES]', "line.*unknown field `holiday`"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(OperatorError, match=complaint):
        read(text)
