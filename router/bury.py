"""Dead letters: records that a stage could not handle become rows that a person can settle."""

from __future__ import annotations

import re
from datetime import datetime

from earshot import db
from earshot.crash_points import passed
from earshot.db import Sessions
from earshot.log import Consumer, Fenced, Record
from earshot.tables import DeadLetterRow
from router.rows import Row

GROUP = "bury"

AT_ONCE = 200

_PLACE = re.compile(r"(\d{1,6}):(\d{1,18})", re.ASCII)
_REVISION = re.compile(r"[0-9]{1,18}")
"""What fits into 64 bits."""


def bury_step(consumer: Consumer, sessions: Sessions, now: datetime, timeout_s: float = 0.0) -> int:
    """Store what the consumer of a dead topic has; how many records that were.

    A record that comes again is stored once: the place it was set aside from names it, also
    when a stage that ended before its commit has set it aside twice.
    """
    records = consumer.poll(AT_ONCE, timeout_s)
    if not records:
        return 0
    with sessions.begin() as session:
        db.insert_new(session, DeadLetterRow, [_row(record, now) for record in records])
    passed("bury.stored")
    try:
        consumer.commit()
    except Fenced:
        return 0  # another member holds the partition now, and reads them again
    return len(records)


def _row(record: Record, now: datetime) -> Row:
    headers = {name: _storable(value) for name, value in record.headers.items()}
    revision = headers.get("revision", "")
    partition, offset = _origin(record, headers.get("from", ""))
    return {
        "topic": headers.get("topic") or record.topic.removesuffix(".dead"),
        "partition": partition,
        "offset": offset,
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


def _origin(record: Record, said: str) -> tuple[int, int]:
    """Where the record was set aside from: its header's `partition:offset`.

    What never was in a topic has only its place in the dead one; its partition is told apart
    by being negative.
    """
    found = _PLACE.fullmatch(said)
    if found is None:
        return -1 - record.partition, record.offset
    return int(found[1]), int(found[2])


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL."""
    return text.replace("\0", "")
