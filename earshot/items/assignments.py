"""Who holds an item: given, offered, accepted, handed back. One assignment is current at most.

Every function changes the item and its assignment by one move in the caller's transaction, so
that the two can't disagree; the unique index over current assignments is the last guard. What
fails raises before it has changed anything, or the caller's transaction is given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from earshot.database.tables import AssignmentRow, ItemRow, MembershipRow, PersonRow
from earshot.domain import ItemState, Role
from earshot.items import lifecycle
from earshot.items.events import EventKind
from earshot.items.holding import Hold
from earshot.items.lifecycle import Change, Stale

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
    return lifecycle.move(
        session,
        Change(
            item_id=offered.item_id,
            brand=offered.brand,
            actor=actor,
            at=now,
            to=ItemState.ASSIGNED,
            kind=EventKind.ASSIGNMENT_OFFERED,
            why=offered.explain,
            columns={"offers": item.offers + 1},
            expect=offered.expect,
            hold=Hold(
                person_id=offered.person_id,
                policy_version=offered.policy_version,
                explain=offered.explain,
                lease_until=offered.lease_until,
            ),
        ),
    )


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
    return lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=brand,
            actor=actor,
            at=now,
            to=ItemState.ASSIGNED,
            why=why,
            columns={"snoozed_until": None, "state_reason": ""},
            expect=expect,
            hold=Hold(
                person_id=person_id,
                policy_version=BY_HAND,
                explain={"by": actor, "why": "a person chose"},
            ),
            ended="given to another",
        ),
    )


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
    lifecycle.record(
        session, brand, now, f"person:{person_id}", EventKind.ASSIGNMENT_ACCEPTED, [event]
    )
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
    return release(
        session,
        Change(
            item_id=item_id,
            brand=brand,
            actor=f"person:{person_id}",
            at=now,
            why={"reason": reason} if reason else {},
            columns={"excluded": sorted({*held.excluded, person_id})},
            expect=expect,
            ended=reason or "handed back",
        ),
    )


def held_until(
    session: Session, brand: str, item_id: int, person_id: int, at: datetime
) -> Hold | None:
    """What gives an item back to the person who had accepted it until `at`.

    None when they had not, as with an offer that was still open, or when they no longer
    answer for the brand.
    """
    row = session.execute(
        select(AssignmentRow.policy_version, AssignmentRow.explain, MembershipRow.roles)
        .join(
            MembershipRow,
            and_(
                MembershipRow.brand == AssignmentRow.brand,
                MembershipRow.person_id == AssignmentRow.person_id,
            ),
        )
        .join(PersonRow, PersonRow.id == AssignmentRow.person_id)
        .where(
            AssignmentRow.item_id == item_id,
            AssignmentRow.brand == brand,
            AssignmentRow.person_id == person_id,
            AssignmentRow.ended_at == at,
            AssignmentRow.lease_until.is_(None),
            PersonRow.active,
        )
        .order_by(AssignmentRow.id.desc())
        .limit(1)
    ).first()
    if row is None or Role.RESPONDER not in row.roles:
        return None
    return Hold(person_id=person_id, policy_version=row.policy_version, explain=row.explain)


def release(session: Session, change: Change) -> int:
    """Put a held item back into the queue, with its age; its new version.

    `change` says by whom and why; its assignment ends. Raises as `lifecycle.move`.
    """
    return lifecycle.move(
        session,
        replace(change, to=ItemState.QUEUED, kind=change.kind or EventKind.ASSIGNMENT_RELEASED),
    )
