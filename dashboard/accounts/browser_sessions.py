"""Signed-in browsers: rows of the table `session`, found by the hash of a cookie."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.orm import Session

from dashboard.accounts.people import token_hash
from dashboard.accounts.permissions import granted
from dashboard.frame.app_context import Viewer
from earshot.database.tables import MembershipRow, PersonRow, SessionRow
from earshot.domain import Role

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=14)
_KEY = 16
CLOCKS_DIFFER = timedelta(minutes=5)
"""A session that would last longer than this beyond `ABSOLUTE` began before the clock was set
back: it is over, or it would be good for as long as the clock was ahead."""

TOUCH = timedelta(seconds=30)
"""A session and a membership say at most this often that their person is there."""


@dataclass(frozen=True, slots=True)
class Found:
    """A live session: its viewer, and when it was last used."""

    viewer: Viewer
    session_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its owner sees it; `key` names it without giving away its token."""

    key: str
    agent: str
    made_at: datetime
    seen_at: datetime


def begin(session: Session, person_id: int, agent: str, now: datetime) -> str | None:
    """Sign a person in; the new token. None when they have no brand or no account any more."""
    brand = session.scalar(
        select(MembershipRow.brand)
        .join(PersonRow, PersonRow.id == MembershipRow.person_id)
        .where(MembershipRow.person_id == person_id, PersonRow.active)
        .order_by(MembershipRow.brand)
        .limit(1)
        .with_for_update(read=True, of=PersonRow)  # it is not disabled before this is committed
    )
    if brand is None:
        return None
    token = secrets.token_urlsafe(32)
    session.execute(
        delete(SessionRow).where(
            SessionRow.person_id == person_id,
            or_(SessionRow.ends_at <= now, SessionRow.seen_at <= now - IDLE),
        )
    )
    session.execute(
        insert(SessionRow).values(
            token_hash=token_hash(token),
            person_id=person_id,
            brand=brand,
            made_at=now,
            seen_at=now,
            ends_at=now + ABSOLUTE,
            agent=agent[:200],
        )
    )
    return token


def find(session: Session, token: str, now: datetime) -> Found | None:
    """Who holds `token`; None when it is unknown, over, idle for too long, or barred."""
    row = session.execute(
        select(SessionRow, PersonRow)
        .join(PersonRow, PersonRow.id == SessionRow.person_id)
        .where(
            SessionRow.token_hash == token_hash(token),
            SessionRow.ends_at > now,
            SessionRow.ends_at <= now + ABSOLUTE + CLOCKS_DIFFER,
            SessionRow.seen_at > now - IDLE,
            PersonRow.active,
        )
    ).first()
    if row is None:
        return None
    browser, person = row
    places = {
        place.brand: place
        for place in session.scalars(
            select(MembershipRow).where(MembershipRow.person_id == person.id)
        )
    }
    if not places:
        return None
    brand = browser.brand if browser.brand in places else min(places)
    place = places[brand]
    roles = frozenset(Role(role) for role in place.roles)
    seen = Viewer(
        person_id=person.id,
        name=person.name,
        email=person.email,
        brand=brand,
        brands=tuple(sorted(places)),
        roles=roles,
        teams=tuple(place.teams),
        permissions=granted(roles),
        timezone=_zone(person.timezone),
        locale=person.locale,
        theme=person.theme,
        single_keys=person.single_keys,
        on_duty=place.on_duty,
    )
    return Found(seen, browser.seen_at)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def touch(session: Session, token: str, now: datetime) -> None:
    """Note that the browser was used."""
    session.execute(
        update(SessionRow).where(SessionRow.token_hash == token_hash(token)).values(seen_at=now)
    )


def attend(session: Session, who: Viewer, now: datetime, *, acted: bool) -> None:
    """Note that the person is there: the router offers work to people who are.

    An open page (`acted` False) shows presence, but only an act clears the suspicion that
    an offer left unanswered has raised.
    """
    values: dict[str, datetime | None] = {"seen_at": now}
    if acted:
        values["suspect_until"] = None
    session.execute(
        update(MembershipRow)
        .where(MembershipRow.brand == who.brand, MembershipRow.person_id == who.person_id)
        .values(values)
    )


def switch_brand(session: Session, token: str, brand: str) -> None:
    """Look at another brand; the caller has checked that the person belongs to it."""
    session.execute(
        update(SessionRow).where(SessionRow.token_hash == token_hash(token)).values(brand=brand)
    )


def end(session: Session, token: str) -> None:
    """Sign this browser out."""
    session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash(token)))


def sessions_of(session: Session, person_id: int, now: datetime) -> list[Listed]:
    """The live sessions of a person, the last used first."""
    rows = session.scalars(
        select(SessionRow)
        .where(
            SessionRow.person_id == person_id,
            SessionRow.ends_at > now,
            SessionRow.seen_at > now - IDLE,
        )
        .order_by(SessionRow.seen_at.desc())
    )
    return [Listed(public_key(row.token_hash), row.agent, row.made_at, row.seen_at) for row in rows]


def public_key(hashed: str) -> str:
    """A name of a session for forms: a part of the hash, from which no token follows."""
    return hashed[:_KEY]


def revoke(session: Session, person_id: int, key: str) -> bool:
    """End one session of a person by its public key; whether there was one."""
    if len(key) != _KEY:
        return False
    gone = session.execute(
        delete(SessionRow)
        .where(
            SessionRow.person_id == person_id,
            SessionRow.token_hash.startswith(key, autoescape=True),
        )
        .returning(SessionRow.token_hash)
    )
    return gone.first() is not None
