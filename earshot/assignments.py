"""Who holds an item: given, offered, accepted, handed back. One assignment is current at most.

Every function changes the item and its assignment in the caller's transaction, so that the
two can't disagree; the unique index over current assignments is the last guard. What fails
raises before it has changed anything, or the caller's transaction is given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from earshot import db, lifecycle
from earshot.domain import ItemState
from earshot.lifecycle import Change, Stale
from earshot.tables import AssignmentRow, ItemRow, MembershipRow

BY_HAND = "by hand"
"""The policy version of an assignment that a person made."""

ACTIONABLE = (ItemState.ASSIGNED, ItemState.ANSWERING)
"""The states in which the holder of an item can work on it now."""


class Full(Stale):
    """The responder has no free place, or does not work for the brand: nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An item for a responder, until `lease_until`. `limit`: how many they may hold at once."""

    item_id: int
    brand: str
    person_id: int
    lease_until: datetime
    limit: int
    policy_version: str
    explain: Mapping[str, Any]
    expect: int


def offer(session: Session, offered: Offered, actor: str, now: datetime) -> int:
    """Reserve a queued item for a responder; its new version.

    Raises Full when their places are taken meanwhile, and Stale when the item is not queued
    in the version that was decided on.
    """
    _lock_place(session, offered)
    item = session.execute(
        select(ItemRow.state, ItemRow.offers)
        .where(ItemRow.id == offered.item_id, ItemRow.brand == offered.brand)
        .with_for_update()
    ).first()
    if item is None or item.state != ItemState.QUEUED:
        raise Stale(f"item {offered.item_id} is not queued any more")
    row = {
        "brand": offered.brand,
        "item_id": offered.item_id,
        "person_id": offered.person_id,
        "state": "offered",
        "lease_until": offered.lease_until,
        "made_at": now,
        "policy_version": offered.policy_version,
        "explain": dict(offered.explain),
    }
    version = lifecycle.move(
        session,
        Change(
            item_id=offered.item_id,
            brand=offered.brand,
            actor=actor,
            at=now,
            to=ItemState.ASSIGNED,
            kind="assignment.offered",
            why=offered.explain,
            columns={"assignee_id": offered.person_id, "offers": item.offers + 1},
            expect=offered.expect,
        ),
    )
    if not db.insert_new(session, AssignmentRow, [row]):
        raise Stale(f"item {offered.item_id} has a current assignment")
    return version


def _lock_place(session: Session, offered: Offered) -> None:
    """Keep others from giving the person something meanwhile, and count what they have."""
    member = session.execute(
        select(MembershipRow.person_id)
        .where(
            MembershipRow.brand == offered.brand,
            MembershipRow.person_id == offered.person_id,
            MembershipRow.on_duty,
        )
        .with_for_update()
    ).first()
    held = session.scalar(
        select(func.count())
        .select_from(AssignmentRow)
        .join(ItemRow, ItemRow.id == AssignmentRow.item_id)
        .where(
            AssignmentRow.person_id == offered.person_id,
            AssignmentRow.state != "ended",
            ItemRow.state.in_(ACTIONABLE),
        )
    )
    if member is None or (held or 0) >= offered.limit:
        raise Full(f"person {offered.person_id} has no free place")


def give(
    session: Session,
    brand: str,
    item_id: int,
    person_id: int,
    actor: str,
    now: datetime,
    *,
    expect: int | None,
    why: Mapping[str, Any],
) -> int:
    """Assign an item to a person because somebody chose so, whoever held it; its new version.

    Raises Stale and Forbidden as `lifecycle.move`.
    """
    version = lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=brand,
            actor=actor,
            at=now,
            to=ItemState.ASSIGNED,
            why=why,
            columns={"assignee_id": person_id, "snoozed_until": None, "state_reason": ""},
            expect=expect,
        ),
    )
    end(session, brand, item_id, "given to another", now)
    session.execute(
        insert(AssignmentRow).values(
            brand=brand,
            item_id=item_id,
            person_id=person_id,
            state="accepted",
            made_at=now,
            policy_version=BY_HAND,
            explain={"by": actor, "why": "a person chose"},
        )
    )
    return version


def accept(session: Session, brand: str, item_id: int, person_id: int, now: datetime) -> bool:
    """Accept an offer: it no longer ends by itself. False when there was none for the person."""
    accepted = session.execute(
        update(AssignmentRow)
        .where(
            AssignmentRow.brand == brand,
            AssignmentRow.item_id == item_id,
            AssignmentRow.person_id == person_id,
            AssignmentRow.state == "offered",
        )
        .values(state="accepted", lease_until=None)
        .returning(AssignmentRow.id)
    ).first()
    if accepted is None:
        return False
    session.execute(
        update(MembershipRow)
        .where(
            MembershipRow.brand == brand,
            MembershipRow.person_id == person_id,
            MembershipRow.suspect_until.is_not(None),
        )
        .values(suspect_until=None)
    )
    event = {"item_id": item_id, "subject": str(accepted.id)}
    lifecycle.record(session, brand, now, f"person:{person_id}", "assignment.accepted", [event])
    return True


def hand_back(
    session: Session,
    brand: str,
    item_id: int,
    person_id: int,
    now: datetime,
    *,
    expect: int | None,
    reason: str,
) -> int:
    """Give an item back to its team's queue, with its age; its new version.

    The person is not offered it again. Raises Stale when they don't hold it.
    """
    held = session.execute(
        select(ItemRow.assignee_id, ItemRow.excluded).where(
            ItemRow.id == item_id, ItemRow.brand == brand
        )
    ).first()
    if held is None or held.assignee_id != person_id:
        raise Stale(f"item {item_id} is not held by person {person_id}")
    version = release(
        session,
        Change(
            item_id=item_id,
            brand=brand,
            actor=f"person:{person_id}",
            at=now,
            why={"reason": reason} if reason else {},
            columns={"excluded": sorted({*held.excluded, person_id})},
            expect=expect,
        ),
    )
    end(session, brand, item_id, reason or "handed back", now)
    return version


def release(session: Session, change: Change) -> int:
    """Put a held item back into the queue, with its age; its new version.

    `change` says by whom and why. The assignment is the caller's to end. Raises as
    `lifecycle.move`.
    """
    return lifecycle.move(
        session,
        Change(
            item_id=change.item_id,
            brand=change.brand,
            actor=change.actor,
            at=change.at,
            to=ItemState.QUEUED,
            kind="assignment.released",
            why=change.why,
            columns={"assignee_id": None, **change.columns},
            expect=change.expect,
        ),
    )


def end(session: Session, brand: str, item_id: int, reason: str, now: datetime) -> None:
    """End the current assignment of an item, if there is one. The item stays as it is."""
    session.execute(
        update(AssignmentRow)
        .where(
            AssignmentRow.brand == brand,
            AssignmentRow.item_id == item_id,
            AssignmentRow.state != "ended",
        )
        .values(state="ended", ended_at=now, end_reason=reason)
    )


def take_up_again(
    session: Session, brand: str, item_id: int, person_id: int, ended_at: datetime, now: datetime
) -> None:
    """Make the assignment current again that ended at `ended_at`. The item is the caller's.

    An offer counts as accepted by then: the person has dealt with the item. Where there was no
    assignment, one by hand is made, so that a held item always has one.
    """
    again = session.execute(
        update(AssignmentRow)
        .where(
            AssignmentRow.id
            == select(func.max(AssignmentRow.id))
            .where(
                AssignmentRow.brand == brand,
                AssignmentRow.item_id == item_id,
                AssignmentRow.person_id == person_id,
                AssignmentRow.ended_at == ended_at,
            )
            .scalar_subquery()
        )
        .values(state="accepted", lease_until=None, ended_at=None, end_reason="")
        .returning(AssignmentRow.id)
    ).first()
    if again is None:
        session.execute(
            insert(AssignmentRow).values(
                brand=brand,
                item_id=item_id,
                person_id=person_id,
                state="accepted",
                made_at=now,
                policy_version=BY_HAND,
                explain={"by": f"person:{person_id}", "why": "a person chose"},
            )
        )
