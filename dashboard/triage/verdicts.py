"""What a listener decides about an item, carried out and taken back.

Each verdict is one move of the item, guarded by the version that the listener saw. Taking
it back restores the columns that its event says it changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.frame.app_context import Viewer
from dashboard.frame.i18n import lazy
from earshot.database.tables import EventRow, ItemRow, MembershipRow, PersonRow, Utc
from earshot.domain import ItemState
from earshot.items import assignments, lifecycle
from earshot.items.events import EventKind
from earshot.items.holding import HELD
from earshot.items.lifecycle import Change, Stale

UNDO_WITHIN = timedelta(minutes=5)

NO_REPLY = lazy("no reply needed")
NOT_US = lazy("not us")


@dataclass(frozen=True, slots=True)
class Done:
    """No reply is needed."""

    name = "done"


@dataclass(frozen=True, slots=True)
class NotUs:
    """It is spam, or about somebody else: what rules and models learn from."""

    name = "not_us"


@dataclass(frozen=True, slots=True)
class Snooze:
    """It comes back at `until`."""

    until: datetime
    name = "snooze"


@dataclass(frozen=True, slots=True)
class ToTeam:
    """A team answers it: the router picks who."""

    team: str
    name = "assign"


@dataclass(frozen=True, slots=True)
class ToPerson:
    """One person answers it."""

    person_id: int
    name = "assign"


Verdict = Done | NotUs | Snooze | ToTeam | ToPerson


class NotAMember(Exception):
    """The person who should answer does not answer for this brand."""


def decide(
    session: Session,
    who: Viewer,
    item_id: int,
    expect: int,
    verdict: Verdict,
    now: datetime,
    *,
    client: str = "",
) -> int:
    """Carry out a verdict; the item's new version. Raises Stale, Forbidden, NotAMember."""
    why: dict[str, Any] = {"verdict": verdict.name}
    if client:
        why["client"] = client
    if isinstance(verdict, ToPerson):
        _must_answer(session, who.brand, verdict.person_id)
        return assignments.give(
            session, who.brand, item_id, verdict.person_id, who.actor, now, expect=expect, why=why
        )
    to, columns = _outcome(verdict)
    change = Change(
        item_id=item_id,
        brand=who.brand,
        actor=who.actor,
        at=now,
        to=to,
        why=why,
        columns={"snoozed_until": None, "state_reason": "", **columns},
        expect=expect,
        ended=verdict.name,
    )
    return lifecycle.move(session, change)


def _outcome(verdict: Done | NotUs | Snooze | ToTeam) -> tuple[ItemState, dict[str, Any]]:
    match verdict:
        case Done():
            return ItemState.DISMISSED, {"state_reason": NO_REPLY}
        case NotUs():
            return ItemState.DISMISSED, {"state_reason": NOT_US}
        case Snooze(until):
            return ItemState.SNOOZED, {"snoozed_until": until}
        case ToTeam(team):
            return ItemState.QUEUED, {"team": team}


def _must_answer(session: Session, brand: str, person_id: int) -> None:
    roles = session.scalar(
        select(MembershipRow.roles)
        .join(PersonRow, PersonRow.id == MembershipRow.person_id)
        .where(MembershipRow.brand == brand, MembershipRow.person_id == person_id, PersonRow.active)
    )
    if not roles or "responder" not in roles:
        raise NotAMember(f"person {person_id} is no responder of brand {brand!r}; choose another")


def undo(
    session: Session, who: Viewer, item_id: int, expect: int, now: datetime, *, client: str = ""
) -> int:
    """Take back one's own last verdict on an item; its new version.

    Who had accepted the item holds it again, if they still answer for the brand; else it goes
    back into the queue, as it does when it was only offered. Raises Stale when the last thing
    that happened to the item is not a verdict of this person from the last five minutes.
    """
    event = last_event(session, who.brand, item_id)
    ours = event is not None and event.actor == who.actor and "verdict" in (event.why or {})
    if event is None or not ours or now - event.at > UNDO_WITHIN:
        raise Stale(f"item {item_id} has no verdict of yours that could be taken back")
    before = stood(session, event)
    to, hold = ItemState(before.pop("state")), None
    holder = before.pop("assignee_id")
    if to in HELD:
        hold = assignments.held_until(session, who.brand, item_id, holder or 0, event.at)
        to = ItemState.QUEUED if hold is None else to
    why = {"taken_back": (event.why or {})["verdict"]}
    return lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=who.brand,
            actor=who.actor,
            at=now,
            to=to,
            kind=EventKind.ITEM_UNDONE,
            why=why | ({"client": client} if client else {}),
            columns=before,
            expect=expect,
            hold=hold,
            ended="undone",
        ),
    )


def last_event(session: Session, brand: str, item_id: int) -> EventRow | None:
    """What happened to an item last."""
    return session.scalars(
        select(EventRow)
        .where(EventRow.item_id == item_id, EventRow.brand == brand)
        .order_by(EventRow.seq.desc())
        .limit(1)
    ).first()


def stood(session: Session, event: EventRow) -> dict[str, Any]:
    """State, assignee and all other columns that the event changed, as they were before it.

    An event says only what it changed: what it left alone is as it was.
    """
    now = session.execute(
        select(ItemRow.state, ItemRow.assignee_id).where(ItemRow.id == event.item_id)
    ).one()
    before = {name: _restored(name, value) for name, value in (event.before or {}).items()}
    return now._asdict() | before


def _restored(name: str, value: Any) -> Any:
    """A column's value from an event, where times are text."""
    if isinstance(value, str) and isinstance(getattr(ItemRow, name).type, Utc):
        return datetime.fromisoformat(value)
    return value
