"""A reply from the composer to the outbox, and back: queue, withdraw, try again.

The row is the intent. The send worker reads it; nothing here talks to a platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard import drafts
from dashboard.desk import Viewer
from dashboard.reply_limits import graphemes, limit_of
from earshot import lifecycle
from earshot.domain import ItemState, ReplyState
from earshot.lifecycle import Change, Stale
from earshot.tables import DraftRow, ItemRow, MentionRow, ReplyRow

PENDING = (
    ReplyState.AWAITING_APPROVAL,
    ReplyState.QUEUED,
    ReplyState.SENDING,
    ReplyState.SENT,
    ReplyState.UNKNOWN,
)
THEN = (ItemState.ANSWERED, ItemState.CLOSED)


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


def reply_key(brand: str, mention_id: str, nonce: str) -> str:
    """32 hexadecimal digits: the same for a form that is sent twice."""
    return blake2b(f"{brand}\0{mention_id}\0{nonce}".encode(), digest_size=16).hexdigest()


def queue_reply(
    session: Session,
    who: Viewer,
    item_id: int,
    *,
    text: str,
    nonce: str,
    then: ItemState,
    mention_id: str,
    mention_revision: int,
    now: datetime,
    undo_s: int,
) -> Outcome:
    """Put a reply into the outbox and its item into the state `sending`.

    `mention_id` and `mention_revision` are what the writer saw; the send worker compares.
    A form that arrives twice gives the same reply. Raises Stale and Forbidden.
    """
    key = reply_key(who.brand, mention_id, nonce)
    same = session.execute(
        select(ReplyRow.id, ReplyRow.not_before).where(
            ReplyRow.key == key, ReplyRow.brand == who.brand
        )
    ).first()
    if same is not None:
        return Queued(same.id, same.not_before or now)
    mention, refused = _answerable(session, who, item_id, mention_id, text)
    if mention is None:
        return refused
    pending = pending_reply(session, who.brand, item_id)
    if pending is not None:
        return pending
    not_before = now + timedelta(seconds=undo_s)
    try:
        with session.begin_nested():
            made = session.execute(
                insert(ReplyRow)
                .values(
                    brand=who.brand,
                    item_id=item_id,
                    mention_id=mention.id,
                    mention_revision=mention_revision,
                    source=mention.source,
                    platform=mention.platform,
                    parent=mention.native_id,
                    thread=mention.thread,
                    address=mention.address,
                    person_id=who.person_id,
                    text=text,
                    state=ReplyState.QUEUED,
                    key=key,
                    then=then,
                    created_at=now,
                    queued_at=now,
                    not_before=not_before,
                    changed_at=now,
                )
                .returning(ReplyRow.id)
            ).scalar_one()
    except IntegrityError:
        # Another transaction was faster: the unique index over pending replies decides.
        raced = pending_reply(session, who.brand, item_id)
        if raced is None:
            raise
        return raced
    _to_sending(session, who, item_id, made, now)
    session.execute(
        delete(DraftRow).where(DraftRow.item_id == item_id, DraftRow.person_id == who.person_id)
    )
    return Queued(made, not_before)


def _answerable(
    session: Session, who: Viewer, item_id: int, mention_id: str, text: str
) -> tuple[MentionRow | None, Refused]:
    """The mention to answer, or why it can't be."""
    if not text.strip():
        return None, Refused("empty")
    assignee = session.scalar(
        select(ItemRow.assignee_id).where(ItemRow.id == item_id, ItemRow.brand == who.brand)
    )
    if assignee != who.person_id:
        return None, Refused("held")
    mention = session.get(MentionRow, (who.brand, mention_id))
    if mention is None or mention.item_id != item_id:
        raise Stale(f"item {item_id} has no mention {mention_id!r}")
    if not mention.can_reply:
        return None, Refused("barred", mention.reply_bar)
    if graphemes(text) > limit_of(mention.platform).graphemes:
        return None, Refused("long", str(limit_of(mention.platform).graphemes))
    return mention, Refused("")


def _to_sending(session: Session, who: Viewer, item_id: int, reply_id: int, now: datetime) -> None:
    lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=who.brand,
            actor=who.actor,
            at=now,
            to=ItemState.SENDING,
            kind="reply.queued",
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


def withdraw(session: Session, who: Viewer, reply_id: int, now: datetime) -> int:
    """Take back a reply that no worker has touched: its text becomes the draft again.

    The item's id. Raises Stale when the reply is already on its way or not the person's.
    """
    taken = session.execute(
        update(ReplyRow)
        .where(
            ReplyRow.id == reply_id,
            ReplyRow.brand == who.brand,
            ReplyRow.person_id == who.person_id,
            ReplyRow.state == ReplyState.QUEUED,
            ReplyRow.lease_owner == "",
            ReplyRow.attempts == 0,
        )
        .values(state=ReplyState.WITHDRAWN, changed_at=now)
        .returning(ReplyRow.item_id, ReplyRow.text)
    ).first()
    if taken is None:
        raise Stale(f"reply {reply_id} can't be withdrawn any more")
    drafts.save(session, who, taken.item_id, taken.text, now)
    _back_to_answering(session, who, taken.item_id, "reply.withdrawn", reply_id, now)
    return int(taken.item_id)


def edit_failed(session: Session, who: Viewer, reply_id: int, now: datetime) -> int:
    """Turn a failed reply into the person's draft; the item's id. Raises Stale."""
    taken = session.execute(
        update(ReplyRow)
        .where(
            ReplyRow.id == reply_id,
            ReplyRow.brand == who.brand,
            ReplyRow.state == ReplyState.FAILED,
        )
        .values(state=ReplyState.WITHDRAWN, changed_at=now)
        .returning(ReplyRow.item_id, ReplyRow.text)
    ).first()
    if taken is None:
        raise Stale(f"reply {reply_id} is not a failed reply")
    drafts.save(session, who, taken.item_id, taken.text, now)
    _back_to_answering(session, who, taken.item_id, "reply.withdrawn", reply_id, now)
    return int(taken.item_id)


def _back_to_answering(
    session: Session, who: Viewer, item_id: int, kind: str, reply_id: int, now: datetime
) -> None:
    lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=who.brand,
            actor=who.actor,
            at=now,
            to=ItemState.ANSWERING,
            kind=kind,
            why={"reply": reply_id},
        ),
    )


def retry(session: Session, who: Viewer, reply_id: int, now: datetime, *, forced: bool) -> int:
    """Queue a failed reply again; the item's id. `forced` skips the check of the context.

    The key stays, so that a platform that knows it does not post twice. Raises Stale.
    """
    again = session.execute(
        update(ReplyRow)
        .where(
            ReplyRow.id == reply_id,
            ReplyRow.brand == who.brand,
            ReplyRow.state == ReplyState.FAILED,
        )
        .values(
            state=ReplyState.QUEUED,
            error="",
            forced=forced,
            queued_at=now,
            not_before=now,
            lease_owner="",
            lease_until=None,
            changed_at=now,
        )
        .returning(ReplyRow.item_id)
    ).first()
    if again is None:
        raise Stale(f"reply {reply_id} is not a failed reply")
    _to_sending(session, who, again.item_id, reply_id, now)
    return int(again.item_id)
