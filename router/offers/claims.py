"""The SQL of offers: claiming what was decided, and taking back what nobody works on.

Each function is one transaction of its caller, and loses a race without having changed
anything: it raises Stale, and what others did stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from earshot.database.tables import AssignmentRow, ItemRow, MembershipRow
from earshot.domain import ItemState
from earshot.items import assignments, holding
from earshot.items.assignments import BY_HAND, Offered
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change, Stale
from earshot.runtime.crash_points import passed
from router.assign.state import Offer
from router.policy.policy import Policy

ACTOR = "role:sweep"

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far ahead of ours the clock of another machine may be."""

TIMED_OUT = "not accepted in time"
ABSENT = "the responder is not there"
STRANDED = "nobody held it"

SWEPT = 200
"""The most assignments taken back, and items woken or expired, in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An assignment that should end, and why."""

    assignment_id: int
    item_id: int
    person_id: int
    reason: str


def claim(session: Session, policy: Policy, offer: Offer, slots: int, now: datetime) -> None:
    """Make `offer` to somebody with `slots`. Raises Stale when item or person are taken."""
    assignments.offer(
        session,
        Offered(
            item_id=offer.item_id,
            brand=policy.brand,
            person_id=offer.person_id,
            lease_until=now + policy.presence.accept_within,
            limit=policy.presence.limit(slots),
            policy_version=policy.version,
            explain=offer.explain,
            expect=offer.version,
        ),
        ACTOR,
        now,
    )
    passed("offer.making")


def overdue(session: Session, policy: Policy, now: datetime) -> list[Held]:
    """Assignments to take back: offers whose lease ran out, and unstarted work of the absent.

    Work given by hand is left with somebody off duty until they have been unseen for a
    while since then: whoever gave it may know that they come.
    """
    unseen = now - policy.presence.unseen_after
    last_sign = MembershipRow.seen_at
    from_ahead = AssignmentRow.made_at > now + CLOCKS_DIFFER  # made before the clock was set back
    lapsed = or_(AssignmentRow.lease_until <= now, from_ahead)
    timed_out = and_(AssignmentRow.state == "offered", lapsed)
    away = or_(
        and_(~MembershipRow.on_duty, AssignmentRow.policy_version != BY_HAND),
        and_(
            or_(last_sign < unseen, and_(last_sign.is_(None), ~MembershipRow.on_duty)),
            AssignmentRow.made_at < unseen,
        ),
    )
    found = session.execute(
        select(AssignmentRow.id, AssignmentRow.item_id, AssignmentRow.person_id, timed_out)
        .join(ItemRow, ItemRow.id == AssignmentRow.item_id)
        .join(
            MembershipRow,
            and_(
                MembershipRow.brand == AssignmentRow.brand,
                MembershipRow.person_id == AssignmentRow.person_id,
            ),
        )
        .where(
            AssignmentRow.brand == policy.brand,
            AssignmentRow.state != "ended",
            ItemRow.state == ItemState.ASSIGNED,
            or_(timed_out, away),
        )
        .order_by(AssignmentRow.id)
        .limit(SWEPT)
    )
    return [
        Held(
            assignment_id=assignment,
            item_id=item,
            person_id=person,
            reason=TIMED_OUT if late else ABSENT,
        )
        for assignment, item, person, late in found
    ]


def take_back(session: Session, policy: Policy, held: Held, now: datetime) -> None:
    """Put an item back into the queue with its age, and suspect who was silent.

    Raises Stale when the responder acted meanwhile.
    """
    if held.reason == TIMED_OUT:
        session.execute(
            update(MembershipRow)
            .where(MembershipRow.brand == policy.brand, MembershipRow.person_id == held.person_id)
            .values(suspect_until=now + policy.presence.suspect_for)
        )
    item = session.execute(
        select(ItemRow.version, ItemRow.state)
        .where(ItemRow.id == held.item_id, ItemRow.brand == policy.brand)
        .with_for_update()
    ).first()
    if item is None or item.state != ItemState.ASSIGNED:
        raise Stale(f"item {held.item_id} is worked on")
    still = [AssignmentRow.id == held.assignment_id, AssignmentRow.state != "ended"]
    if held.reason == TIMED_OUT:
        still.append(AssignmentRow.state == "offered")
    ended = session.execute(
        update(AssignmentRow)
        .where(*still)
        .values(state="ended", ended_at=now, end_reason=held.reason)
        .returning(AssignmentRow.id)
    ).first()
    if ended is None:
        raise Stale(f"assignment {held.assignment_id} was accepted or ended")
    assignments.release(
        session,
        Change(
            item_id=held.item_id,
            brand=policy.brand,
            actor=ACTOR,
            at=now,
            why={"reason": held.reason, "person": held.person_id},
            expect=item.version,
        ),
    )


def stranded(session: Session, policy: Policy, now: datetime) -> list[Change]:
    """Changes that put held items back into the queue which nobody holds, at most `SWEPT`.

    None comes about by this version's code: earlier ones left some.
    """
    found = session.execute(
        holding.stranded(policy.brand).order_by(ItemRow.due_at, ItemRow.id).limit(SWEPT)
    )
    return [
        Change(
            item_id=row.id,
            brand=policy.brand,
            actor=ACTOR,
            at=now,
            to=ItemState.QUEUED,
            kind=EventKind.ASSIGNMENT_RELEASED,
            why={"reason": STRANDED},
            columns={"state_reason": STRANDED},
            expect=row.version,
        )
        for row in found
    ]


def actionable(session: Session, brand: str) -> dict[int, int]:
    """How many items each responder of `brand` holds and can work on, in any brand."""
    found = session.execute(
        select(AssignmentRow.person_id, func.count())
        .join(ItemRow, ItemRow.id == AssignmentRow.item_id)
        .join(
            MembershipRow,
            and_(
                MembershipRow.brand == brand,
                MembershipRow.person_id == AssignmentRow.person_id,
            ),
        )
        .where(AssignmentRow.state != "ended", ItemRow.state.in_(assignments.ACTIONABLE))
        .group_by(AssignmentRow.person_id)
    )
    return {row[0]: row[1] for row in found}
