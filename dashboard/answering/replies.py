"""A reply from the composer into the outbox.

The row is the intent. The send worker reads it; nothing here talks to a platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.answering import drafts
from dashboard.answering.reply_limits import length_for
from dashboard.frame.app_context import Viewer
from earshot.database.tables import ItemRow, MentionRow, ReplyRow
from earshot.domain import ItemState, ReplyState
from earshot.items import lifecycle
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change, Stale
from earshot.items.reply_length import tightest

PENDING = (
    ReplyState.AWAITING_APPROVAL,
    ReplyState.QUEUED,
    ReplyState.SENDING,
    ReplyState.SENT,
    ReplyState.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class Queued:
    """The reply goes out at `not_before`, unless it is withdrawn."""

    reply_id: int
    not_before: datetime


@dataclass(frozen=True, slots=True)
class AlreadyPending:
    """Another reply to this item is on its way."""

    reply_id: int
    text: str
    person_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The reply can't go out as it is; `reason` is one of `empty`, `long`, `barred`, `held`."""

    reason: str
    detail: str = ""


Outcome = Queued | AlreadyPending | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the composer sent. `nonce` is that of its form: the same when it arrives twice.

    `mention_id` and `mention_revision` are what the writer saw; the send worker compares.
    """

    item_id: int
    text: str
    nonce: str
    then: ItemState
    mention_id: str
    mention_revision: int


def reply_key(brand: str, mention_id: str, nonce: str) -> str:
    """32 hexadecimal digits: the same for a form that is sent twice."""
    return blake2b(f"{brand}\0{mention_id}\0{nonce}".encode(), digest_size=16).hexdigest()


def queue_reply(
    session: Session, who: Viewer, written: Written, *, now: datetime, undo_s: int
) -> Outcome:
    """Put a reply into the outbox, to go out after `undo_s`, and its item into `sending`.

    A form that arrives twice gives the same reply. Raises Stale and Forbidden.
    """
    key = reply_key(who.brand, written.mention_id, written.nonce)
    same = session.execute(
        select(ReplyRow.id, ReplyRow.not_before).where(
            ReplyRow.key == key, ReplyRow.brand == who.brand
        )
    ).first()
    if same is not None:
        return Queued(same.id, same.not_before or now)
    mention = _answerable(session, who, written)
    if isinstance(mention, Refused):
        return mention
    pending = pending_reply(session, who.brand, written.item_id)
    if pending is not None:
        return pending
    not_before = now + timedelta(seconds=undo_s)
    try:
        with session.begin_nested():
            made = _insert(session, who, written, mention, key, now, not_before)
    except IntegrityError:
        # Another transaction was faster: the unique index over pending replies decides.
        raced = pending_reply(session, who.brand, written.item_id)
        if raced is None:
            raise
        return raced
    to_sending(session, who, written.item_id, made, now)
    drafts.save(session, who, written.item_id, "", now)
    return Queued(made, not_before)


def _answerable(session: Session, who: Viewer, written: Written) -> MentionRow | Refused:
    """The mention to answer, or why it can't be."""
    if not written.text.strip():
        return Refused("empty")
    assignee = session.scalar(
        select(ItemRow.assignee_id).where(ItemRow.id == written.item_id, ItemRow.brand == who.brand)
    )
    if assignee != who.person_id:
        return Refused("held")
    mention = session.get(MentionRow, (who.brand, written.mention_id))
    if mention is None or mention.item_id != written.item_id:
        raise Stale(f"item {written.item_id} has no mention {written.mention_id!r}")
    if not mention.can_reply:
        return Refused("barred", mention.reply_bar)
    used, bound = tightest(written.text, length_for(session, who.brand, mention.id))
    if used > bound.limit:
        return Refused("long", f"{used} / {bound.limit}")
    return mention


def _insert(
    session: Session,
    who: Viewer,
    written: Written,
    mention: MentionRow,
    key: str,
    now: datetime,
    not_before: datetime,
) -> int:
    row = {
        "brand": who.brand,
        "item_id": written.item_id,
        "mention_id": mention.id,
        "mention_revision": written.mention_revision,
        "source": mention.source,
        "platform": mention.platform,
        "parent": mention.native_id,
        "thread": mention.thread,
        "address": mention.address,
        "person_id": who.person_id,
        "text": written.text,
        "state": ReplyState.QUEUED,
        "key": key,
        "then": written.then,
        "created_at": now,
        "queued_at": now,
        "not_before": not_before,
        "changed_at": now,
    }
    return int(session.execute(insert(ReplyRow).values(row).returning(ReplyRow.id)).scalar_one())


def to_sending(session: Session, who: Viewer, item_id: int, reply_id: int, now: datetime) -> None:
    """Move the item of a reply that was queued. Raises Stale and Forbidden."""
    lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=who.brand,
            actor=who.actor,
            at=now,
            to=ItemState.SENDING,
            kind=EventKind.REPLY_QUEUED,
            why={"reply": reply_id},
        ),
    )


def pending_reply(session: Session, brand: str, item_id: int) -> AlreadyPending | None:
    """The reply to an item that is on its way, if there is one."""
    row = session.execute(
        select(ReplyRow.id, ReplyRow.text, ReplyRow.person_id, ReplyRow.created_at).where(
            ReplyRow.item_id == item_id, ReplyRow.brand == brand, ReplyRow.state.in_(PENDING)
        )
    ).first()
    return None if row is None else AlreadyPending(row.id, row.text, row.person_id, row.created_at)
