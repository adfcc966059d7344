"""The assignments that go with held items: written by the move that changes the item.

An item is in a held state exactly when it has one live assignment, and both name the same
person. `earshot.items.lifecycle` keeps that law: nothing else begins or ends an assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from earshot.database.tables import IS_UNDERWAY, AssignmentRow, ItemRow, ReplyRow
from earshot.domain import ItemState

HELD = frozenset(
    {ItemState.ASSIGNED, ItemState.ANSWERING, ItemState.AWAITING_APPROVAL, ItemState.SENDING}
)
"""The states in which a responder holds the item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Who has an item from now on, and why they.

    An offer ends by itself at `lease_until` unless it is accepted; None: it is theirs.
    """

    person_id: int
    policy_version: str
    explain: Mapping[str, Any]
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """An item changes hands at `at`: its live assignment ends for `reason`, and `hold` begins."""

    brand: str
    item_id: int
    at: datetime
    reason: str
    hold: Hold | None


def pass_on(session: Session, passings: Iterable[Passing]) -> None:
    """Write what changes hands, in its order. The caller has moved and so locked the items."""
    for one in passings:
        session.execute(
            update(AssignmentRow)
            .where(AssignmentRow.item_id == one.item_id, AssignmentRow.state != "ended")
            .values(state="ended", ended_at=one.at, end_reason=one.reason)
            .execution_options(synchronize_session=False)
        )
        if one.hold is not None:
            session.execute(
                insert(AssignmentRow).values(
                    brand=one.brand,
                    item_id=one.item_id,
                    person_id=one.hold.person_id,
                    state="offered" if one.hold.lease_until else "accepted",
                    lease_until=one.hold.lease_until,
                    made_at=one.at,
                    policy_version=one.hold.policy_version,
                    explain=dict(one.hold.explain),
                )
            )


def has_leftovers(session: Session, brand: str) -> bool:
    """Whether the brand has live assignments of items that are in no held state.

    None comes about by this version's code: earlier ones left some.
    """
    found = select(AssignmentRow.id).where(
        AssignmentRow.brand == brand, AssignmentRow.state != "ended", _unheld()
    )
    return session.scalar(found.limit(1)) is not None


def end_leftovers(session: Session, brand: str, now: datetime) -> None:
    """End live assignments of items that are in no held state."""
    session.execute(
        update(AssignmentRow)
        .where(AssignmentRow.brand == brand, AssignmentRow.state != "ended", _unheld())
        .values(state="ended", ended_at=now, end_reason="its item was not held")
        .execution_options(synchronize_session=False)
    )


def disagreements(session: Session) -> int:
    """How many items are held without a live assignment, or the other way round."""
    items = session.scalar(select(func.count()).select_from(stranded().subquery())) or 0
    assignments = session.scalar(
        select(func.count(AssignmentRow.id)).where(AssignmentRow.state != "ended", _unheld())
    )
    return items + (assignments or 0)


def stranded(brand: str = "") -> Select[int, int, str]:
    """Items that nobody holds although their state says so: id, version, state.

    An item whose reply is under way is none: its sender moves it on. `brand` empty means all.
    """
    question = select(ItemRow.id, ItemRow.version, ItemRow.state).where(
        ItemRow.state.in_(HELD), ~_live(), or_(ItemRow.state.in_(_WORKED_ON), ~_underway())
    )
    return question.where(ItemRow.brand == brand) if brand else question


_WORKED_ON = (ItemState.ASSIGNED, ItemState.ANSWERING)


def _live() -> ColumnElement[bool]:
    return exists().where(and_(AssignmentRow.item_id == ItemRow.id, AssignmentRow.state != "ended"))


def _underway() -> ColumnElement[bool]:
    return exists().where(and_(ReplyRow.item_id == ItemRow.id, IS_UNDERWAY))


def _unheld() -> ColumnElement[bool]:
    return exists().where(and_(ItemRow.id == AssignmentRow.item_id, ItemRow.state.not_in(HELD)))
