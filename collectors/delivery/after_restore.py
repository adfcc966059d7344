"""SQL of the outbox after a restore: what may have gone out meanwhile is sought, not sent.

A backup shows a reply as queued that the original may have posted a second later. An attempt
without a clear answer is exactly what *unknown* means, so that is what such a reply becomes: its
thread is read back twice before it may be tried (again). One that is made again, because the
backup knows nothing of it, is stopped by the check before sending: an answer of ours is there.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from collectors.delivery.outbox import ACTOR
from earshot.database.tables import ReplyRow
from earshot.domain import ReplyState
from earshot.items.events import EventKind
from earshot.items.lifecycle import record

DOUBTFUL = (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.UNKNOWN)
"""Of these the original may have sent each, whatever the backup says."""

REASON = "restored from a backup: it may have been sent since that was taken"


def doubt_replies(session: Session, taken_at: datetime, now: datetime) -> int:
    """Make every reply *unknown* that may have been sent since `taken_at`; how many those are.

    The first attempt is dated back to when it could have been at the earliest, so that its post
    is recognised. Leases are ended: who held them is no more.
    """
    found = session.execute(
        select(ReplyRow.id, ReplyRow.brand, ReplyRow.item_id, ReplyRow.state)
        .where(ReplyRow.state.in_(DOUBTFUL))
        .order_by(ReplyRow.id)
    ).all()
    session.execute(
        update(ReplyRow)
        .where(ReplyRow.state.in_(DOUBTFUL))
        .values(
            state=ReplyState.UNKNOWN,
            attempts=case((ReplyRow.attempts < 1, 1), else_=ReplyRow.attempts),
            first_attempt_at=func.coalesce(
                ReplyRow.first_attempt_at, ReplyRow.queued_at, ReplyRow.created_at
            ),
            looked=0,
            unreadable=0,
            error=REASON,
            changed_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    on_the_way = ReplyRow.state.in_((ReplyState.UNKNOWN, ReplyState.SENT))
    session.execute(
        update(ReplyRow)
        .where(on_the_way)
        .values(
            not_before=now, lease_until=None, lease_owner="", lease_epoch=ReplyRow.lease_epoch + 1
        )
        .execution_options(synchronize_session=False)
    )
    for row in found:
        event = {
            "item_id": row.item_id,
            "subject": str(row.id),
            "before": {"state": row.state},
            "after": {"state": ReplyState.UNKNOWN},
            "why": {"reason": REASON, "taken_at": taken_at},
        }
        record(session, row.brand, now, ACTOR, EventKind.REPLY_UNKNOWN, [event])
    return len(found)
