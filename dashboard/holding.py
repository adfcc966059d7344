"""Who holds an item: given, taken, accepted, handed back. One assignment is current at most.

Every function changes the item and its assignment in the caller's transaction, so that the
two can't disagree; the unique index over current assignments is the last guard.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from earshot import lifecycle
from earshot.domain import ItemState
from earshot.lifecycle import Change, Stale
from earshot.tables import AssignmentRow, ItemRow

BY_HAND = "by hand"
"""The policy version of an assignment that a person made."""


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
    """Assign an item to a person, whoever held it before; its new version.

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
    version = lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=brand,
            actor=f"person:{person_id}",
            at=now,
            to=ItemState.QUEUED,
            kind="assignment.released",
            why={"reason": reason} if reason else {},
            columns={
                "assignee_id": None,
                "excluded": sorted({*held.excluded, person_id}),
            },
            expect=expect,
        ),
    )
    end(session, brand, item_id, reason or "handed back", now)
    return version


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
