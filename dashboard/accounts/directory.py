"""Accounts as a whole: who has one, what they may do where, and closing and opening one again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from dashboard.accounts import people
from dashboard.accounts.people import PersonError
from earshot.database.tables import ItemRow, MembershipRow, PersonRow, SessionRow
from earshot.domain import ItemState, Role
from earshot.items import assignments, lifecycle
from earshot.items.events import EventKind
from earshot.items.holding import HELD
from earshot.items.lifecycle import Change

DISABLED = "the account was disabled"
"""Why an item came back; more than that is nobody's business."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a person may do for one brand."""

    brand: str
    roles: Sequence[str]
    teams: Sequence[str]
    langs: Sequence[str]
    slots: int
    on_duty: bool


@dataclass(frozen=True, slots=True)
class Account:
    """A person who can sign in or, not `active`, no more. `places` are sorted by brand."""

    id: int
    email: str
    name: str
    active: bool
    simulated: bool
    places: Sequence[Place] = field(default=())


def accounts(session: Session) -> list[Account]:
    """Everybody, by address."""
    places: dict[int, list[Place]] = {}
    for row in session.scalars(select(MembershipRow).order_by(MembershipRow.brand)):
        place = Place(row.brand, row.roles, row.teams, row.langs, row.slots, row.on_duty)
        places.setdefault(row.person_id, []).append(place)
    found = session.scalars(select(PersonRow).order_by(PersonRow.email))
    return [
        Account(p.id, p.email, p.name, p.active, p.simulated, places.get(p.id, ())) for p in found
    ]


def known(session: Session, email: str) -> PersonRow:
    """The person of an address. Raises PersonError."""
    address = people.normal_email(email)
    found = session.scalar(select(PersonRow).where(PersonRow.email == address))
    if found is None:
        raise PersonError(f"{address} has no account; `earshot person list` names all")
    return found


@dataclass(frozen=True, slots=True)
class Closed:
    """What ended with an account: signed-in browsers, and items that went back to the queue."""

    sessions: int
    items: int


def disable(session: Session, person_id: int, actor: str, now: datetime) -> Closed | None:
    """Close an account at once: its sessions and links end, and what it holds goes back.

    Items keep their age, the person's drafts stay, and a reply that is on its way is sent. None
    when it was closed before. Raises PersonError for the last admin of a brand, and Stale when
    an item changed meanwhile: nothing was changed then.
    """
    _keep_an_admin(session, person_id)
    done = session.execute(
        update(PersonRow)
        .where(PersonRow.id == person_id, PersonRow.active)
        .values(active=False)
        .returning(PersonRow.id)
    )
    if done.first() is None:
        return None
    # also the guard against an offer that was decided on before: it asks who is on duty
    brands = session.scalars(
        update(MembershipRow)
        .where(MembershipRow.person_id == person_id)
        .values(on_duty=False)
        .returning(MembershipRow.brand)
    ).all()
    people.end_links(session, person_id)
    ended = session.execute(
        delete(SessionRow).where(SessionRow.person_id == person_id).returning(SessionRow.token_hash)
    ).all()
    items = _give_back(session, person_id, actor, now)
    _note(session, sorted(brands), now, actor, EventKind.PERSON_DISABLED, person_id, before=True)
    return Closed(len(ended), items)


def enable(session: Session, person_id: int, actor: str, now: datetime) -> bool:
    """Open a closed account with the roles it had; False when it was open.

    Its items and links don't come back, and it is off duty until the person says otherwise.
    """
    done = session.execute(
        update(PersonRow)
        .where(PersonRow.id == person_id, ~PersonRow.active)
        .values(active=True)
        .returning(PersonRow.id)
    )
    if done.first() is None:
        return False
    places = select(MembershipRow.brand).where(MembershipRow.person_id == person_id)
    brands = sorted(session.scalars(places))
    _note(session, brands, now, actor, EventKind.PERSON_ENABLED, person_id, before=False)
    return True


def _keep_an_admin(session: Session, person_id: int, brand: str = "") -> None:
    """Raise PersonError if `brand`, or any, would be left without an admin who can sign in."""
    admins: dict[str, set[int]] = {}
    # locked, so that two admins can't disable each other at once
    rows = session.execute(
        select(MembershipRow.brand, MembershipRow.person_id, MembershipRow.roles)
        .join(PersonRow, PersonRow.id == MembershipRow.person_id)
        .where(PersonRow.active, *([MembershipRow.brand == brand] if brand else []))
        .order_by(MembershipRow.brand, MembershipRow.person_id)
        .with_for_update()
    )
    for row in rows:
        if Role.ADMIN in row.roles:
            admins.setdefault(row.brand, set()).add(row.person_id)
    last = [name for name, ids in sorted(admins.items()) if ids == {person_id}]
    if last:
        raise PersonError(
            f"nobody else is an admin of {', '.join(last)}; make somebody one first with"
            f" `earshot person add EMAIL NAME --brand {last[0]} --role admin`"
        )


def _give_back(session: Session, person_id: int, actor: str, now: datetime) -> int:
    """Put what the person holds back into the queue, in every brand; how many items that were.

    An item whose reply is on its way stays theirs until that has ended: it is answered then, or
    queued if the reply fails.
    """
    held = session.execute(
        select(ItemRow.id, ItemRow.brand, ItemRow.version)
        .where(
            ItemRow.assignee_id == person_id,
            ItemRow.state.in_(sorted(HELD - {ItemState.SENDING})),
        )
        .order_by(ItemRow.id)
        .with_for_update()
    ).all()
    for item in held:
        change = Change(
            item_id=item.id,
            brand=item.brand,
            actor=actor,
            at=now,
            why={"reason": DISABLED, "person": person_id},
            expect=item.version,
        )
        assignments.release(session, change)
    return len(held)


def _note(
    session: Session,
    brands: Sequence[str],
    now: datetime,
    actor: str,
    kind: EventKind,
    person_id: int,
    *,
    before: bool,
) -> None:
    event = {
        "subject": str(person_id),
        "before": {"active": before},
        "after": {"active": not before},
    }
    for brand in brands:
        lifecycle.record(session, brand, now, actor, kind, [event])


# ------------------------------------------------------------------ a place in a brand


def differences(
    session: Session, brand: str, person_id: int, wanted: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]] | None:
    """Of the columns in `wanted`, those that differ: as they are, and as they would be.

    None when the person has no place in the brand.
    """
    place = session.get(MembershipRow, (brand, person_id))
    if place is None:
        return None
    found = {name: (getattr(place, name), value) for name, value in wanted.items()}
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def change_place(
    session: Session,
    brand: str,
    person_id: int,
    wanted: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> None:
    """Change these columns of a person's place, and nothing else of it.

    Raises PersonError when that takes the brand's last admin away.
    """
    differ = differences(session, brand, person_id, wanted)
    if not differ:
        return
    if "roles" in differ and Role.ADMIN not in wanted["roles"]:
        _keep_an_admin(session, person_id, brand)
    session.execute(
        update(MembershipRow)
        .where(MembershipRow.brand == brand, MembershipRow.person_id == person_id)
        .values(**{name: after for name, (_, after) in differ.items()})
    )
    event = {
        "subject": str(person_id),
        "before": {name: before for name, (before, _) in differ.items()},
        "after": {name: after for name, (_, after) in differ.items()},
    }
    lifecycle.record(session, brand, now, actor, EventKind.PERSON_CHANGED, [event])
