"""People and what they may do: made here, for the pages and for the command line."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from dashboard.accounts.passwords import hash_password
from earshot.database import db
from earshot.database.tables import MembershipRow, PersonRow, SessionRow, SignInLinkRow
from earshot.domain import Role

_EMAIL_LIMIT = 254


class PersonError(Exception):
    """A person could not be made; the message says why and what to do."""


def token_hash(token: str) -> str:
    """What is kept of a secret token. It has 256 random bits, so a fast hash is enough."""
    return sha256(token.encode()).hexdigest()


def normal_email(email: str) -> str:
    """An address as accounts are compared by: trimmed, lower case."""
    return email.strip().lower()


def create_person(session: Session, email: str, name: str, now: datetime) -> int:
    """A new person without a password; their id. Raises PersonError."""
    address = normal_email(email)
    if "@" not in address[1:-1] or len(address) > _EMAIL_LIMIT:
        raise PersonError(f"{email!r} is not an e-mail address; write name@host")
    if not name.strip():
        raise PersonError(f"{address}: a person needs a name")
    if session.scalar(select(PersonRow.id).where(PersonRow.email == address)) is not None:
        raise PersonError(f"{address} has an account already; make a sign-in link for it instead")
    made = session.execute(
        insert(PersonRow).values(email=address, name=name.strip(), created_at=now)
    )
    return int(made.inserted_primary_key[0])  # type: ignore[attr-defined]  # an INSERT has a key


def join(
    session: Session,
    brand: str,
    person_id: int,
    *,
    roles: Iterable[Role],
    teams: Iterable[str] = (),
    skills: Mapping[str, int] | None = None,
    langs: Iterable[str] = (),
    slots: int = 4,
    on_duty: bool = False,
) -> None:
    """Give a person their place in a brand, or change it."""
    row = {
        "brand": brand,
        "person_id": person_id,
        "roles": [role.value for role in roles],
        "teams": list(teams),
        "skills": dict(skills or {}),
        "langs": list(langs),
        "slots": slots,
        "on_duty": on_duty,
    }
    settable = [name for name in row if name not in ("brand", "person_id")]
    db.upsert(session, MembershipRow, [row], key=("brand", "person_id"), replace=settable)


def set_password(session: Session, person_id: int, password: str) -> None:
    """Set a password, and end every session and link of the person.

    Raises WeakPassword, PersonError.
    """
    done = session.execute(
        update(PersonRow)
        .where(PersonRow.id == person_id)
        .values(password_hash=hash_password(password))
        .returning(PersonRow.id)
    )
    if done.first() is None:
        raise PersonError(f"there is no person {person_id}")
    session.execute(delete(SessionRow).where(SessionRow.person_id == person_id))
    end_links(session, person_id)


def sign_in_link(session: Session, person_id: int, now: datetime, ttl: timedelta) -> str:
    """The token of a new one-time link `/signin/<token>`, valid for `ttl`; earlier ones end."""
    end_links(session, person_id)
    token = secrets.token_urlsafe(32)
    session.execute(
        insert(SignInLinkRow).values(
            token_hash=token_hash(token), person_id=person_id, ends_at=now + ttl
        )
    )
    return token


def may_sign_in(session: Session, person_id: int) -> bool:
    """Whether the account is not disabled."""
    return bool(session.scalar(select(PersonRow.active).where(PersonRow.id == person_id)))


def has_signed_in(session: Session, person_id: int) -> bool:
    """Whether the person ever used a link, or has a password or a signed-in browser."""
    used = exists().where(SignInLinkRow.person_id == person_id, SignInLinkRow.used_at.is_not(None))
    signed_in = exists().where(SessionRow.person_id == person_id)
    password = exists().where(PersonRow.id == person_id, func.length(PersonRow.password_hash) > 0)
    return bool(session.scalar(select(or_(used, signed_in, password))))


def end_links(session: Session, person_id: int) -> None:
    """End every link of a person that was not used."""
    session.execute(
        delete(SignInLinkRow).where(
            SignInLinkRow.person_id == person_id, SignInLinkRow.used_at.is_(None)
        )
    )


def use_sign_in_link(session: Session, token: str, now: datetime) -> int | None:
    """Use up a link, and end the person's others: their id.

    None when it is unknown, used or over, or when its person's account is disabled.
    """
    person_id = session.scalar(
        update(SignInLinkRow)
        .where(
            SignInLinkRow.token_hash == token_hash(token),
            SignInLinkRow.used_at.is_(None),
            SignInLinkRow.ends_at > now,
            SignInLinkRow.person_id.in_(select(PersonRow.id).where(PersonRow.active)),
        )
        .values(used_at=now)
        .returning(SignInLinkRow.person_id)
        .execution_options(synchronize_session=False)
    )
    if person_id is not None:
        end_links(session, person_id)
    return person_id
