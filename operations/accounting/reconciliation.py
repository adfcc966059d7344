"""Reconciliation: what is in the database and the log, told as metrics by one role for all.

Each role counts what it does itself; how much waits, and since when, only the whole can say.
The questions are cheap (indexes and roll-ups) and asked in a thread beside the role's own
work, in reading transactions that hold nobody up. The ledger costs more, so it rests in
proportion to what it took.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from earshot.database.db import Sessions
from earshot.database.tables import (
    IS_UNDERWAY,
    UNDERWAY,
    BacklogRow,
    DeadLetterRow,
    ItemRow,
    ReplyRow,
)
from earshot.items.lifecycle import OPEN
from earshot.log.contract import Log, LogError
from earshot.log.dead_letters import Letter
from earshot.log.topics import TOPICS
from earshot.runtime.metrics import Metrics
from operations.accounting import ledger

logger = logging.getLogger(__name__)

EVERY_S = 15.0
LEDGER_EVERY_S = 300.0
LEDGER_REST = 50.0
"""The ledger rests this many times as long as it took: it never uses more than 2 % of a core."""

OVERDUE_LIMIT = 10_000
"""Beyond so many the exact number helps nobody, and counting would cost."""

JOIN_S = 2.0


@dataclass(frozen=True)
class Reconciliation:
    """Asks `readers` and `log` about `brands` and sets `metrics`.

    `spooled` counts what waits on this machine's disk for the log: collected, and not lost.
    """

    readers: Sessions
    log: Log
    brands: Sequence[str]
    metrics: Metrics
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    spooled: Callable[[], int] = lambda: 0

    def start(self, stop: threading.Event) -> threading.Thread:
        """Reconciliation in a thread of its own until `stop` is set."""
        thread = threading.Thread(target=self.run, args=(stop,), name="reconciliation", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        """Look every 15 seconds, and reconcile when the ledger has rested, until `stop` is set."""
        due = self.monotonic()
        while not stop.is_set():
            try:
                self.look()
                if self.monotonic() >= due:
                    began = self.monotonic()
                    self.reconcile()
                    took = self.monotonic() - began
                    due = self.monotonic() + max(LEDGER_EVERY_S, LEDGER_REST * took)
            except (SQLAlchemyError, LogError) as error:
                # the role itself will meet the same; what was told grows old, which is an alert
                logger.warning("reconciliation failed", extra={"reason": type(error).__name__})
            stop.wait(EVERY_S)

    def look(self) -> None:
        """Ask everything but the ledger. Raises what the database or the log raises."""
        now = self.clock()
        for topic, group in ledger.PATH:
            self.metrics.set("log_lag", self.log.lag(topic, group), topic=topic)
        with self.readers.begin() as session:
            for state, (n, since) in outbox(session).items():
                self.metrics.set("outbox_replies", n, state=state)
                at = since.timestamp() if since else 0.0
                self.metrics.set("outbox_oldest_timestamp_seconds", at, state=state)
            for topic, n in dead_letters(session).items():
                self.metrics.set("dead_letters_waiting", n, topic=topic)
            for brand in self.brands:
                self.metrics.set("items_open", open_items(session, brand), brand=brand)
                self.metrics.set("items_overdue", overdue_items(session, brand, now), brand=brand)
        self.metrics.set("reconciliation_timestamp_seconds", now.timestamp())

    def reconcile(self) -> None:
        """Draw up the ledger of yesterday and today. Raises what the database or log raises."""
        now = self.clock()
        since = (now - timedelta(days=1)).date().isoformat()
        with self.readers.begin() as session:
            lost = ledger.difference(
                session, lambda: ledger.in_flight(self.log) + self.spooled(), since
            )
        self.metrics.set("ledger_difference", lost)
        self.metrics.set("ledger_timestamp_seconds", now.timestamp())


def outbox(session: Session) -> Mapping[str, tuple[int, datetime | None]]:
    """Of each state of a reply on its way: how many there are, and when the oldest was queued."""
    rows = session.execute(
        select(ReplyRow.state, func.count(), func.min(ReplyRow.queued_at))
        .where(IS_UNDERWAY)
        .group_by(ReplyRow.state)
    )
    found: dict[str, tuple[int, datetime | None]] = {str(state): (0, None) for state in UNDERWAY}
    return found | {str(state): (n, since) for state, n, since in rows}


def dead_letters(session: Session) -> Mapping[str, int]:
    """How many dead letters of each topic wait for a person."""
    rows = session.execute(
        select(DeadLetterRow.topic, func.count().label("n"))
        .where(DeadLetterRow.state == Letter.WAITING)
        .group_by(DeadLetterRow.topic)
    )
    return {topic.name: 0 for topic in TOPICS} | {row.topic: row.n for row in rows}


def open_items(session: Session, brand: str) -> int:
    """How many items of the brand are open, from the roll-up."""
    n = session.scalar(
        select(func.sum(BacklogRow.n)).where(BacklogRow.brand == brand, BacklogRow.state.in_(OPEN))
    )
    return int(n or 0)


def overdue_items(session: Session, brand: str, now: datetime) -> int:
    """How many open items of the brand are over due, up to `OVERDUE_LIMIT`."""
    found = (
        select(ItemRow.id)
        .where(ItemRow.brand == brand, ItemRow.state.in_(sorted(OPEN)), ItemRow.due_at < now)
        .limit(OVERDUE_LIMIT)
    )
    return session.scalar(select(func.count()).select_from(found.subquery())) or 0
