"""Dead letters: records that a stage could not handle become rows that a person can settle."""

from __future__ import annotations

import re
from datetime import datetime

from earshot import db
from earshot.db import Sessions
from earshot.log import Consumer, Fenced, Record
from earshot.tables import DeadLetterRow
from router.rows import Row

GROUP = "bury"

AT_ONCE = 200

_REVISION = re.compile(r"[0-9]{1,18}")
"""What fits into 64 bits."""


def bury_step(consumer: Consumer, sessions: Sessions, now: datetime, timeout_s: float = 0.0) -> int:
    """Store what the consumer of a dead topic has; how many records that were.

    A record that comes again is stored once: topic, partition and offset name it.
    """
    records = consumer.poll(AT_ONCE, timeout_s)
    if not records:
        return 0
    with sessions.begin() as session:
        db.insert_new(session, DeadLetterRow, [_row(record, now) for record in records])
    try:
        consumer.commit()
    except Fenced:
        return 0  # another member holds the partition now, and reads them again
    return len(records)


def _row(record: Record, now: datetime) -> Row:
    headers = {name: _storable(value) for name, value in record.headers.items()}
    revision = headers.get("revision", "")
    return {
        "topic": headers.get("topic") or record.topic.removesuffix(".dead"),
        "partition": record.partition,
        "offset": record.offset,
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


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL."""
    return text.replace("\0", "")
