"""Numbers kept beside the stream: each thing counted once, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from earshot.database import db
from earshot.database.tables import BacklogRow, ClockRow, ResponseRow, VolumeRow
from earshot.items import rollups
from earshot.items.histogram import ZERO_BUCKET, bucket
from earshot.items.rollups import ClosedClock, VolumeKey, close_clock
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
    with db.open_sessions(engine).begin() as session:
        row = session.scalars(select(ResponseRow)).one()
    assert row.met is met
    assert row.bucket == (bucket(stopped_s) if stopped_s > 0 else ZERO_BUCKET)


def test_history_is_neither_kept_nor_missed(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        assert not close_clock(session, replace(CLOCK, due_at=None, history=True))
    with db.open_sessions(engine).begin() as session:
        assert session.scalar(select(func.count()).select_from(ResponseRow)) == 0
        assert session.scalar(select(func.count()).select_from(ClockRow)) == 0


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
    with db.open_sessions(engine).begin() as session:
        assert session.scalar(select(BacklogRow.n).where(BacklogRow.slot == 5)) == 1
        rollups.count_backlog(session, {key: -1})
    with db.open_sessions(engine).begin() as session:
        assert session.scalar(select(func.count()).select_from(BacklogRow)) == before


def test_what_a_savepoint_or_a_transaction_takes_back_is_not_counted(engine: Engine) -> None:
    kept, undone = ("acme", 1, "sim", "a", "neutral"), ("acme", 1, "sim", "b", "neutral")
    sessions = db.open_sessions(engine)
    with sessions.begin() as session:
        rollups.count_volume(session, {kept: 1})
        savepoint = session.begin_nested()
        rollups.count_volume(session, {undone: 1})
        savepoint.rollback()
        with session.begin_nested():
            rollups.count_volume(session, {kept: 2})
    with sessions() as session:
        rollups.count_volume(session, {undone: 1})
        session.rollback()
        session.commit()
    with sessions.begin() as session:
        rows = session.scalars(select(VolumeRow)).all()
        assert [(row.topic, row.n) for row in rows] == [("a", 3)]


@pytest.mark.services
def test_transactions_that_count_in_opposite_order_do_not_wait_for_each_other(
    new_postgres_database: str,
) -> None:
    engine = database(new_postgres_database)
    keys = [("acme", 1, "sim", topic, "neutral") for topic in "ab"]
    both = threading.Barrier(2)

    def count(order: list[VolumeKey]) -> None:
        with db.open_sessions(engine).begin() as session:
            for key in order:
                rollups.count_volume(session, {key: 1})
                both.wait(30)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(count, order) for order in (keys, keys[::-1])]:
            done.result(60)
    with db.open_sessions(engine).begin() as session:
        assert session.scalars(select(VolumeRow.n)).all() == [2, 2]
    engine.dispose()
