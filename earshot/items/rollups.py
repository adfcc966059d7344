"""The numbers that pages read: counts and histograms, kept by the transaction they describe.

Many transactions add to the same few rows. So each keeps what it has to add until it commits,
and adds it then, in one order for all: nobody waits for another with such a row in its hands,
writers can't deadlock, and a row is held only for the length of a commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, event
from sqlalchemy.orm import Session, SessionTransaction

from earshot.database import db
from earshot.database.tables import BacklogRow, ClockRow, ResponseRow, VolumeRow
from earshot.items.histogram import bucket

BacklogKey = tuple[Any, ...]
"""(brand, state, team, sentiment, flags, slot)"""

VolumeKey = tuple[str, int, str, str, str]
"""(brand, hour since 1970, source, topic, sentiment)"""

_KEYS: Mapping[type[BacklogRow | VolumeRow | ResponseRow], tuple[str, ...]] = {
    BacklogRow: ("brand", "state", "team", "sentiment", "flags", "slot"),
    VolumeRow: ("brand", "hour", "source", "topic", "sentiment"),
    ResponseRow: ("brand", "day", "metric", "team", "topic", "platform", "bucket", "met"),
}
"""The tables of counts, in the order in which they are written, and their keys."""

_PENDING = "rollups.pending"
_MARKS = "rollups.marks"


def count_backlog(session: Session, deltas: Mapping[BacklogKey, int]) -> None:
    """Add `deltas` to the backlog's counts when the transaction commits."""
    _later(session, BacklogRow, deltas)


def count_volume(session: Session, deltas: Mapping[VolumeKey, int]) -> None:
    """Add `deltas` to the counts of arrived mentions when the transaction commits."""
    _later(session, VolumeRow, deltas)


def count(
    session: Session, *, volume: Mapping[VolumeKey, int], backlog: Mapping[BacklogKey, int]
) -> None:
    """Add both, as `count_volume` and `count_backlog`."""
    _later(session, VolumeRow, volume)
    _later(session, BacklogRow, backlog)


def _later(session: Session, table: type[Any], deltas: Mapping[Any, int]) -> None:
    if not session.in_transaction():
        session.begin()  # counting is a part of it: a rollback takes it back
    pending = session.info.setdefault(_PENDING, [])
    pending.extend((table, key, n) for key, n in deltas.items())


@event.listens_for(Session, "before_commit")
def _commit(session: Session) -> None:
    if not session.in_nested_transaction():  # the release of a savepoint is no commit yet
        write(session)


def write(session: Session) -> None:
    """Add what was counted so far. A commit does it; only who reads counts before it must."""
    session.info.pop(_MARKS, None)
    if not session.info.get(_PENDING):
        return
    session.flush()
    sums: dict[type[Any], Counter[Any]] = {table: Counter() for table in _KEYS}
    for table, key, n in session.info.pop(_PENDING):
        sums[table][key] += n
    db.add_counts(session, [(table, _KEYS[table], counts) for table, counts in sums.items()])
    _remove_empty(session, sums[BacklogRow])


def _remove_empty(session: Session, counts: Mapping[BacklogKey, int]) -> None:
    """Slots pass for ever: a count that came to nothing must not stay."""
    for key in sorted(key for key, n in counts.items() if n < 0):
        pairs = zip(_KEYS[BacklogRow], key, strict=True)
        same = and_(*(getattr(BacklogRow, name) == value for name, value in pairs))
        session.execute(delete(BacklogRow).where(same, BacklogRow.n == 0))


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        marks = session.info.setdefault(_MARKS, {})
        marks[transaction] = len(session.info.get(_PENDING, ()))


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """What a savepoint or a transaction took back is not counted."""
    mark = session.info.get(_MARKS, {}).pop(transaction, 0)
    del session.info.get(_PENDING, [])[mark:]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedClock:
    """A promise that ran to its end: from `started_at` until an answer stood at `stopped_at`."""

    brand: str
    item_id: int
    metric: str
    team: str
    topic: str
    platform: str
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime
    person_id: int | None = None
    history: bool = False
    """True where nothing was promised, so that nothing was kept or missed."""


def close_clock(session: Session, clock: ClosedClock) -> bool:
    """Count a closed clock once; False when it had been counted before, or is of history.

    The promise is kept when the clock stopped at its due time or before, or had none. What is
    older than its source's first days is not counted: its age is nobody's response time.
    """
    if clock.history:
        return False
    day = clock.started_at.date().isoformat()
    number = bucket((clock.stopped_at - clock.started_at).total_seconds())
    met = clock.due_at is None or clock.stopped_at <= clock.due_at
    shared = {
        "brand": clock.brand,
        "day": day,
        "metric": clock.metric,
        "team": clock.team,
        "topic": clock.topic,
        "platform": clock.platform,
        "bucket": number,
        "met": met,
    }
    line = shared | {
        "item_id": clock.item_id,
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "stopped_at": clock.stopped_at,
        "person_id": clock.person_id,
    }
    if not db.insert_new(session, ClockRow, [line]):
        return False
    _later(session, ResponseRow, {tuple(shared[name] for name in _KEYS[ResponseRow]): 1})
    return True
