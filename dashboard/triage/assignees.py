"""Whom an item can be given to: teams and people, with how busy they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dashboard.board import backlog_counts
from earshot.database.tables import AssignmentRow, MembershipRow, PersonRow

THERE_WITHIN = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class TeamLoad:
    name: str
    open: int


@dataclass(frozen=True, slots=True)
class PersonLoad:
    id: int
    name: str
    held: int
    on_duty: bool
    there: bool


def teams(session: Session, brand: str) -> list[TeamLoad]:
    """Teams that have members or work, by name, with their open items."""
    work = backlog_counts.by_team(session, brand)
    members = session.scalars(select(MembershipRow.teams).where(MembershipRow.brand == brand))
    names = set(work).union(*members)
    return [TeamLoad(name, work.get(name, 0)) for name in sorted(names)]


def responders(session: Session, brand: str, now: datetime) -> list[PersonLoad]:
    """Active responders: those on duty first, then the less busy."""
    held = dict(
        session.execute(
            select(AssignmentRow.person_id, func.count())
            .where(AssignmentRow.state != "ended", AssignmentRow.brand == brand)
            .group_by(AssignmentRow.person_id)
        ).all()
    )
    rows = session.execute(
        select(PersonRow.id, PersonRow.name, MembershipRow)
        .join(PersonRow, PersonRow.id == MembershipRow.person_id)
        .where(MembershipRow.brand == brand, PersonRow.active)
    )
    found = [
        PersonLoad(
            person,
            name,
            held.get(person, 0),
            place.on_duty,
            place.seen_at is not None and now - place.seen_at <= THERE_WITHIN,
        )
        for person, name, place in rows
        if "responder" in place.roles
    ]
    return sorted(found, key=lambda one: (not one.on_duty, one.held, one.name))
