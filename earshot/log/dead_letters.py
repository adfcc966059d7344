"""Dead letters: records that could not be handled, until a person retries or drops them.

They go `waiting → retry_wanted → retried`, or `waiting → dropped`. The desk and the command
line only say what is wanted: publishing is for a process that has the log. A record that is
published again and fails again becomes a new dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from earshot.database.tables import DeadLetterRow
from earshot.items.events import EventKind
from earshot.items.lifecycle import record
from earshot.log.contract import Producer
from earshot.log.kafka.pack import is_kafkas, place_of

BATCH = 200
"""How many records are published again at once."""

SHOWN_BYTES = 4_096
"""How much of a record is shown: enough to see what is wrong with it."""

_BURIAL_HEADERS = frozenset({"topic", "from", "reason"})
"""What a stage adds when it sets a record aside: a record that is retried starts without."""


class Letter(StrEnum):
    """Where a dead letter is."""

    WAITING = "waiting"
    RETRY_WANTED = "retry_wanted"
    RETRIED = "retried"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be handled. `value` is what was received, byte for byte."""

    id: int
    topic: str
    topic_id: str
    partition: int
    offset: int
    brand: str
    source: str
    mention_id: str
    revision: int
    reason: str
    key: bytes
    value: bytes
    headers: dict[str, Any]
    state: str
    buried_at: datetime
    settled_at: datetime | None
    settled_by: str

    @property
    def place(self) -> Place:
        """Where it was set aside from: in its topic, or in the dead one if it never was there."""
        offset, message = place_of(self.offset) if is_kafkas(self.topic_id) else (self.offset, 0)
        if self.partition < 0:
            return Place(f"{self.topic}.dead", -1 - self.partition, offset, message)
        return Place(self.topic, self.partition, offset, message)


@dataclass(frozen=True, slots=True)
class Place:
    """A record's place as the tools of its log show it: on Kafka, by Kafka's own offset.

    `message` counts from 0 within a record that holds several.
    """

    topic: str
    partition: int
    offset: int
    message: int

    def __str__(self) -> str:
        within = f" #{self.message}" if self.message else ""
        return f"{self.topic} {self.partition}:{self.offset}{within}"


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes as text that can be looked at: control characters and broken UTF-8 as escapes."""

    text: str
    left_out: int


def readable(raw: bytes, limit: int = SHOWN_BYTES) -> Bytes:
    """The first `limit` bytes in a form that can neither act nor hide anything."""
    text = raw[:limit].decode("utf-8", errors="backslashreplace")
    shown = "".join(
        char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text
    )
    return Bytes(shown, max(0, len(raw) - limit))


_COLUMNS = [getattr(DeadLetterRow, name) for name in DeadLetter.__dataclass_fields__]


def waiting(
    session: Session, *, brand: str = "", after: int = 0, limit: int = 50
) -> list[DeadLetter]:
    """The next dead letters that nobody has settled, the oldest first.

    `brand` empty means those of every brand, `after` is the id of the last one seen. Those
    whose retry is wanted but not done yet are among them.
    """
    unsettled = (Letter.WAITING, Letter.RETRY_WANTED)
    query = (
        select(*_COLUMNS)
        .where(DeadLetterRow.state.in_(unsettled), DeadLetterRow.id > after)
        .order_by(DeadLetterRow.id)
        .limit(limit)
    )
    return _letters(session, query.where(DeadLetterRow.brand == brand) if brand else query)


def find(session: Session, brand: str, letter_id: int) -> DeadLetter | None:
    """One dead letter of the brand, whatever its state; None when there is no such."""
    query = select(*_COLUMNS).where(DeadLetterRow.id == letter_id, DeadLetterRow.brand == brand)
    return next(iter(_letters(session, query)), None)


def want_retry(
    session: Session, ids: Iterable[int], actor: str, now: datetime, *, brand: str = ""
) -> int:
    """Ask that waiting letters be given back to their topic; how many were waiting."""
    return _settle(
        session, ids, Letter.RETRY_WANTED, EventKind.DEAD_LETTER_RETRY_WANTED, actor, now, brand
    )


def drop(
    session: Session, ids: Iterable[int], actor: str, now: datetime, *, brand: str = ""
) -> int:
    """Settle waiting letters without a retry; how many were waiting. They are kept to read."""
    return _settle(session, ids, Letter.DROPPED, EventKind.DEAD_LETTER_DROPPED, actor, now, brand)


def _settle(
    session: Session,
    ids: Iterable[int],
    to: Letter,
    kind: EventKind,
    actor: str,
    now: datetime,
    brand: str,
) -> int:
    """Move letters on that are still waiting: who comes second changes nothing."""
    change = update(DeadLetterRow).where(
        DeadLetterRow.id.in_(sorted(set(ids))), DeadLetterRow.state == Letter.WAITING
    )
    if brand:
        change = change.where(DeadLetterRow.brand == brand)
    settled = session.execute(
        change.values(state=to, settled_at=now, settled_by=actor)
        .returning(DeadLetterRow.id, DeadLetterRow.brand)
        .execution_options(synchronize_session=False)
    ).all()
    for letter_id, whose in sorted(settled):
        event = {
            "subject": str(letter_id),
            "before": {"state": Letter.WAITING},
            "after": {"state": to},
        }
        record(session, whose, now, actor, kind, [event])
    return len(settled)


def republish(session: Session, producer: Producer, now: datetime, limit: int = BATCH) -> int:
    """Publish letters whose retry is wanted to the topic they came from; how many.

    They count as retried only once the log has acknowledged all of them: should the process
    die before the session commits, they are published twice, which their natural keys settle.
    Raises LogError.
    """
    letters = _letters(
        session,
        select(*_COLUMNS)
        .where(DeadLetterRow.state == Letter.RETRY_WANTED)
        .order_by(DeadLetterRow.id)
        .limit(limit),
    )
    if not letters:
        return 0
    for letter in letters:
        producer.send(letter.topic, letter.key, letter.value, original_headers(letter.headers))
    producer.flush()
    session.execute(
        update(DeadLetterRow)
        .where(
            DeadLetterRow.id.in_([letter.id for letter in letters]),
            DeadLetterRow.state == Letter.RETRY_WANTED,
        )
        .values(state=Letter.RETRIED, settled_at=now)
        .execution_options(synchronize_session=False)
    )
    return len(letters)


def original_headers(headers: dict[str, Any]) -> dict[str, str]:
    """The headers that the record had before a stage set it aside."""
    return {name: str(value) for name, value in headers.items() if name not in _BURIAL_HEADERS}


def _letters(session: Session, query: Select[Any]) -> list[DeadLetter]:
    return [DeadLetter(**row._mapping) for row in session.execute(query)]  # noqa: SLF001 -- SQLAlchemy's public name for a row as a mapping
