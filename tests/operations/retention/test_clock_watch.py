"""A clock that goes ahead destroys nothing, on both databases, until a person says it is right."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from earshot.database import db
from earshot.database.tables import EventRow, SourceHealthRow
from earshot.items.events import EventKind
from earshot.items.lifecycle import record
from earshot.runtime.metrics import Metrics
from operations.retention import clock_watch
from operations.retention.clock_watch import (
    JUMP,
    LOOK_EVERY_S,
    QUIET,
    ClockWatch,
    Seen,
    doubt,
    is_back,
)
from tests.builders import NOON, ManualClock
from tests.exposition import told

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(autouse=True)
def _a_source(sessions: db.Sessions) -> None:
    with sessions.begin() as session:
        session.add(SourceHealthRow(brand="acme", source="sim", platform="simulator", state="ok"))


def watch(sessions: db.Sessions, clock: ManualClock) -> ClockWatch:
    return ClockWatch(sessions, Metrics("maintain"), monotonic=clock.monotonic)


def run(watched: ClockWatch, clock: ManualClock, minutes: int = 3) -> str:
    """Look as the role does, for some minutes; what it says in the end."""
    said = watched.doubts(clock())
    for _ in range(minutes * 6):
        clock.advance(10)
        said = watched.doubts(clock())
    return said


def events(sessions: db.Sessions) -> list[tuple[str, str]]:
    with sessions.begin() as session:
        kinds = select(EventRow).where(EventRow.kind.startswith("purge."))
        return [(row.kind, row.actor) for row in session.scalars(kinds)]


def write_event(sessions: db.Sessions, at: datetime) -> None:
    with sessions.begin() as session:
        record(session, "acme", at, "role:route", EventKind.MENTION_NEW, [{}])


def test_a_clock_that_runs_is_believed_for_years_of_silence(
    sessions: db.Sessions, clock: ManualClock
) -> None:
    watched = watch(sessions, clock)
    for _ in range(30):
        assert run(watched, clock, 1) == ""
        clock.advance(QUIET.total_seconds() - 120)
    assert events(sessions) == []
    assert told(watched.metrics, "earshot_purge_held") == {"": 0}


@pytest.mark.parametrize("ahead", [timedelta(minutes=11), timedelta(hours=1), 400 * DAY])
def test_a_jump_ahead_is_doubted_at_once_and_for_long(
    sessions: db.Sessions, clock: ManualClock, ahead: timedelta
) -> None:
    watched = watch(sessions, clock)
    run(watched, clock)
    clock.jump(seconds=ahead.total_seconds())
    assert "went ahead by" in watched.doubts(clock())
    write_event(sessions, clock())  # the other roles go on with the wrong time
    assert "went ahead by" in run(watched, clock, 60)
    assert told(watched.metrics, "earshot_purge_held") == {"": 1}
    assert events(sessions) == [("purge.held", "role:maintain")]


@pytest.mark.parametrize("ahead", [timedelta(hours=1), 3 * DAY, 400 * DAY])
def test_a_restart_after_the_jump_does_not_forget_it(
    sessions: db.Sessions, clock: ManualClock, ahead: timedelta
) -> None:
    before = watch(sessions, clock)
    run(before, clock)
    clock.jump(seconds=ahead.total_seconds())
    assert before.doubts(clock())
    write_event(sessions, clock())
    after = watch(sessions, clock)
    assert run(after, clock)


@pytest.mark.parametrize("ahead", [3 * DAY, 400 * DAY])
def test_a_clock_that_is_set_back_by_a_part_is_not_yet_right(
    sessions: db.Sessions, clock: ManualClock, ahead: timedelta
) -> None:
    watched = watch(sessions, clock)
    run(watched, clock)
    clock.jump(seconds=ahead.total_seconds())
    assert watched.doubts(clock())
    clock.jump(minutes=-11)
    assert run(watched, clock)
    assert run(watch(sessions, clock), clock)


def test_a_jump_while_nothing_ran_is_doubted_although_others_write_first(
    sessions: db.Sessions, clock: ManualClock
) -> None:
    run(watch(sessions, clock), clock)
    clock.jump(days=400)
    write_event(sessions, clock())
    assert "400 days after the last that happened here" in run(watch(sessions, clock), clock)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), 3 * DAY, 400 * DAY])
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "after a restart"])
def test_a_clock_that_comes_back_is_believed_again(
    sessions: db.Sessions, clock: ManualClock, ahead: timedelta, *, restarted: bool
) -> None:
    watched = watch(sessions, clock)
    run(watched, clock)
    clock.jump(seconds=ahead.total_seconds())
    assert run(watched, clock)
    clock.jump(seconds=-ahead.total_seconds())
    assert run(watch(sessions, clock) if restarted else watched, clock) == ""


def test_a_person_who_confirms_ends_the_hold_in_every_process_and_it_stays_ended(
    sessions: db.Sessions, clock: ManualClock
) -> None:
    first, second = watch(sessions, clock), watch(sessions, clock)
    run(first, clock)
    run(second, clock)
    clock.jump(days=400)
    assert first.doubts(clock())
    assert second.doubts(clock())
    with sessions.begin() as session:
        assert clock_watch.standing(session, clock())
        clock_watch.confirm(session, clock(), "role:cli")
        assert clock_watch.standing(session, clock()) == ""
    assert run(first, clock) == run(second, clock) == run(watch(sessions, clock), clock) == ""
    assert ("purge.confirmed", "role:cli") in events(sessions)
    clock.jump(hours=1)
    assert first.doubts(clock())  # and the next jump is seen


@pytest.mark.parametrize(("ago", "doubted"), [(QUIET - MINUTE, False), (QUIET + MINUTE, True)])
def test_at_the_very_first_start_the_newest_event_is_the_last_sign(
    sessions: db.Sessions, clock: ManualClock, ago: timedelta, *, doubted: bool
) -> None:
    write_event(sessions, clock() - ago)
    assert bool(watch(sessions, clock).doubts(clock())) is doubted


def test_a_machine_that_starts_in_the_past_and_is_set_right_is_believed(
    sessions: db.Sessions, clock: ManualClock
) -> None:
    run(watch(sessions, clock), clock)
    clock.jump(days=-9_000)
    watched = watch(sessions, clock)
    assert run(watched, clock) == ""
    clock.jump(days=9_000)
    assert run(watched, clock) == ""


def test_it_looks_into_the_database_once_a_minute(
    sessions: db.Sessions, clock: ManualClock
) -> None:
    watched = watch(sessions, clock)
    watched.doubts(clock())
    with sessions.begin() as session:
        clock_watch.hold(session, clock(), "another process saw it go", "role:sweep")
    clock.advance(LOOK_EVERY_S - 1)
    assert watched.doubts(clock()) == ""
    clock.advance(1)
    assert watched.doubts(clock()) == "another process saw it go"


spans = st.timedeltas(timedelta(0), timedelta(days=4_000))


@given(spans, spans)
def test_what_is_doubted_at_a_time_is_doubted_at_each_later_one(
    first: timedelta, more: timedelta
) -> None:
    if doubt(NOON + first, timedelta(0), NOON):
        assert doubt(NOON + first + more, timedelta(0), NOON)
    if doubt(NOON, first, NOON):
        assert doubt(NOON, first + more, NOON)


@given(spans, spans)
def test_a_doubted_clock_that_only_goes_on_is_never_back(ahead: timedelta, on: timedelta) -> None:
    seen = Seen(trusted_at=NOON, held_at=NOON + ahead, reason="it jumped")
    assert not is_back(NOON + ahead + on, None, seen)
    assert is_back(NOON + ahead + on, JUMP, seen)
