"""SQL of the collectors: cursors, receipts, what is known already, and how sources fare."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from collectors.source import Cursor
from earshot import db
from earshot.tables import CursorRow, MentionRow, ReceiptRow, ReplyRow, SourceHealthRow

CHUNK = 500
"""How many values one IN-list holds."""


def load_cursor(session: Session, brand: str, source: str, part: str) -> Cursor | None:
    """The cursor saved last, or None before the first one."""
    return session.scalar(
        select(CursorRow.cursor).where(
            CursorRow.brand == brand, CursorRow.source == source, CursorRow.part == part
        )
    )


def save_cursor(
    session: Session, brand: str, source: str, part: str, cursor: Cursor, now: datetime
) -> None:
    row = {"brand": brand, "source": source, "part": part, "cursor": cursor, "saved_at": now}
    db.upsert(
        session, CursorRow, [row], key=("brand", "source", "part"), replace=("cursor", "saved_at")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof of collection: one revision of one mention, by one source."""

    mention_id: str
    revision: int
    thread: str


def write_receipts(
    session: Session, brand: str, source: str, receipts: Collection[Receipt], now: datetime
) -> int:
    """Write the receipts that are not there yet; how many were new."""
    day = now.date().isoformat()
    rows = [
        {
            "brand": brand,
            "mention_id": receipt.mention_id,
            "revision": receipt.revision,
            "source": source,
            "thread": receipt.thread,
            "day": day,
        }
        for receipt in sorted(set(receipts), key=lambda r: (r.mention_id, r.revision))
    ]
    return db.insert_new(session, ReceiptRow, rows)


def known_threads(session: Session, brand: str, mention_ids: Sequence[str]) -> Mapping[str, str]:
    """Of these mentions, the ones collected before, each with its thread."""
    found: dict[str, str] = {}
    for start in range(0, len(mention_ids), CHUNK):
        rows = session.execute(
            select(ReceiptRow.mention_id, ReceiptRow.thread).where(
                ReceiptRow.brand == brand,
                ReceiptRow.mention_id.in_(mention_ids[start : start + CHUNK]),
            )
        )
        found.update((row.mention_id, row.thread) for row in rows)
    return found


def mentions_of_author(
    session: Session, brand: str, platform: str, author_id: str
) -> list[tuple[str, str]]:
    """Native id and thread of every stored mention by that author that still stands."""
    rows = session.execute(
        select(MentionRow.native_id, MentionRow.thread).where(
            MentionRow.brand == brand,
            MentionRow.platform == platform,
            MentionRow.author_id == author_id,
            MentionRow.deleted.is_(False),
        )
    )
    return [(row.native_id, row.thread) for row in rows]


def our_replies(
    session: Session, brand: str, platform: str, native_ids: Sequence[str]
) -> frozenset[str]:
    """Of these native ids, the ones that are replies of ours."""
    found: set[str] = set()
    for start in range(0, len(native_ids), CHUNK):
        keys = [(platform, native_id) for native_id in native_ids[start : start + CHUNK]]
        found.update(
            session.scalars(
                select(ReplyRow.native_id).where(
                    ReplyRow.brand == brand,
                    tuple_(ReplyRow.platform, ReplyRow.native_id).in_(keys),
                )
            )
        )
    return frozenset(found)


def save_health(
    session: Session, brand: str, source: str, platform: str, columns: Mapping[str, Any]
) -> None:
    """Overwrite these columns of the source's health; the others keep their value."""
    defaults = {
        "state": "ok",
        "error": "",
        "failing_since": None,
        "polled_at": None,
        "last_post_at": None,
        "next_poll_at": None,
        "collected": 0,
    }
    row = {"brand": brand, "source": source, "platform": platform} | defaults | dict(columns)
    db.upsert(
        session,
        SourceHealthRow,
        [row],
        key=("brand", "source"),
        replace=[name for name in columns if name != "collected"],
        add=("collected",),
    )
