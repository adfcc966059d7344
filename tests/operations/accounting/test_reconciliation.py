"""Reconciliation: what is in database and log, told as metrics, without holding anybody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event

from earshot.database import db
from earshot.database.tables import UNDERWAY, DeadLetterRow, MentionRow
from earshot.domain import ItemState, ReplyState
from earshot.log.contract import Log
from earshot.log.memory import MemoryLog
from earshot.log.spool.spool import Spool, messages_spooled
from earshot.log.topics import MENTIONS, TOPICS
from earshot.runtime.metrics import Metrics
from operations.accounting import reconciliation
from operations.accounting.reconciliation import Reconciliation
from tests.builders import NOON
from tests.exposition import told
from tests.operations.accounting.test_ledger import a_dead_letter, store, stored
from tests.rows import a_person, a_reply, an_item, database
from tests.system import wait_until


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database(database_url)
    yield made
    made.dispose()


@pytest.fixture
def log() -> Log:
    made = MemoryLog()
    made.create({name: 1 for topic in TOPICS for name in (topic.name, topic.dead)})
    return made


def a_reconciliation(engine: Engine, log: Log) -> Reconciliation:
    return Reconciliation(
        readers=db.open_readers(engine),
        log=log,
        brands=["acme", "zen"],
        metrics=Metrics("maintain"),
        clock=lambda: NOON,
        monotonic=time.monotonic,
    )


def test_an_empty_installation_tells_nothing_but_zeros(engine: Engine, log: Log) -> None:
    made = a_reconciliation(engine, log)
    made.look()
    made.reconcile()
    for name in ("items_open", "items_overdue"):
        assert told(made.metrics, f"earshot_{name}") == {"acme": 0, "zen": 0}
    for name in ("outbox_replies", "outbox_oldest_timestamp_seconds"):
        assert told(made.metrics, f"earshot_{name}") == dict.fromkeys(UNDERWAY, 0)
    assert told(made.metrics, "earshot_dead_letters_waiting") == {"mentions": 0, "classified": 0}
    assert told(made.metrics, "earshot_ledger_difference") == {"": 0}
    assert set(told(made.metrics, "earshot_log_lag").values()) == {0}
    for name in ("reconciliation", "ledger"):
        assert told(made.metrics, f"earshot_{name}_timestamp_seconds") == {"": NOON.timestamp()}


def test_what_waits_in_the_log_is_told_by_topic(engine: Engine, log: Log) -> None:
    producer = log.producer()
    for _ in range(3):
        producer.send(MENTIONS.name, b"k", b"v")
    producer.flush()
    made = a_reconciliation(engine, log)
    made.look()
    assert told(made.metrics, "earshot_log_lag")["mentions"] == 3


def test_replies_on_their_way_are_told_by_state_with_the_age_of_the_oldest(
    engine: Engine, log: Log
) -> None:
    hour = timedelta(hours=1)
    states = (ReplyState.UNKNOWN, ReplyState.UNKNOWN, ReplyState.QUEUED, ReplyState.CONFIRMED)
    items = [an_item(f"simulator:{n}") for n in range(len(states))]
    store(engine, a_person(), *items)
    replies = [
        a_reply(n, str(n), state=state, queued_at=NOON - n * hour) for n, state in enumerate(states)
    ]
    store(engine, *replies)
    made = a_reconciliation(engine, log)
    made.look()
    n = {"queued": 1, "sending": 0, "sent": 0, "unknown": 2}
    since = {"queued": (NOON - 2 * hour).timestamp(), "unknown": (NOON - hour).timestamp()}
    assert told(made.metrics, "earshot_outbox_replies") == n
    oldest = told(made.metrics, "earshot_outbox_oldest_timestamp_seconds")
    assert oldest == {"sending": 0, "sent": 0} | since


def test_open_and_overdue_items_are_told_by_brand(engine: Engine, log: Log) -> None:
    late, soon = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)
    store(
        engine,
        an_item("simulator:1", state=ItemState.QUEUED, due_at=late),
        an_item("simulator:2", state=ItemState.QUEUED, due_at=soon),
        an_item("simulator:3", state=ItemState.CLOSED, due_at=late),
        an_item("simulator:1", "zen", state=ItemState.NEW, due_at=None),
    )
    made = a_reconciliation(engine, log)
    made.look()
    assert told(made.metrics, "earshot_items_open") == {"acme": 2, "zen": 1}
    assert told(made.metrics, "earshot_items_overdue") == {"acme": 1, "zen": 0}


def test_only_dead_letters_that_wait_for_a_person_are_told(engine: Engine, log: Log) -> None:
    states = ("waiting", "waiting", "retried", "dropped")
    store(engine, *(a_dead_letter(str(n), state=state) for n, state in enumerate(states)))
    made = a_reconciliation(engine, log)
    made.look()
    assert told(made.metrics, "earshot_dead_letters_waiting") == {"mentions": 2, "classified": 0}
    with db.open_sessions(engine).begin() as session:
        session.execute(delete(DeadLetterRow))
    made.look()
    assert told(made.metrics, "earshot_dead_letters_waiting")["mentions"] == 0


def test_a_mention_that_is_nowhere_is_a_difference(engine: Engine, log: Log) -> None:
    store(engine, *stored("1", ItemState.QUEUED), *stored("2", ItemState.QUEUED))
    with db.open_sessions(engine).begin() as session:
        session.execute(delete(MentionRow).where(MentionRow.id == "simulator:2"))
    made = a_reconciliation(engine, log)
    made.reconcile()
    assert told(made.metrics, "earshot_ledger_difference") == {"": 1}
    producer = log.producer()
    producer.send(MENTIONS.name, b"k", b"v")
    producer.flush()
    made.reconcile()
    assert told(made.metrics, "earshot_ledger_difference") == {"": 0}


def test_a_mention_that_waits_in_a_spool_is_no_difference(
    engine: Engine, log: Log, tmp_path: Path
) -> None:
    store(engine, *stored("1", ItemState.QUEUED))
    with db.open_sessions(engine).begin() as session:
        session.execute(delete(MentionRow))
    spool = Spool(tmp_path / "all.spool")
    spool.append([(MENTIONS.name, b"k", b"v", None)])
    made = replace(a_reconciliation(engine, log), spooled=lambda: messages_spooled(tmp_path))
    made.reconcile()
    assert told(made.metrics, "earshot_ledger_difference") == {"": 0}
    spool.drop(1)
    made.reconcile()
    assert told(made.metrics, "earshot_ledger_difference") == {"": 1}
    spool.close()


def test_replies_are_counted_within_the_index_of_the_outbox(tmp_path: Path) -> None:
    engine = database(f"sqlite:///{tmp_path}/e.db")
    plans: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(connection: Any, _: Any, statement: str, parameters: Any, *more: object) -> None:
        plan = connection.connection.execute(f"explain query plan {statement}", parameters)
        plans.extend(row[3] for row in plan)

    with db.open_readers(engine).begin() as session:
        reconciliation.outbox(session)
    assert any("ix_reply_outbox" in plan for plan in plans), plans


def test_a_database_that_is_away_leaves_the_last_survey_standing(
    database_url: str, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    engine = database(database_url)
    made = a_reconciliation(engine, log)
    made.look()
    with engine.begin() as connection:
        connection.exec_driver_sql("drop table backlog")
    stop = threading.Event()
    thread = made.start(stop)
    wait_until(lambda: "reconciliation failed" in caplog.text, 60, "told in the log")
    stop.set()
    thread.join()
    assert told(made.metrics, "earshot_reconciliation_timestamp_seconds") == {"": NOON.timestamp()}
    assert told(made.metrics, "earshot_ledger_timestamp_seconds") == {}
    engine.dispose()


def test_the_survey_ends_when_its_role_does(engine: Engine, log: Log) -> None:
    made, stop = a_reconciliation(engine, log), threading.Event()
    thread = made.start(stop)
    wait_until(lambda: told(made.metrics, "earshot_ledger_difference"), 60, "reckoned")
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
