"""The SQL of the dispatcher's stream: what is known of a batch, and the writing of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import EventRow, ItemRow, MentionRow, ReplyRow, RevisionRow
from earshot.domain import Classified, Mention
from earshot.items import lifecycle, rollups
from router.intake.bulk import insert_rows
from router.intake.plan import Known, Plan, StoredMention
from router.intake.rows import Row

_ITEM = (
    "id",
    "brand",
    "thread",
    "state",
    "version",
    "platform",
    "mention_id",
    "mentions",
    "topic",
    "priority",
    "weight",
    "team",
    "flags",
    "clock_started_at",
    "target",
    "due_at",
    "answered_at",
    "reopened",
)
"""The columns of an item that planning reads."""


def load(session: Session, batch: Sequence[Classified]) -> Known:
    """What is stored of the mentions and threads of `batch`.

    The items stay locked until the transaction ends (in the order of their ids, so that two
    processes wait for each other in one direction only).
    """
    mentions = _mentions(session, batch)
    ids = _of_threads(session, batch)
    # an edit that names another thread than its post did
    ids |= {mention.item_id for mention in mentions.values()}
    items = _items(session, ids) if ids else {}
    sent: frozenset[tuple[int, str]] = frozenset()
    if items and any(classified.mention.own for classified in batch):
        sent = _sent(session, list(items))
    return Known(mentions=mentions, items=items, sent=sent)


def _mentions(
    session: Session, batch: Sequence[Classified]
) -> dict[tuple[str, str], StoredMention]:
    found = {}
    for brand, ids in _by_brand(batch, attrgetter("id")).items():
        columns = (MentionRow.id, MentionRow.revision, MentionRow.item_id)
        stored = db.look_up(
            session, columns, by=MentionRow.id, values=ids, within=MentionRow.brand == brand
        )
        for row in stored:
            found[brand, row.id] = StoredMention(row.revision, row.item_id)
    return found


def _of_threads(session: Session, batch: Sequence[Classified]) -> set[int]:
    """The numbers of the items that are stored for the threads of `batch`."""
    found: set[int] = set()
    for brand, threads in _by_brand(batch, attrgetter("thread_id")).items():
        stored = db.look_up(
            session,
            [ItemRow.id],
            by=ItemRow.thread,
            values=threads,
            within=ItemRow.brand == brand,
        )
        found.update(stored.scalars())
    return found


def _by_brand(
    batch: Sequence[Classified], name: Callable[[Mention], str]
) -> dict[str, dict[str, None]]:
    """What names the mentions, or their threads, of each brand; once each."""
    found: dict[str, dict[str, None]] = {}
    for one in batch:
        found.setdefault(one.mention.brand, {})[name(one.mention)] = None
    return found


def _items(session: Session, ids: Iterable[int]) -> dict[int, Row]:
    newest = and_(MentionRow.brand == ItemRow.brand, MentionRow.id == ItemRow.mention_id)
    columns = [getattr(ItemRow, name) for name in _ITEM]
    stored = session.execute(
        select(*columns, MentionRow.arrived_at.label("newest_at"))
        .outerjoin(MentionRow, newest)
        .where(db.among(session, ItemRow.id, ids))
        .order_by(ItemRow.id)
        .with_for_update(of=ItemRow)
    )
    items = {row.id: row._asdict() for row in stored}
    for item in items.values():
        item["newest_at"] = item["newest_at"] or item["clock_started_at"]
    return items


def _sent(session: Session, items: list[int]) -> frozenset[tuple[int, str]]:
    stored = session.execute(
        select(ReplyRow.item_id, ReplyRow.native_id).where(
            ReplyRow.item_id.in_(items), ReplyRow.native_id != ""
        )
    )
    return frozenset((row.item_id, row.native_id) for row in stored)


def write(session: Session, plan: Plan) -> None:
    """Carry out `plan`.

    Raises IntegrityError when another process stored one of its rows meanwhile, and Stale or
    Forbidden as `lifecycle.move`; the transaction must then be given up.
    """
    in_order = sorted(plan.mentions, key=lambda row: (row["brand"], row["id"]))
    insert_rows(session, MentionRow, in_order)
    insert_rows(session, ItemRow, sorted(plan.items, key=lambda row: row["id"]))
    db.insert_new(session, RevisionRow, plan.revisions)
    _update_mentions(session, plan)
    _update_items(session, plan)
    insert_rows(session, EventRow, plan.events)
    rollups.count_volume(session, plan.volume)
    rollups.count_backlog(session, plan.backlog())


def _update_mentions(session: Session, plan: Plan) -> None:
    newest = [
        {"brand": brand, "id": mention, **columns}
        for (brand, mention), columns in sorted(plan.newest.items())
    ]
    db.update_rows(session, MentionRow, newest, key=("brand", "id"))
    if plan.erased:
        # What an author took back is not kept in the history of its edits either.
        erased = [
            {"brand": brand, "mention_id": mention, "text": ""}
            for brand, mention in sorted(plan.erased)
        ]
        db.update_rows(session, RevisionRow, erased, key=("brand", "mention_id"))


def _update_items(session: Session, plan: Plan) -> None:
    for clock, _ in plan.answered:
        rollups.close_clock(session, clock)
    if plan.changes:
        lifecycle.move_all(session, plan.changes)
    patches = [{"id": item, **columns} for item, columns in sorted(plan.snapshots.items())]
    for names in dict.fromkeys(map(tuple, patches)):
        alike = [row for row in patches if tuple(row) == names]
        db.update_rows(session, ItemRow, alike, key=("id",))
