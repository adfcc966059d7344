"""What a decision needs, read from the database: the most urgent items, and the roster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, Text, or_, select, type_coerce
from sqlalchemy.orm import Session

from earshot.database.tables import ItemRow, MembershipRow, PersonRow
from earshot.domain import ItemState, Role
from router.assign.escalation import UNSERVED_AFTER
from router.assign.state import Responder, State, Waiting
from router.offers import claims
from router.offers.eligible import takeable, unservable
from router.policy.policy import Policy, Presence

KEEPABLE, LOST, OLDEST, UNPROMISED = 300, 100, 50, 50
"""How many queued items are read for one brand: of the promises that can still be kept the
soonest due, of the lost ones the newest losses, of all what has waited longest, and of what was
never promised the newest."""

SMALL = 500
"""A queue of at most so many items is read whole: that costs less than asking for some of it."""

HOPELESS = 100
"""The most queued items of each kind that are looked at because offers may not help them."""

ROSTER = 1000


def load(
    session: Session, policy: Policy, now: datetime, *, thorough: bool = True
) -> tuple[State, dict[int, int]]:
    """The state of the policy's brand, and the slots of each responder.

    What waits is the whole queue while it is small. Of a larger one it is what somebody may
    take who is free now; `thorough` adds what nobody wants or can answer, which is in no
    hurry. Unless `thorough`, nothing waits while nobody is free.
    """
    roster = session.execute(
        select(MembershipRow)
        .join(PersonRow, PersonRow.id == MembershipRow.person_id)
        .where(MembershipRow.brand == policy.brand, PersonRow.active)
        .order_by(MembershipRow.person_id)
        .limit(ROSTER)
    ).scalars()
    held = claims.actionable(session, policy.brand)
    members = [member for member in roster if Role.RESPONDER in member.roles]
    responders = [
        _responder(policy, member, held.get(member.person_id, 0), now) for member in members
    ]
    slots = {member.person_id: member.slots for member in members}
    free = [one for one in responders if one.free and not one.absence]
    waiting: dict[int, Waiting] = {}
    if (free or thorough) and _is_small(session, policy.brand):
        waiting = _whole(session, policy.brand)
    elif free or thorough:
        waiting = _urgent(session, policy, free, now) if free else {}
        waiting |= _hopeless(session, policy, responders, now) if thorough else {}
    return State(waiting=list(waiting.values()), responders=responders), slots


def absence(member: MembershipRow, presence: Presence, now: datetime) -> str:
    """Why a responder gets nothing now; empty when they are there.

    Somebody who was never seen is believed when they are on duty.
    """
    if not member.on_duty:
        return "off duty"
    if member.suspect_until is not None and now < member.suspect_until:
        return "silent after an offer"
    if member.seen_at is not None and member.seen_at < now - presence.unseen_after:
        return "not seen lately"
    return ""


def _responder(policy: Policy, member: MembershipRow, held: int, now: datetime) -> Responder:
    return Responder(
        id=member.person_id,
        teams=policy.teams_of(
            teams=member.teams,
            langs=member.langs,
            skills=member.skills,
            roles=member.roles,
            slots=member.slots,
        ),
        langs=frozenset(member.langs),
        skills=member.skills,
        limit=policy.presence.limit(member.slots),
        actionable=held,
        absence=absence(member, policy.presence, now),
    )


_READ = (
    ItemRow.id,
    ItemRow.version,
    ItemRow.team,
    ItemRow.topic,
    ItemRow.topic_confidence,
    ItemRow.lang,
    ItemRow.weight,
    ItemRow.clock_started_at,
    ItemRow.due_at,
    ItemRow.target_s,
    ItemRow.calendar,
    ItemRow.excluded,
    ItemRow.offers,
)


def _is_small(session: Session, brand: str) -> bool:
    """Whether the queue can be read whole. Counts no further than that."""
    beyond = (
        select(ItemRow.id)
        .where(ItemRow.brand == brand, ItemRow.state == ItemState.QUEUED)
        .order_by(ItemRow.due_at, ItemRow.id)
        .offset(SMALL)
        .limit(1)
    )
    return session.scalar(beyond) is None


def _whole(session: Session, brand: str) -> dict[int, Waiting]:
    question = _queued(brand).order_by(ItemRow.due_at, ItemRow.id).limit(SMALL)
    return {row.id: _waiting(row) for row in session.execute(question)}


def _urgent(
    session: Session, policy: Policy, free: Sequence[Responder], now: datetime
) -> dict[int, Waiting]:
    """The items that somebody of `free` may take and a decision may come to, by id."""
    wanted, due = policy.routing.wanted, ItemRow.due_at
    started = ItemRow.clock_started_at
    base = _queued(policy.brand).where(takeable(policy, free, now))
    keepable = now + wanted.answer
    found: dict[int, Waiting] = {}
    for question in (
        base.where(due >= keepable).order_by(due, ItemRow.id).limit(KEEPABLE),
        base.where(due < keepable).order_by(due.desc(), ItemRow.id.desc()).limit(LOST),
        base.where(started <= now - wanted.max_age, due.is_not(None))
        .order_by(started, ItemRow.id)
        .limit(OLDEST),
        base.where(due.is_(None)).order_by(due.desc(), ItemRow.id.desc()).limit(UNPROMISED),
    ):
        found |= {row.id: _waiting(row) for row in session.execute(question)}
    return found


def _hopeless(
    session: Session, policy: Policy, responders: Sequence[Responder], now: datetime
) -> dict[int, Waiting]:
    """The items that offers may not help: too many, given back, or for nobody's skills, by id."""
    base = _queued(policy.brand).limit(HOPELESS)
    refused = or_(
        ItemRow.offers >= policy.routing.routes.max_offers,
        type_coerce(ItemRow.excluded, Text) != "[]",
    )
    started = ItemRow.clock_started_at
    found: dict[int, Waiting] = {}
    for question in (
        base.where(refused).order_by(ItemRow.due_at, ItemRow.id),
        base.where(started <= now - UNSERVED_AFTER, unservable(policy, responders)).order_by(
            started, ItemRow.id
        ),
    ):
        found |= {row.id: _waiting(row) for row in session.execute(question)}
    return found


def _queued(brand: str) -> Select[Any]:
    return select(*_READ).where(ItemRow.brand == brand, ItemRow.state == ItemState.QUEUED)


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(
        id=row.id,
        version=row.version,
        team=row.team,
        topic=row.topic,
        topic_confidence=row.topic_confidence,
        lang=row.lang,
        weight=row.weight,
        clock_started_at=row.clock_started_at,
        due_at=row.due_at,
        target=timedelta(seconds=row.target_s),
        calendar=row.calendar,
        excluded=frozenset(row.excluded),
        offers=row.offers,
    )
