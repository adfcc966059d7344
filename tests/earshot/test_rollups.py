"""Numbers kept beside the stream: each thing counted once, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from earshot import db, rollups
from earshot.histogram import ZERO_BUCKET, bucket
from earshot.rollups import ClosedClock, close_clock
from earshot.tables import BacklogRow, ClockRow, ResponseRow, VolumeRow
from tests.builders import NOON
from tests.rows import add_item, an_item, database


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database(database_url)
    with db.open_sessions(made).begin() as session:
        add_item(session, an_item())
    yield made
    made.dispose()


CLOCK = ClosedClock(
    brand="acme",
    item_id=an_item().id,
    metric="first",
    team="care",
    topic="checkout",
    platform="simulator",
    started_at=NOON,
    due_at=NOON + timedelta(minutes=30),
    stopped_at=NOON + timedelta(minutes=10),
)


def test_a_clock_is_counted_once_however_often_it_is_closed(engine: Engine) -> None:
    for expected in (True, False, False):
        with db.open_sessions(engine).begin() as session:
            later = replace(CLOCK, stopped_at=NOON + timedelta(hours=3))
            assert close_clock(session, CLOCK if expected else later) is expected
    with db.open_sessions(engine).begin() as session:
        (row,) = session.scalars(select(ResponseRow))
        (line,) = session.scalars(select(ClockRow))
    assert (row.day, row.bucket, row.met, row.n) == ("2026-03-02", bucket(600), True, 1)
    assert (line.bucket, line.stopped_at) == (row.bucket, CLOCK.stopped_at)


def test_equal_clocks_of_different_starts_add_up(engine: Engine) -> None:
    for minute in range(3):
        moved = timedelta(minutes=minute)
        clock = replace(
            CLOCK,
            started_at=CLOCK.started_at + moved,
            stopped_at=CLOCK.stopped_at + moved,
        )
        with db.open_sessions(engine).begin() as session:
            assert close_clock(session, clock)
    with db.open_sessions(engine).begin() as session:
        assert session.scalar(select(ResponseRow.n)) == 3
        assert session.scalar(select(func.count()).select_from(ClockRow)) == 3


@pytest.mark.parametrize(
    ("stopped_s", "due_s", "met"),
    [(600, 600, True), (601, 600, False), (9_999, None, True), (-5, 600, True)],
)
def test_a_promise_is_kept_until_its_last_moment(
    engine: Engine, *, stopped_s: int, due_s: int | None, met: bool
) -> None:
    clock = replace(
        CLOCK,
        stopped_at=NOON + timedelta(seconds=stopped_s),
        due_at=None if due_s is None else NOON + timedelta(seconds=due_s),
    )
    with db.open_sessions(engine).begin() as session:
        close_clock(session, clock)
        row = session.scalars(select(ResponseRow)).one()
    assert row.met is met
    assert row.bucket == (bucket(stopped_s) if stopped_s > 0 else ZERO_BUCKET)


def test_volume_adds_up(engine: Engine) -> None:
    key, other = ("acme", 1, "sim", "checkout", "negative"), ("acme", 2, "sim", "", "neutral")
    for _ in range(3):
        with db.open_sessions(engine).begin() as session:
            rollups.count_volume(session, {key: 2, other: 1})
    with db.open_sessions(engine).begin() as session:
        rows = session.execute(select(VolumeRow.hour, VolumeRow.n).order_by(VolumeRow.hour))
        assert [tuple(row) for row in rows] == [(1, 6), (2, 3)]


def test_a_backlog_count_that_reaches_zero_is_gone(engine: Engine) -> None:
    key = ("acme", "new", "care", "negative", 0, 5)
    with db.open_sessions(engine).begin() as session:
        before = session.scalar(select(func.count()).select_from(BacklogRow))
        rollups.count_backlog(session, {key: 2})
        rollups.count_backlog(session, {key: -1})
        assert session.scalar(select(BacklogRow.n).where(BacklogRow.slot == 5)) == 1
        rollups.count_backlog(session, {key: -1})
        assert session.scalar(select(func.count()).select_from(BacklogRow)) == before
