"""Take what is past its retention out of the database, in small transactions; numbers stay.

An item goes with all that hangs on it (mentions, their revisions and receipts, replies, drafts,
assignments, closed clocks) once it has come to an end and its thread has been silent for as long.
What somebody still waits for is kept. Roll-ups are not touched, and events hold no words of
people. The ledger goes on counting: what was purged is added up by source and day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select, tuple_, update
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import (
    UNDERWAY,
    AssignmentRow,
    ClockRow,
    DeadLetterRow,
    DraftRow,
    ItemRow,
    MentionRow,
    PurgedRow,
    ReceiptRow,
    ReplyRow,
    RevisionRow,
)
from earshot.items.events import EventKind
from earshot.items.lifecycle import OPEN, record
from earshot.log.dead_letters import Letter
from earshot.settings import Retention

BATCH = 100
"""How many items or letters one transaction takes out: nobody waits long for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What is to go: of one brand, of one source (empty: of all), what is older than `before`."""

    brand: str
    source: str = ""
    before: datetime


def due(retention: Retention, sources: Sequence[tuple[str, str]], now: datetime) -> Iterator[Reach]:
    """What is past its retention, for each (brand, source). Pure.

    A source's own number of days goes before its brand's, and that before the general one.
    """
    for brand, source in sources:
        days = retention.sources.get(source, retention.brands.get(brand, retention.days))
        if days:
            yield Reach(brand=brand, source=source, before=now - timedelta(days=days))


def count(session: Session, reach: Reach) -> int:
    """How many items would go."""
    found = select(ItemRow.id).where(*_past(reach)).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def purge_items(session: Session, reach: Reach, actor: str, now: datetime) -> int:
    """Take out at most `BATCH` items; how many those were. One event reports how much went."""
    ids = list(
        session.scalars(
            select(ItemRow.id)
            .where(*_past(reach))
            .order_by(ItemRow.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
    )
    if not ids:
        return 0
    gone = _take_out(session, reach.brand, ids)
    after = {**gone, "items": len(ids), "before": reach.before, "source": reach.source}
    record(session, reach.brand, now, actor, EventKind.PURGE_ITEMS, [{"after": after}])
    return len(ids)


def purge_letters(session: Session, reach: Reach, actor: str, now: datetime) -> int:
    """Take out at most `BATCH` dead letters, whoever has settled them or not; how many."""
    of_source = [DeadLetterRow.source == reach.source] if reach.source else []
    found = session.execute(
        select(DeadLetterRow.id, DeadLetterRow.mention_id, DeadLetterRow.revision)
        .where(
            DeadLetterRow.brand == reach.brand,
            DeadLetterRow.buried_at < reach.before,
            DeadLetterRow.state != Letter.RETRY_WANTED,
            *of_source,
        )
        .order_by(DeadLetterRow.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    if not found:
        return 0
    stored = exists().where(
        MentionRow.brand == ReceiptRow.brand, MentionRow.id == ReceiptRow.mention_id
    )
    keys = tuple_(ReceiptRow.mention_id, ReceiptRow.revision)
    named = [(row.mention_id, row.revision) for row in found]
    _purge_receipts(session, reach.brand, keys.in_(named), ~stored)
    session.execute(delete(DeadLetterRow).where(DeadLetterRow.id.in_([row.id for row in found])))
    after = {"letters": len(found), "before": reach.before, "source": reach.source}
    record(session, reach.brand, now, actor, EventKind.PURGE_LETTERS, [{"after": after}])
    return len(found)


def erase_author(
    session: Session, brand: str, platform: str, author: str, actor: str, now: datetime
) -> int:
    """Take out the words and the name of one author, as if each post were deleted; how many posts.

    The items stay, for somebody may be at work on one, and the ledger goes on counting. What we
    answered stays, too, except where it was not sent.
    """
    theirs = [
        MentionRow.brand == brand,
        MentionRow.platform == platform,
        MentionRow.author_id == author,
    ]
    ids = list(session.scalars(select(MentionRow.id).where(*theirs)))
    items = list(session.scalars(select(MentionRow.item_id).where(*theirs).distinct()))
    if not ids:
        return 0
    nobody = {"author_id": "", "author_name": "", "author_handle": ""}
    session.execute(
        update(RevisionRow)
        .where(RevisionRow.brand == brand, RevisionRow.mention_id.in_(ids))
        .values(text="")
    )
    session.execute(
        update(ItemRow)
        .where(ItemRow.brand == brand, ItemRow.platform == platform, ItemRow.author_id == author)
        .values(**nobody, preview="", version=ItemRow.version + 1, changed_at=now)
    )
    session.execute(delete(DraftRow).where(DraftRow.item_id.in_(items)))
    session.execute(
        update(MentionRow)
        .where(*theirs)
        .values(
            **nobody,
            author_reach=0,
            text="",
            url="",
            address={},
            queries=[],
            classification={},
            deleted=True,
            can_reply=False,
            reply_bar="its author had it erased",
        )
    )
    record(session, brand, now, actor, EventKind.PURGE_AUTHOR, [{"after": {"mentions": len(ids)}}])
    return len(ids)


def _past(reach: Reach) -> list[ColumnElement[bool]]:
    """Items that ended, whose thread is silent since `before`, with no reply on its way."""
    later = exists().where(
        MentionRow.item_id == ItemRow.id, MentionRow.collected_at >= reach.before
    )
    on_its_way = exists().where(ReplyRow.item_id == ItemRow.id, ReplyRow.state.in_(UNDERWAY))
    return [
        ItemRow.brand == reach.brand,
        *([ItemRow.source == reach.source] if reach.source else []),
        ItemRow.state.not_in([state.value for state in OPEN]),
        ItemRow.changed_at < reach.before,
        ~later,
        ~on_its_way,
    ]


def _take_out(session: Session, brand: str, ids: Sequence[int]) -> Mapping[str, int]:
    """Delete the items and all that names them; how many rows of what."""
    mentions = list(session.scalars(select(MentionRow.id).where(MentionRow.item_id.in_(ids))))
    gone: Counter[str] = Counter(mentions=len(mentions))
    for start in range(0, len(mentions), 500):
        some = mentions[start : start + 500]
        session.execute(
            delete(RevisionRow).where(RevisionRow.brand == brand, RevisionRow.mention_id.in_(some))
        )
        gone["receipts"] += _purge_receipts(session, brand, ReceiptRow.mention_id.in_(some))
    for name, table in (
        ("replies", ReplyRow),
        ("drafts", DraftRow),
        ("assignments", AssignmentRow),
        ("clocks", ClockRow),
    ):
        done = session.execute(delete(table).where(table.item_id.in_(ids)))
        gone[name] = done.rowcount  # type: ignore[attr-defined]  # a DELETE has a row count
    session.execute(delete(MentionRow).where(MentionRow.item_id.in_(ids)))
    session.execute(delete(ItemRow).where(ItemRow.id.in_(ids)))
    return dict(gone)


def _purge_receipts(session: Session, brand: str, *which: ColumnElement[bool]) -> int:
    """Delete receipts, and add them to what was purged of their source and day; how many."""
    rows = session.execute(
        delete(ReceiptRow)
        .where(ReceiptRow.brand == brand, *which)
        .returning(ReceiptRow.source, ReceiptRow.day)
        .execution_options(synchronize_session=False)
    ).all()
    counts = Counter((row.source, row.day) for row in rows)
    db.upsert(
        session,
        PurgedRow,
        [
            {"brand": brand, "source": source, "day": day, "n": n}
            for (source, day), n in sorted(counts.items())
        ],
        key=("brand", "source", "day"),
        add=("n",),
    )
    return len(rows)
