"""The shell of upkeep: dead letters, trimming the log, retention. Any number may run at once.

Nothing here is in a mention's way: while nobody maintains, the log keeps what it has, dead letters
wait in their topics, and nothing is purged. When somebody does again, it goes on where it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.db import Sessions
from earshot.database.tables import MaintenanceRow
from earshot.log import dead_letters
from earshot.log.contract import Consumer, Log
from earshot.log.topics import TOPICS
from earshot.runtime.metrics import Metrics
from operations import dead_letter_store

TRIM_EVERY_S = 60.0

NOTE_EVERY_S = 60.0
"""How often it is noted in the database that somebody maintains."""

POLL_S = 0.1
"""How long each step listens for dead letters of a topic; a Kafka group needs time to form."""

_ONE = 1


def run(
    sessions: Sessions,
    messages: Log,
    *,
    metrics: Metrics,
    clock: Callable[[], datetime],
    stop: threading.Event,
    every_s: float,
    step_done: Callable[[], None],
    retention_s: float,
    purge: Callable[[datetime], None],
    doubts: Callable[[datetime], str],
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Do a step of upkeep every `every_s` seconds until `stop` is set.

    `retention_s` is how many seconds the log keeps what everybody has read; `purge` takes a little
    out of the database when it is time. While `doubts` says why the clock is not believed, nothing
    is purged or trimmed. Raises what the database or the log raises: whoever supervises the role
    starts it again.
    """
    trim_s = note_s = monotonic()
    with _consumers(messages) as consumers:
        producer = messages.producer()
        try:
            while not stop.is_set():
                now, began = clock(), monotonic()
                _store_dead_letters(messages, consumers, sessions, now)
                with sessions.begin() as session:
                    dead_letters.republish(session, producer, now)
                if not doubts(now):
                    if began >= trim_s:
                        trim_s = began + TRIM_EVERY_S
                        _trim(messages, retention_s)
                    purge(now)
                if began >= note_s:
                    note_s = began + NOTE_EVERY_S
                    with sessions.begin() as session:
                        note(session, now)
                metrics.observe("step_seconds", monotonic() - began)
                step_done()
                stop.wait(every_s)
        finally:
            producer.close()


@contextmanager
def _consumers(messages: Log) -> Iterator[Sequence[Consumer]]:
    consumers = [messages.consumer(topic.dead, dead_letter_store.GROUP) for topic in TOPICS]
    try:
        yield consumers
    finally:
        for consumer in consumers:
            consumer.close()


def _store_dead_letters(
    messages: Log, consumers: Sequence[Consumer], sessions: Sessions, now: datetime
) -> None:
    for consumer in consumers:
        while (
            dead_letter_store.store_step(messages, consumer, sessions, now, POLL_S)
            == dead_letter_store.AT_ONCE
        ):
            continue


def _trim(messages: Log, retention_s: float) -> None:
    for topic in TOPICS:
        messages.trim(topic.name, retention_s)
        messages.trim(topic.dead, retention_s)


def note(session: Session, now: datetime) -> None:
    """Write down that upkeep was done at `now`."""
    row = {"id": _ONE, "done_at": now}
    db.upsert(session, MaintenanceRow, [row], key=("id",), replace=("done_at",))


def last_done(session: Session) -> datetime | None:
    """When upkeep was last noted, in UTC; None: never."""
    return session.scalar(select(MaintenanceRow.done_at).where(MaintenanceRow.id == _ONE))
