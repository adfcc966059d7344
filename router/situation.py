"""What a decision needs, read from the database: the most urgent items, and the roster."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot.domain import ItemState, Role
from earshot.tables import ItemRow, MembershipRow, PersonRow
from router import claims
from router.policy import Policy, Presence
from router.state import Responder, State, Waiting

WAITING = 500
"""The most queued items that are looked at for one brand, the soonest due first."""

ROSTER = 1000


def load(
    session: Session, policy: Policy, now: datetime, *, thorough: bool = True
) -> tuple[State, dict[int, int]]:
    """The state of the policy's brand, and the slots of each responder.

    Unless `thorough`, nothing waits as long as nobody is free to take it: what is left to
    decide then (items that nobody wants) is in no hurry.
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
    free = any(not one.absence and one.actionable < one.limit for one in responders)
    waiting = _waiting(session, policy.brand) if free or thorough else []
    return State(waiting=waiting, responders=responders), slots


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


def _waiting(session: Session, brand: str) -> list[Waiting]:
    rows = session.execute(
        select(
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
        .where(ItemRow.brand == brand, ItemRow.state == ItemState.QUEUED)
        .order_by(ItemRow.due_at, ItemRow.id)
        .limit(WAITING)
    )
    return [
        Waiting(
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
        for row in rows
    ]
