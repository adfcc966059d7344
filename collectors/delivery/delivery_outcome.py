"""SQL of a reply's end: confirmed or failed, and what that means for its item.

Like everything after a claim these write under the claim's epoch: whoever lost the lease
changes nothing.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from collectors.delivery.outbox import ACTOR, Claim, settle
from earshot.database.tables import ItemRow, MentionRow, PersonRow, ReplyRow
from earshot.domain import ItemFlag, ItemState, ReplyState
from earshot.items import lifecycle, rollups
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change

_RACES = 3


def failed(session: Session, held: Claim, reason: str, now: datetime) -> bool:
    """A person has to act: the item goes back to whoever holds it, the text is kept.

    An item whose holder's account was closed meanwhile is queued; one that was moved on stays
    where it is.
    """
    columns = {"state": ReplyState.FAILED, "error": reason, "not_before": None}
    if not settle(session, held, now, columns, {"reason": reason}):
        return False
    item = session.get(ItemRow, held.item_id, populate_existing=True)
    if item is not None and item.state == ItemState.SENDING:
        holder = session.get(PersonRow, item.assignee_id) if item.assignee_id else None
        to = ItemState.ANSWERING if holder is not None and holder.active else ItemState.QUEUED
        _move_item(session, held, to, now, {"reply": held.id, "reason": reason})
    return True


def confirmed(
    session: Session, held: Claim, native_id: str, url: str, seen_at: datetime, now: datetime
) -> bool:
    """It is on the platform since `seen_at`: the clock stops there and the item moves on."""
    columns = {
        "state": ReplyState.CONFIRMED,
        "native_id": native_id,
        "url": url,
        "sent_at": min(seen_at, now),
        "confirmed_at": now,
        "not_before": None,
        "error": "",
    }
    if not settle(session, held, now, columns, {"native_id": native_id}):
        return False
    item = session.get(ItemRow, held.item_id, populate_existing=True)
    reply = session.get(ReplyRow, held.id, populate_existing=True)
    if item is None or reply is None:
        return True
    rollups.close_clock(
        session,
        rollups.ClosedClock(
            brand=held.brand,
            item_id=held.item_id,
            metric="next" if item.answered_at else "first",
            team=item.team,
            topic=item.topic,
            platform=item.platform,
            started_at=item.clock_started_at,
            due_at=item.due_at,
            stopped_at=min(seen_at, now),
            history=bool(item.flags & ItemFlag.HISTORY),
            person_id=reply.person_id,
        ),
    )
    extra = {"answered_at": item.answered_at or min(seen_at, now)}
    _move_item(session, held, held.then, now, {"reply": held.id, "confirmed": native_id}, extra)
    _reopen_if_written_since(session, held, item, reply, now)
    return True


def _reopen_if_written_since(
    session: Session, held: Claim, item: ItemRow, reply: ReplyRow, now: datetime
) -> None:
    """Queue the item again when its author wrote while our answer was on its way.

    What they wrote before it stood counts, too, if we had not heard of it when it left.
    """
    answered = session.get(MentionRow, (held.brand, held.mention_id))
    unheard = MentionRow.stored_at > (reply.first_attempt_at or now)
    if answered is not None:
        unheard &= MentionRow.arrived_at > answered.arrived_at
    since = session.scalar(
        select(func.min(MentionRow.arrived_at)).where(
            MentionRow.item_id == held.item_id,
            MentionRow.id != held.mention_id,
            MentionRow.author_id == item.author_id,
            or_(MentionRow.arrived_at > (reply.sent_at or now), unheard),
            MentionRow.deleted.is_(False),
        )
    )
    if since is None:
        return
    columns = {
        "clock_started_at": since,
        "due_at": since + timedelta(seconds=item.target_s) if item.target_s else None,
        "target": "next" if item.target_s else "",
        "reopened": item.reopened + 1,
    }
    why = {"reason": "the author wrote again while the answer was on its way"}
    _move_item(session, held, ItemState.QUEUED, now, why, columns)


def _move_item(
    session: Session,
    held: Claim,
    to: ItemState,
    now: datetime,
    why: dict[str, Any],
    columns: dict[str, Any] | None = None,
) -> None:
    """Move the item along, unless somebody has taken it elsewhere in the meantime.

    Who is slower than another process reads again and moves from there.
    """
    change = Change(
        item_id=held.item_id,
        brand=held.brand,
        actor=ACTOR,
        at=now,
        to=to,
        why=why,
        columns=columns or {},
        ended="answered" if "confirmed" in why else "",
    )
    try:
        for _ in range(_RACES):
            with suppress(lifecycle.Stale):
                lifecycle.move(session, change)
                return
        lifecycle.move(session, change)
    except lifecycle.Forbidden as error:
        # closed by hand while the answer was on its way: the reply's own event says so
        event = {"item_id": held.item_id, "subject": str(held.id), "why": {"reason": str(error)}}
        lifecycle.record(session, held.brand, now, ACTOR, EventKind.ITEM_KEPT, [event])
