"""Guessing is slowed alike by however many desks, and what is kept of it stays small."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from dashboard.accounts.login_backoff import (
    BACKOFFS,
    FORGET,
    ONE_AT_ONE,
    Failures,
    Kind,
    Place,
    places,
    wait,
)
from dashboard.accounts.throttle import Throttle
from earshot.database import db
from earshot.database.tables import SignInFailureRow, Table
from tests.builders import NOON

BOB = "bob@acme.example"
ELSEWHERE = "203.0.113.7"


def a_throttle(engine: Engine, **sizes: int) -> Throttle:
    return Throttle(db.open_sessions(engine), db.open_readers(engine), **sizes)


@contextmanager
def in_memory() -> Iterator[Throttle]:
    engine = db.connect("sqlite:///:memory:")
    Table.metadata.create_all(engine, tables=[Table.metadata.tables["sign_in_failure"]])
    try:
        yield a_throttle(engine)
    finally:
        engine.dispose()


@pytest.fixture
def open_engine(database_url: str) -> Iterator[Callable[[], Engine]]:
    """Engines on one new database, one for each desk."""
    made: list[Engine] = []

    def one() -> Engine:
        made.append(db.connect(database_url, pool_size=16))
        return made[-1]

    Table.metadata.create_all(one())
    yield one
    for engine in made:
        engine.dispose()


def test_guessing_gets_slower_and_is_forgiven_by_success_and_time() -> None:
    now, waits = NOON, []
    with in_memory() as throttle:
        for _ in range(ONE_AT_ONE.free + 12):
            waits.append(throttle.attempt("ip", "bob", now))
            now += waits[-1]
            if waits[-1]:
                assert throttle.attempt("ip", "bob", now) == timedelta(0)
        assert waits[: ONE_AT_ONE.free] == [timedelta(0)] * ONE_AT_ONE.free
        assert waits[ONE_AT_ONE.free :][:3] == [timedelta(seconds=s) for s in (2, 4, 8)]
        assert max(waits) == ONE_AT_ONE.longest
        assert throttle.attempt("ip", "alice", now) == timedelta(0)
        assert throttle.attempt("ip", "bob", now + timedelta(hours=2)) == timedelta(0)
        throttle.succeeded("ip", "bob")
        assert throttle.attempt("ip", "bob", now) == timedelta(0)


class Reckoning:
    """The same by the rules alone, in a dictionary."""

    def __init__(self) -> None:
        self.failures: dict[Place, Failures] = {}

    def attempt(self, address: str, account: str, now: datetime) -> timedelta:
        here = places(address, account)
        left = max(wait(self.failures.get(p), BACKOFFS[p.kind], now) for p in here)
        for place in here if not left else ():
            before = self.failures.get(place)
            again = before is not None and now - before.last <= FORGET
            self.failures[place] = Failures(before.count + 1 if before and again else 1, now)
        return left

    def succeeded(self, address: str, account: str) -> None:
        for place in places(address, account):
            before = self.failures.pop(place, None)
            if before and place.kind is Kind.ADDRESS:
                self.failures[place] = Failures(max(0, before.count - 1), before.last)


Step = tuple[str, str, int, bool]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["203.0.113.1", "203.0.113.2", "127.0.0.1"]),
            st.sampled_from(["bob", "alice"]),
            st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 8, 60, 900, 3_600, 3_601]),
            st.sampled_from([False] * 9 + [True]),
        ),
        max_size=60,
    )
)
def test_what_is_counted_in_the_database_is_what_the_rules_say(steps: list[Step]) -> None:
    reckoning, now = Reckoning(), NOON
    with in_memory() as throttle:
        for address, account, seconds, right in steps:
            now += timedelta(seconds=seconds)
            left = throttle.attempt(address, account, now)
            assert left == reckoning.attempt(address, account, now)
            if right and not left:
                throttle.succeeded(address, account)
                reckoning.succeeded(address, account)


def test_two_desks_at_once_let_through_no_more_guesses_than_one(
    open_engine: Callable[[], Engine],
) -> None:
    desks = [a_throttle(open_engine()), a_throttle(open_engine())]
    together = threading.Barrier(16)

    def guess(number: int) -> timedelta:
        together.wait(30)
        return desks[number % 2].attempt(ELSEWHERE, BOB, NOON)

    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(guess, range(16)))
    assert waits.count(timedelta(0)) == ONE_AT_ONE.free
    assert max(waits) == timedelta(seconds=2)


def test_attempts_and_successes_at_the_same_places_do_not_stand_in_each_other_s_way(
    open_engine: Callable[[], Engine],
) -> None:
    desks = [a_throttle(open_engine(), kept=3, every=2), a_throttle(open_engine(), every=1)]

    def come_and_go(number: int) -> int:
        desk, let_through = desks[number % 2], 0
        for turn in range(12):
            address, account = f"203.0.113.{(number + turn) % 3}", f"n{turn % 4}"
            if not desk.attempt(address, account, NOON + timedelta(seconds=turn)):
                desk.succeeded(address, account)
                let_through += 1
        return let_through

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(come_and_go, range(8))) > 0


def test_a_restart_forgets_nothing(open_engine: Callable[[], Engine]) -> None:
    for _ in range(ONE_AT_ONE.free):
        assert not a_throttle(open_engine()).attempt(ELSEWHERE, BOB, NOON)
    assert a_throttle(open_engine()).attempt(ELSEWHERE, BOB, NOON) == timedelta(seconds=2)


def test_who_has_to_wait_writes_nothing(open_engine: Callable[[], Engine]) -> None:
    engine = open_engine()
    for _ in range(ONE_AT_ONE.free):
        a_throttle(engine).attempt(ELSEWHERE, BOB, NOON)
    readers = db.open_readers(engine)
    assert Throttle(None, readers).attempt(ELSEWHERE, BOB, NOON)  # type: ignore[arg-type]  # nothing to write with


def kept(engine: Engine) -> dict[str, int]:
    with db.open_readers(engine).begin() as session:
        rows = session.execute(
            select(SignInFailureRow.kind, func.count().label("n")).group_by(SignInFailureRow.kind)
        )
        return {row.kind: row.n for row in rows}


def test_a_flood_from_many_addresses_at_many_accounts_keeps_the_newest_few(
    open_engine: Callable[[], Engine],
) -> None:
    engine = open_engine()
    throttle = a_throttle(engine, kept=10, every=5)
    for number in range(60):
        at = NOON + timedelta(seconds=number)
        throttle.attempt(f"203.0.113.{number}", f"n{number}@x", at)
        assert all(n <= 10 + 5 for n in kept(engine).values())
    for _ in range(ONE_AT_ONE.free - 1):
        throttle.attempt("203.0.113.59", "n59@x", at)
    assert throttle.attempt("203.0.113.59", "n59@x", at) > timedelta(0)


def test_what_is_older_than_an_hour_goes(open_engine: Callable[[], Engine]) -> None:
    engine = open_engine()
    throttle = a_throttle(engine, every=1)
    throttle.attempt(ELSEWHERE, BOB, NOON)
    throttle.attempt(ELSEWHERE, "alice", NOON + FORGET)
    assert kept(engine) == {"address": 1, "account": 2, "pair": 2}
    throttle.attempt(ELSEWHERE, "alice", NOON + FORGET + timedelta(seconds=1))
    assert kept(engine) == {"address": 1, "account": 1, "pair": 1}


@pytest.mark.parametrize("account", ["", "x" * 254, "nul \x00", "half a pair \ud800", BOB])
def test_whatever_was_typed_is_kept_as_a_hash(
    open_engine: Callable[[], Engine], account: str
) -> None:
    engine = open_engine()
    a_throttle(engine).attempt("no address", account, NOON)
    with db.open_readers(engine).begin() as session:
        found = session.scalars(select(SignInFailureRow.place_hash)).all()
    assert [len(each) for each in found] == [64] * 3
