"""People, items and assignments as rows, for tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from earshot.database.db import Sessions
from earshot.database.tables import AssignmentRow, MembershipRow, PersonRow
from router.route import Router
from tests.builders import NOON, a_classified
from tests.router.policies import a_policy


def hire(sessions: Sessions, *ids: int, **changes: Any) -> None:
    """Responders of the team care who are on duty."""
    with sessions.begin() as session:
        for id in ids:  # noqa: A001 -- it is what a person has
            session.execute(
                insert(PersonRow).values(
                    id=id, email=f"p{id}@example.org", name=f"P{id}", created_at=NOON
                )
            )
            member: dict[str, Any] = {
                "brand": "acme",
                "person_id": id,
                "roles": ["responder"],
                "teams": ["care"],
                "on_duty": True,
            }
            session.execute(insert(MembershipRow).values(**(member | changes)))


def queue_items(sessions: Sessions, count: int, first: int = 1) -> None:
    """Complaints in threads of their own, all queued."""
    batch = [a_classified(native_id=str(n), thread=str(n)) for n in range(first, first + count)]
    Router(sessions, {"acme": a_policy()}, lambda: NOON).handle(batch)


def current(session: Session) -> list[AssignmentRow]:
    """The assignments that have not ended."""
    rows = session.scalars(
        select(AssignmentRow).where(AssignmentRow.state != "ended").order_by(AssignmentRow.id)
    )
    return list(rows)


def member(session: Session, id: int) -> MembershipRow:
    return session.scalars(select(MembershipRow).where(MembershipRow.person_id == id)).one()


def seen(sessions: Sessions, id: int, at: datetime) -> None:
    """Somebody shows up."""
    with sessions.begin() as session:
        member(session, id).seen_at = at
