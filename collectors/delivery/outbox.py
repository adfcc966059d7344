"""SQL of the outbox: claims and what follows an attempt, each one conditional statement.

Every write after a claim carries the claim's epoch: whoever lost the lease changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from collectors.contract.source import Answer
from collectors.delivery.send_rules import Context
from earshot.database.tables import IS_UNDERWAY, MentionRow, ReplyRow
from earshot.domain import ItemState, ReplyState
from earshot.items import lifecycle
from earshot.items.events import SENDER_WROTE

ACTOR = "role:send"

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far ahead of ours the clock of another machine may be."""

WAITING = (ReplyState.QUEUED, ReplyState.SENT, ReplyState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A reply that this process may work on until `lease_until`, and as it stood before."""

    id: int
    brand: str
    item_id: int
    mention_id: str
    mention_revision: int
    source: str
    state: ReplyState
    epoch: int
    lease_until: datetime
    attempts: int
    reads: int
    unreadable: int
    native_id: str
    forced: bool
    then: ItemState
    answer: Answer


def due(session: Session, sources: list[str], now: datetime, limit: int) -> list[int]:
    """The replies of these sources that something should be done about, longest due first."""
    lapsed = ReplyRow.lease_until < now
    return list(
        session.scalars(
            select(ReplyRow.id)
            .where(
                IS_UNDERWAY,
                ReplyRow.source.in_(sources),
                or_(
                    ReplyRow.state.in_(WAITING) & or_(ReplyRow.lease_until.is_(None), lapsed),
                    (ReplyRow.state == ReplyState.SENDING) & lapsed,
                ),
                or_(ReplyRow.not_before.is_(None), ReplyRow.not_before <= now),
            )
            .order_by(ReplyRow.not_before, ReplyRow.id)
            .limit(limit)
        )
    )


def bring_back(session: Session, now: datetime, lease_s: float) -> int:
    """Correct the times of replies that a clock ahead of `now` wrote; how many those were.

    Left alone they would rest until the clock gets there again. Whoever holds a lease keeps it
    for `lease_s` seconds more, and a thread is read from a day ago on: the attempt was made
    before now, whatever time was noted.
    """
    ahead = session.execute(
        select(
            ReplyRow.id,
            ReplyRow.changed_at,
            ReplyRow.not_before,
            ReplyRow.lease_until,
            ReplyRow.first_attempt_at,
        ).where(IS_UNDERWAY, ReplyRow.changed_at > now + CLOCKS_DIFFER)
    ).all()
    for row in ahead:
        columns: dict[str, Any] = {"changed_at": now}
        if row.not_before is not None:
            rest = row.not_before - row.changed_at
            columns["not_before"] = now + max(rest, timedelta())
        if row.lease_until is not None:
            columns["lease_until"] = min(row.lease_until, now + timedelta(seconds=lease_s))
        if row.first_attempt_at is not None:
            columns["first_attempt_at"] = min(row.first_attempt_at, now - timedelta(days=1))
        session.execute(
            update(ReplyRow)
            .where(ReplyRow.id == row.id, ReplyRow.changed_at == row.changed_at)
            .values(**columns)
        )
    return len(ahead)


def claim(
    session: Session, reply_id: int, owner: str, now: datetime, lease_s: float
) -> Claim | None:
    """Take the lease of a reply; None when it is withdrawn, not due, or somebody else's.

    A queued reply becomes `sending` by this, and with the commit that follows the attempt is
    on record before the first byte leaves. One found in `sending` belonged to a process that
    died: whether it got through is unknown.
    """
    row = session.get(ReplyRow, reply_id)
    if row is None or (row.lease_until is not None and row.lease_until >= now):
        return None
    if row.not_before is not None and row.not_before > now:
        return None  # another sender was at it since it was listed, and it has to rest
    state = ReplyState(row.state)
    if state not in (*WAITING, ReplyState.SENDING):
        return None
    lease_until = now + timedelta(seconds=lease_s)
    columns: dict[str, Any] = {
        "lease_owner": owner,
        "lease_epoch": row.lease_epoch + 1,
        "lease_until": lease_until,
    }
    if state is ReplyState.QUEUED:
        columns |= {
            "state": ReplyState.SENDING,
            "attempts": row.attempts + 1,
            "first_attempt_at": row.first_attempt_at or now,
            "changed_at": now,
        }
    elif state is ReplyState.SENDING:
        columns |= {"state": ReplyState.UNKNOWN, "error": "the sender ended in mid-attempt"}
        state = ReplyState.UNKNOWN
    was = row.state
    if not _write(session, reply_id, row.lease_epoch, columns, was=was):
        return None
    if "state" in columns:
        _record(session, row.brand, row.item_id, reply_id, now, was, columns["state"])
    return Claim(
        id=row.id,
        brand=row.brand,
        item_id=row.item_id,
        mention_id=row.mention_id,
        mention_revision=row.mention_revision,
        source=row.source,
        state=state,
        epoch=row.lease_epoch + 1,
        lease_until=lease_until,
        attempts=row.attempts,
        reads=row.looked,
        unreadable=row.unreadable,
        native_id=row.native_id,
        forced=row.forced,
        then=ItemState(row.then),
        answer=Answer(
            key=row.key,
            parent=row.parent,
            thread=row.thread,
            text=row.text,
            since=row.first_attempt_at or now,
            address=row.address,
        ),
    )


def _write(
    session: Session, reply_id: int, epoch: int, columns: dict[str, Any], was: str = ""
) -> bool:
    statement = update(ReplyRow).where(ReplyRow.id == reply_id, ReplyRow.lease_epoch == epoch)
    if was:
        statement = statement.where(ReplyRow.state == was)
    changed = session.execute(
        statement.values(**columns).execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount == 1)  # type: ignore[attr-defined]  # an UPDATE has a row count


def context_of(session: Session, held: Claim) -> Context:
    """What the database knows of the mention that is answered."""
    mention = session.get(MentionRow, (held.brand, held.mention_id))
    if mention is None:
        return Context()
    later = select(MentionRow.id).where(
        MentionRow.item_id == held.item_id,
        MentionRow.author_id == mention.author_id,
        MentionRow.id != mention.id,
        MentionRow.arrived_at > mention.arrived_at,
        MentionRow.stored_at
        > select(ReplyRow.created_at).where(ReplyRow.id == held.id).scalar_subquery(),
        MentionRow.deleted.is_(False),
    )
    return Context(
        deleted=mention.deleted,
        edited=mention.revision > held.mention_revision,
        author_wrote_again=bool(session.scalar(select(exists(later)))),
        can_reply=mention.can_reply,
        reply_bar=mention.reply_bar,
    )


def wait(
    session: Session,
    held: Claim,
    state: ReplyState,
    at: datetime,
    reason: str,
    now: datetime,
    *,
    reads: int = 0,
    unreadable: int = 0,
) -> bool:
    """Give the reply back in `state`, to be taken up at `at`."""
    columns = {
        "state": state,
        "not_before": at,
        "error": reason,
        "looked": reads,
        "unreadable": unreadable,
    }
    return settle(session, held, now, columns, {"reason": reason})


def sent(
    session: Session, held: Claim, native_id: str, url: str, now: datetime, confirm_at: datetime
) -> bool:
    """The platform took it: note its name there, and read it back at `confirm_at`."""
    columns = {
        "state": ReplyState.SENT,
        "native_id": native_id,
        "url": url,
        "sent_at": now,
        "not_before": confirm_at,
        "looked": 0,
        "unreadable": 0,
        "error": "",
    }
    return settle(session, held, now, columns, {"native_id": native_id})


def settle(
    session: Session, held: Claim, now: datetime, columns: dict[str, Any], why: dict[str, Any]
) -> bool:
    """Write under the claim's epoch, give the lease back, and append the event."""
    columns |= {"lease_until": None, "lease_owner": "", "changed_at": now}
    if not _write(session, held.id, held.epoch, columns):
        return False
    before = ReplyState.SENDING if held.state is ReplyState.QUEUED else held.state
    _record(session, held.brand, held.item_id, held.id, now, before, columns["state"], why)
    return True


def _record(
    session: Session,
    brand: str,
    item_id: int,
    reply_id: int,
    now: datetime,
    before: str,
    after: str,
    why: dict[str, Any] | None = None,
) -> None:
    """Append the event of a reply's new state."""
    event = {
        "item_id": item_id,
        "subject": str(reply_id),
        "before": {"state": before},
        "after": {"state": after},
        "why": why or {},
    }
    lifecycle.record(session, brand, now, ACTOR, SENDER_WROTE[ReplyState(after)], [event])
