"""Slows down guessing: after a few failures each further attempt has to wait longer.

The failures are in the database, so that all desks count together and a restart forgets
none. Who has to wait costs a read. Who need not writes a few small rows before the password
is looked at: no more often than passwords can be hashed. The rules are in
`dashboard.accounts.login_backoff`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import ColumnElement, and_, case, delete, or_, select, update
from sqlalchemy.orm import Session

from dashboard.accounts.login_backoff import (
    AHEAD,
    BACKOFFS,
    FORGET,
    Backoff,
    Failures,
    Kind,
    Place,
    pause,
    places,
    wait,
)
from earshot.database import db
from earshot.database.db import Sessions
from earshot.database.tables import SignInFailureRow as Row

KEPT = 10_000
"""How many counts of each kind are kept; beyond that the oldest are dropped."""

TRIM_EVERY = 100
"""After so many attempts each desk drops what is over: so many more may be kept for a moment."""


class Throttle:
    """Attempts to sign in, counted for all desks on the database."""

    def __init__(
        self, sessions: Sessions, readers: Sessions, *, kept: int = KEPT, every: int = TRIM_EVERY
    ) -> None:
        self._sessions = sessions
        self._readers = readers
        self._kept = kept
        self._every = every
        self._attempts = count()

    def attempt(self, address: str, account: str, now: datetime) -> timedelta:
        """How long to wait; nothing: the attempt may be made.

        It counts as failed until it succeeds, so that a hundred at once are a hundred failures.
        """
        where = places(address, account)
        with self._readers.begin() as reading:
            left = _left(reading, where, now)
        if left:
            return left
        with self._sessions() as session:
            for place in where:
                if not _count(session, place, now):  # another attempt was faster
                    return _left(session, [place], now)  # leaving takes back what was counted
            session.commit()
        if next(self._attempts) % self._every == 0:
            with self._sessions.begin() as session:
                trim(session, now, self._kept)
        return timedelta(0)

    def succeeded(self, address: str, account: str) -> None:
        """Forget the failures at this account.

        Of the address only this attempt is taken back: who has an account of their own could
        clear it between two guesses at others.
        """
        with self._sessions.begin() as session:
            for place in places(address, account):
                here = Row.place_hash == place.hash
                if place.kind is Kind.ADDRESS:
                    taken_back = update(Row).where(here, Row.count > 0)
                    session.execute(taken_back.values(count=Row.count - 1))
                else:
                    session.execute(delete(Row).where(here))


def _left(session: Session, where: Sequence[Place], now: datetime) -> timedelta:
    """The longest wait of these places."""
    rows = session.execute(
        select(Row.kind, Row.count, Row.last_at).where(
            Row.place_hash.in_([place.hash for place in where])
        )
    )
    waits = [wait(Failures(n, last), BACKOFFS[Kind(kind)], now) for kind, n, last in rows]
    return max(waits, default=timedelta(0))


def _count(session: Session, place: Place, now: datetime) -> bool:
    """Count a failure there, unless it has to wait; whether it was counted. One statement."""
    statement = (
        db.insert_into(session, Row)
        .values(place_hash=place.hash, kind=place.kind, count=1, last_at=now)
        .on_conflict_do_update(
            index_elements=["place_hash"],
            set_={"count": case((_forgotten(now), 1), else_=Row.count + 1), "last_at": now},
            where=_may_try(BACKOFFS[place.kind], now),
        )
        .returning(Row.place_hash)
    )
    return session.scalar(statement) is not None


def _may_try(backoff: Backoff, now: datetime) -> ColumnElement[bool]:
    """What `wait(…) == 0` is in SQL."""
    reached = next(n for n in count(backoff.free) if pause(n, backoff) == backoff.longest)
    waited = [
        and_(Row.count == n, Row.last_at <= now - pause(n, backoff))
        for n in range(backoff.free, reached)
    ]
    longest = and_(Row.count >= reached, Row.last_at <= now - backoff.longest)
    return or_(Row.count < backoff.free, _forgotten(now), *waited, longest)


def _forgotten(now: datetime) -> ColumnElement[bool]:
    return or_(Row.last_at < now - FORGET, Row.last_at > now + AHEAD)


def trim(session: Session, now: datetime, kept: int) -> None:
    """Drop what is forgotten, and of each kind all but the newest `kept`.

    Rows that an attempt holds are passed over: so nobody waits for anybody in a circle.
    """
    for kind in Kind:
        of_kind = Row.kind == kind
        newest = select(Row.last_at).where(of_kind).order_by(Row.last_at.desc())
        oldest_kept = session.scalar(newest.offset(kept - 1).limit(1))
        before = max(now - FORGET, oldest_kept or now - FORGET)
        gone = or_(Row.last_at < before, _forgotten(now))
        over = select(Row.place_hash).where(of_kind, gone)
        session.execute(
            delete(Row)
            .where(Row.place_hash.in_(over.with_for_update(skip_locked=True)))
            .execution_options(synchronize_session=False)
        )
