"""Badges of deadlines: a countdown within a day, a time beyond it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dashboard.frame.deadlines import Badge, badge, time_pattern

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY_S = 86_400


def due_in(seconds: int) -> Badge:
    found = badge(NOON + timedelta(seconds=seconds), 3600, NOON)
    assert found is not None
    return found


@given(st.integers(-30 * DAY_S, 30 * DAY_S))
def test_a_deadline_is_far_from_a_day_on_and_never_when_it_has_passed(left_s: int) -> None:
    assert due_in(left_s).far == (left_s >= DAY_S)


@given(st.integers(DAY_S, 6 * DAY_S - 1))
def test_a_weekday_alone_never_names_the_day_of_the_reader(left_s: int) -> None:
    assert time_pattern(left_s) == "EEE HH:mm"
    later = NOON + timedelta(seconds=left_s)
    assert later.weekday() != NOON.weekday()


def test_a_deadline_of_next_week_has_a_date() -> None:
    assert time_pattern(6 * DAY_S) == "d MMM HH:mm"


def test_an_item_without_a_deadline_has_no_badge() -> None:
    assert badge(None, 3600, NOON) is None
