"""The SQL of the dispatcher's stream: what is known of a batch, and the writing of its plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from msgspec.structs import asdict
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import EventRow, ItemRow, MentionRow, ReplyRow, RevisionRow
from earshot.domain import Classified, ItemState
from earshot.items import lifecycle, rollups
from router.intake.bulk import insert_rows
from router.intake.fold import plan_batch
from router.intake.item import Heard, Item, Labels, Promise, Routing, Shown
from router.intake.plan import Known, Plan, StoredMention
from router.intake.rows import SET_BY_A_REVISION, NewMention
from router.policy.policy import Policy

_PARTS = {"shown": Shown, "labels": Labels, "routing": Routing, "promise": Promise}
_OWN = [name for name in Item.__struct_fields__ if name not in (*_PARTS, "newest_at")]
_COLUMNS = [*_OWN, *(name for kind in _PARTS.values() for name in kind.__struct_fields__)]

_Part = TypeVar("_Part", Shown, Labels, Routing, Promise)


def store(
    session: Session,
    batch: Sequence[Classified],
    policies: Mapping[str, Policy],
    clock: Callable[[], datetime],
    draw: Callable[[int], int],
) -> None:
    """Write what `batch`, whose brands are all in `policies`, comes to.

    `clock` is read when the items are locked. `draw` gives a random whole number below its
    argument. Raises Undecidable for a mention that nothing can be worked out for,
    IntegrityError when another process stored one of the rows meanwhile, and Stale or
    Forbidden as `lifecycle.move`; the transaction must then be given up.
    """
    heard = [hear(one) for one in batch]
    known = load(session, heard)
    write(session, plan_batch(heard, known, policies, clock(), draw))


def hear(classified: Classified) -> Heard:
    """The mention with its keys. That it is the brand's own its source says in the address."""
    mention = classified.mention
    key, thread, arrived_at = mention.keys()
    return Heard(
        classified=classified,
        mention=mention,
        said=classified.classification,
        id=key,
        thread=thread,
        arrived_at=arrived_at,
        own=mention.own,
        key=(mention.brand, key),
    )


def load(session: Session, batch: Sequence[Heard]) -> Known:
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
    if items and any(heard.own for heard in batch):
        sent = _sent(session, list(items))
    return Known(mentions=mentions, items=items, sent=sent)


def _mentions(session: Session, batch: Sequence[Heard]) -> dict[tuple[str, str], StoredMention]:
    found = {}
    for brand, ids in _by_brand(batch, attrgetter("id")).items():
        columns = (MentionRow.id, MentionRow.revision, MentionRow.item_id)
        stored = db.look_up(
            session, columns, by=MentionRow.id, values=ids, within=MentionRow.brand == brand
        )
        for row in stored:
            found[brand, row.id] = StoredMention(row.revision, row.item_id)
    return found


def _of_threads(session: Session, batch: Sequence[Heard]) -> set[int]:
    """The numbers of the items that are stored for the threads of `batch`."""
    found: set[int] = set()
    for brand, threads in _by_brand(batch, attrgetter("thread")).items():
        stored = db.look_up(
            session,
            [ItemRow.id],
            by=ItemRow.thread,
            values=threads,
            within=ItemRow.brand == brand,
        )
        found.update(stored.scalars())
    return found


def _by_brand(batch: Sequence[Heard], name: Callable[[Heard], str]) -> dict[str, dict[str, None]]:
    """What names the mentions, or their threads, of each brand; once each."""
    found: dict[str, dict[str, None]] = {}
    for heard in batch:
        found.setdefault(heard.mention.brand, {})[name(heard)] = None
    return found


def _items(session: Session, ids: Iterable[int]) -> dict[int, Item]:
    newest = and_(MentionRow.brand == ItemRow.brand, MentionRow.id == ItemRow.mention_id)
    columns = [getattr(ItemRow, name) for name in _COLUMNS]
    stored = session.execute(
        select(*columns, MentionRow.arrived_at.label("newest_at"))
        .outerjoin(MentionRow, newest)
        .where(db.among(session, ItemRow.id, ids))
        .order_by(ItemRow.id)
        .with_for_update(of=ItemRow)
    )
    return {row.id: _item(tuple(row)) for row in stored}


def _item(row: tuple[Any, ...]) -> Item:
    """The item of a row of `_COLUMNS` and the arrival of its newest mention."""
    values = dict(zip(_COLUMNS, row, strict=False))
    own = {name: values[name] for name in _OWN}
    own["state"] = ItemState(own["state"])
    return Item(
        **own,
        shown=_part(Shown, values),
        labels=_part(Labels, values),
        routing=_part(Routing, values),
        promise=_part(Promise, values),
        newest_at=row[-1] or values["clock_started_at"],
    )


def _part(kind: type[_Part], values: Mapping[str, Any]) -> _Part:
    return kind(*[values[name] for name in kind.__struct_fields__])


def _sent(session: Session, items: list[int]) -> frozenset[tuple[int, str]]:
    stored = session.execute(
        select(ReplyRow.item_id, ReplyRow.native_id).where(
            ReplyRow.item_id.in_(items), ReplyRow.native_id != ""
        )
    )
    return frozenset((row.item_id, row.native_id) for row in stored)


def write(session: Session, plan: Plan) -> None:
    """Carry out `plan`. Raises as `store`."""
    if plan.revised:
        _update_mentions(session, plan.revised)
    if plan.changes:
        lifecycle.move_all(session, plan.changes)
    if plan.shown:
        shown = [
            {"id": item.id} | asdict(item.shown)
            for item in sorted(plan.shown, key=attrgetter("id"))
        ]
        db.update_rows(session, ItemRow, shown, key=("id",))
    insert_rows(
        session,
        (MentionRow, sorted(plan.mentions, key=attrgetter("brand", "id"))),
        (ItemRow, sorted(plan.items, key=attrgetter("id"))),
        (EventRow, plan.events),
    )
    if plan.revisions:
        db.insert_new(session, RevisionRow, [asdict(one) for one in plan.revisions])
    if plan.erased:
        # What an author took back is not kept in the history of its edits either.
        erased = [
            {"brand": brand, "mention_id": mention, "text": ""}
            for brand, mention in sorted(plan.erased)
        ]
        db.update_rows(session, RevisionRow, erased, key=("brand", "mention_id"))
    for clock in plan.closed:
        rollups.close_clock(session, clock)
    rollups.count(session, volume=plan.volume, backlog=plan.backlog)


def _update_mentions(session: Session, revised: Sequence[NewMention]) -> None:
    key = ("brand", "id")
    rows = [
        {name: getattr(one, name) for name in (*key, *SET_BY_A_REVISION)}
        for one in sorted(revised, key=attrgetter(*key))
    ]
    db.update_rows(session, MentionRow, rows, key=key)
