"""The clock that all roles share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from earshot.database import db
from earshot.time.clock import ASK_EVERY_S, ServerClock, shared_clock
from tests.builders import NOON
from tests.services.ports import free_ports

WRONG = NOON - timedelta(days=9_000)


def test_on_one_machine_the_machines_clock_is_everybodys() -> None:
    engine = db.connect("sqlite://")
    assert shared_clock(engine, lambda: WRONG)() == WRONG
    engine.dispose()


@pytest.mark.services
def test_on_a_server_its_clock_counts_whatever_the_machine_believes(
    new_postgres_database: str,
) -> None:
    engine = db.connect(new_postgres_database)
    before = datetime.now(UTC)
    told = shared_clock(engine, lambda: WRONG)()
    assert told.utcoffset() == timedelta(0)
    # the server of the tests is on this machine
    assert before - timedelta(seconds=1) < told < datetime.now(UTC) + timedelta(seconds=1)
    engine.dispose()


@pytest.mark.services
def test_between_two_questions_seconds_are_counted_here_also_while_the_server_is_away(
    new_postgres_database: str,
) -> None:
    engine = db.connect(new_postgres_database)
    seconds = [1_000.0]
    clock = ServerClock(engine, lambda: seconds[0])
    first = clock()
    seconds[0] += ASK_EVERY_S / 2
    assert clock() - first == timedelta(seconds=ASK_EVERY_S / 2)
    clock._engine = create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{free_ports(1)[0]}/none")
    seconds[0] += 10 * ASK_EVERY_S
    assert clock() - first == timedelta(seconds=10.5 * ASK_EVERY_S)
    clock._engine = engine
    seconds[0] += ASK_EVERY_S + 1
    assert clock() - first < timedelta(seconds=10 * ASK_EVERY_S)  # the server was asked again
    engine.dispose()


def test_a_server_that_never_answered_gives_no_time() -> None:
    nobody = create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{free_ports(1)[0]}/none")
    with pytest.raises(DBAPIError):
        ServerClock(nobody)()
