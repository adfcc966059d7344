"""What a person may still do about a reply: withdraw it, edit it, send it again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.answering import drafts
from dashboard.answering.replies import to_sending
from dashboard.frame.app_context import Viewer
from earshot.database.tables import ItemRow, ReplyRow
from earshot.domain import ItemState, ReplyState
from earshot.items import lifecycle
from earshot.items.events import EventKind
from earshot.items.holding import HELD
from earshot.items.lifecycle import Change, Stale


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
    _back_to_answering(session, who, taken.item_id, reply_id, now)
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
    _back_to_answering(session, who, taken.item_id, reply_id, now)
    return int(taken.item_id)


def _back_to_answering(
    session: Session, who: Viewer, item_id: int, reply_id: int, now: datetime
) -> None:
    """The item of a reply that is a draft again is worked on, if somebody still holds it.

    One that was moved on meanwhile stays where it is: the person's text waits there.
    """
    state = session.scalar(
        select(ItemRow.state).where(ItemRow.id == item_id, ItemRow.brand == who.brand)
    )
    held = state is not None and ItemState(state) in HELD
    lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=who.brand,
            actor=who.actor,
            at=now,
            to=ItemState.ANSWERING if held else None,
            kind=EventKind.REPLY_WITHDRAWN,
            why={"reply": reply_id},
        ),
    )


def retry(session: Session, who: Viewer, reply_id: int, now: datetime, *, forced: bool) -> int:
    """Queue a failed reply again; the item's id. `forced` skips the check of the context.

    The key stays, so that a platform that knows it does not post twice. Raises Stale when the
    reply is not a failed one, or another reply to the item is on its way.
    """
    again = (
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
            looked=0,
            unreadable=0,
            lease_owner="",
            lease_until=None,
            changed_at=now,
        )
        .returning(ReplyRow.item_id)
    )
    try:
        with session.begin_nested():
            item_id = session.scalar(again)
    except IntegrityError as error:
        raise Stale("another reply to this item is on its way") from error
    if item_id is None:
        raise Stale(f"reply {reply_id} is not a failed reply")
    to_sending(session, who, item_id, reply_id, now)
    return item_id
