"""Dead letters: records that a stage could not handle become rows that a person can settle."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from earshot.database import db
from earshot.database.db import Sessions
from earshot.database.tables import DeadLetterRow
from earshot.log.contract import Consumer, Fenced, Log, Record
from earshot.runtime.crash_points import passed

GROUP = "bury"
"""The group's name in the log, which 0.1.0 gave it: its offsets stay where they are."""

AT_ONCE = 200

_PLACE = re.compile(r"(\d{1,6}):(\d{1,18})", re.ASCII)
_REVISION = re.compile(r"[0-9]{1,18}")
"""What fits into 64 bits."""


class Origin(NamedTuple):
    """The place that names a dead letter: where in which topic the record was set aside from."""

    topic: str
    partition: int
    offset: int


def store_step(
    log: Log, consumer: Consumer, sessions: Sessions, now: datetime, timeout_s: float = 0.0
) -> int:
    """Store what the consumer of a dead topic of `log` has; how many records that were.

    A record that comes again is stored once: the place it was set aside from names it, also
    when a stage that ended before its commit has set it aside twice. In a log that took the
    place of another the same numbers are other places.
    """
    records = consumer.poll(AT_ONCE, timeout_s)
    if not records:
        return 0
    origins = [_origin(record) for record in records]
    identities = {topic: log.identity(topic) for topic in {origin.topic for origin in origins}}
    rows = [
        _row(record, origin, identities[origin.topic], now)
        for record, origin in zip(records, origins, strict=True)
    ]
    with sessions.begin() as session:
        db.insert_new(session, DeadLetterRow, rows)
    passed("dead_letters.stored")
    try:
        consumer.commit()
    except Fenced:
        return 0  # another member holds the partition now, and reads them again
    return len(records)


def _row(record: Record, origin: Origin, identity: str, now: datetime) -> dict[str, object]:
    headers = {name: _storable(value) for name, value in record.headers.items()}
    revision = headers.get("revision", "")
    return {
        "topic": headers.get("topic") or record.topic.removesuffix(".dead"),
        "topic_id": identity,
        "partition": origin.partition,
        "offset": origin.offset,
        "brand": headers.get("brand", ""),
        "source": headers.get("source", ""),
        "mention_id": headers.get("mention", ""),
        "revision": int(revision) if _REVISION.fullmatch(revision) else 0,
        "reason": headers.get("reason", ""),
        "key": record.key,
        "value": record.value,
        "headers": headers,
        "state": "waiting",
        "buried_at": now,
    }


def _origin(record: Record) -> Origin:
    """Where the record was set aside from: its header's `partition:offset`.

    What never was in a topic has only its place in the dead one; its partition is told apart
    by being negative.
    """
    found = _PLACE.fullmatch(record.headers.get("from", ""))
    if found is None:
        return Origin(record.topic, -1 - record.partition, record.offset)
    return Origin(record.topic.removesuffix(".dead"), int(found[1]), int(found[2]))


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL."""
    return text.replace("\0", "")
