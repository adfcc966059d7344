"""The numbers that pages read: counts and histograms, kept by the transaction they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from earshot import db
from earshot.histogram import bucket
from earshot.tables import BacklogRow, ClockRow, ResponseRow, VolumeRow

BacklogKey = tuple[Any, ...]
"""(brand, state, team, sentiment, flags, slot)"""

VolumeKey = tuple[str, int, str, str, str]
"""(brand, hour since 1970, source, topic, sentiment)"""

_BACKLOG = ("brand", "state", "team", "sentiment", "flags", "slot")
_VOLUME = ("brand", "hour", "source", "topic", "sentiment")
_RESPONSE = ("brand", "day", "metric", "team", "topic", "platform", "bucket", "met")


def count_backlog(session: Session, deltas: Mapping[BacklogKey, int]) -> None:
    """Add `deltas` to the backlog's counts. Keys are sorted, so that writers never deadlock."""
    _add(session, BacklogRow, _BACKLOG, deltas)
    if any(n < 0 for n in deltas.values()):
        for key, n in sorted(deltas.items()):
            if n < 0:
                same = [getattr(BacklogRow, c) == v for c, v in zip(_BACKLOG, key, strict=True)]
                session.execute(delete(BacklogRow).where(*same, BacklogRow.n == 0))


def count_volume(session: Session, deltas: Mapping[VolumeKey, int]) -> None:
    """Add `deltas` to the counts of arrived mentions."""
    _add(session, VolumeRow, _VOLUME, deltas)


def _add(
    session: Session,
    table: type[BacklogRow | VolumeRow],
    names: tuple[str, ...],
    deltas: Mapping[Any, int],
) -> None:
    rows = [dict(zip(names, key, strict=True)) | {"n": n} for key, n in sorted(deltas.items()) if n]
    db.upsert(session, table, rows, key=names, add=("n",))


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


def close_clock(session: Session, clock: ClosedClock) -> bool:
    """Count a closed clock once; False when it had been counted before.

    The promise is kept when the clock stopped at its due time or before, or had none.
    """
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
    db.upsert(session, ResponseRow, [shared | {"n": 1}], key=_RESPONSE, add=("n",))
    return True
