"""SQL of the collectors: cursors, what is known already, and how sources fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from collectors.contract.source import Cursor, Post
from earshot.database import db
from earshot.database.tables import CursorRow, MentionRow, ReplyRow, SourceHealthRow


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


def mentions_of_author(
    session: Session, brand: str, platform: str, author_id: str
) -> list[tuple[str, str]]:
    """Native id and thread of every stored mention by that author that is not deleted."""
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
    rows = db.look_up(
        session,
        [ReplyRow.native_id],
        by=ReplyRow.native_id,
        values=dict.fromkeys(native_ids),
        within=and_(ReplyRow.brand == brand, ReplyRow.platform == platform),
    )
    return frozenset(rows.scalars())


def answers_to_us(
    session: Session, brand: str, platform: str, posts: Sequence[Post]
) -> frozenset[str]:
    """Of these posts with a parent, the native ids of those that answer a reply of ours.

    Where a reply of ours may be whose name we don't know yet, any answer may be to it: one
    too many is dismissed by a listener, one too few would be lost.
    """
    parents = our_replies(session, brand, platform, [post.parent for post in posts])
    threads = threads_with_unnamed_replies(
        session, brand, platform, sorted({post.thread for post in posts})
    )
    return frozenset(p.native_id for p in posts if p.parent in parents or p.thread in threads)


def threads_with_unnamed_replies(
    session: Session, brand: str, platform: str, threads: Sequence[str]
) -> frozenset[str]:
    """Of these threads, the ones where a reply of ours may be whose name we don't know.

    Its sender got no answer, or ended before it could note it: who answers that reply names a
    parent that we can't recognise yet.
    """
    unnamed = session.scalars(
        select(ReplyRow.thread).where(
            ReplyRow.brand == brand,
            ReplyRow.platform == platform,
            ReplyRow.native_id == "",
            ReplyRow.attempts > 0,
            db.among(session, ReplyRow.thread, threads),
        )
    )
    return frozenset(unnamed)


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
        "reply_length": None,
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
