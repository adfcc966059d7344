"""Whether the clock may be believed before something is destroyed for its age.

A clock that goes ahead makes everything old. So a purge is held back when the clock moved ahead
of the monotonic one, or when it shows a time long after the last that happened here. The hold is
a row: it outlives a restart, and whatever is written meanwhile with the wrong time. It ends when
the clock comes back, or when a person says that the clock is right.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import case, literal, select, update
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.db import Sessions
from earshot.database.tables import ClockWatchRow, EventRow, SourceHealthRow, Utc
from earshot.items.events import EventKind
from earshot.items.lifecycle import record
from earshot.runtime.metrics import Metrics

logger = logging.getLogger(__name__)

QUIET = timedelta(days=7)
"""How long nothing may have happened before the clock is doubted rather than the silence."""

JUMP = timedelta(minutes=10)
"""How far the clock may get ahead of the monotonic one: corrections are smaller."""

LOOK_EVERY_S = 60.0
"""How often the row is read, and the time noted at which the clock was believed."""

REMEDY = "see that the clock is right, then run `earshot purge --confirm`"

_ONE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """When the clock was last believed, and since when and why it is doubted, in UTC."""

    trusted_at: datetime | None = None
    held_at: datetime | None = None
    reason: str = ""


def doubt(now: datetime, ahead: timedelta, last_sign: datetime | None) -> str:
    """Why `now` is not believed; empty: it is. Pure.

    `ahead` is how far the clock got ahead of the monotonic one, `last_sign` when something last
    happened here (None: never).
    """
    if ahead > JUMP:
        return f"the clock went ahead by {_in_words(ahead)} at once, to {now:%Y-%m-%d %H:%M} UTC"
    if last_sign is not None and now - last_sign > QUIET:
        return (
            f"the clock shows {now:%Y-%m-%d %H:%M} UTC, {_in_words(now - last_sign)} after the"
            f" last that happened here ({last_sign:%Y-%m-%d %H:%M} UTC)"
        )
    return ""


def is_back(now: datetime, ahead: timedelta | None, seen: Seen) -> bool:
    """Whether a doubted clock came back by itself. Pure.

    `ahead` is None for a process that did not see it go: then it must have come back behind the
    middle between the time last believed and the time doubted, and not be doubted by itself.
    """
    if ahead is not None:
        return abs(ahead) <= JUMP
    if seen.held_at is None or seen.trusted_at is None or now - seen.trusted_at > QUIET:
        return False
    return now < seen.trusted_at + (seen.held_at - seen.trusted_at) / 2


def _in_words(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if hours >= 48:  # noqa: PLR2004 -- two days
        return f"{span.days} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"  # noqa: PLR2004


def since_boot_s() -> float:
    """Seconds of a clock that nobody sets; on Linux one that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass
class ClockWatch:
    """One process's eye on the clock. Any number may watch at once: they share the row."""

    sessions: Sessions
    metrics: Metrics
    actor: str = "role:maintain"
    monotonic: Callable[[], float] = since_boot_s
    reason: str = field(default="", init=False)
    _base: tuple[datetime, float] | None = field(default=None, init=False)
    _looked_s: float | None = field(default=None, init=False)
    _saw_it_go: bool = field(default=False, init=False)

    def doubts(self, now: datetime) -> str:
        """Why nothing may be destroyed for its age now; empty: the clock is believed.

        Asks the database once a minute, and when the clock has moved. Raises what it raises.
        """
        elapsed_s = self.monotonic()
        ahead = timedelta()
        if self._base is not None:
            ahead = now - self._base[0] - timedelta(seconds=elapsed_s - self._base[1])
        rested = self._looked_s is None or elapsed_s - self._looked_s >= LOOK_EVERY_S
        if rested or (abs(ahead) > JUMP) != self._saw_it_go:
            self._looked_s = elapsed_s
            was, self.reason = self.reason, self._look(now, ahead)
            if not self.reason:
                self._saw_it_go, self._base = False, (now, elapsed_s)
            elif self._base is None:
                self._base = (now, elapsed_s)
            self.metrics.set("purge_held", 1.0 if self.reason else 0.0)
            _tell(was, self.reason)
        return self.reason

    def _look(self, now: datetime, ahead: timedelta) -> str:
        with self.sessions.begin() as session:
            seen = read(session)
            if seen.held_at is not None:
                if not is_back(now, ahead if self._saw_it_go else None, seen):
                    return seen.reason
            elif self.reason:
                return ""  # a person has confirmed meanwhile that the clock is right
            elif why := self._doubt(now, ahead, seen, last_sign(session, seen)):
                self._saw_it_go = ahead > JUMP
                return hold(session, now, why, self.actor)
            believe(session, now)
            return ""

    def _doubt(self, now: datetime, ahead: timedelta, seen: Seen, last: datetime | None) -> str:
        before = self._base[0] if self._base else now
        if seen.trusted_at is not None and before < seen.trusted_at - JUMP:
            ahead = timedelta()  # it was behind, as at the start of a machine without a battery
        return doubt(now, ahead, last)


def _tell(was: str, reason: str) -> None:
    if reason and reason != was:
        logger.warning("nothing is purged", extra={"reason": reason, "remedy": REMEDY})
    elif was and not reason:
        logger.warning("the clock is believed again, purging goes on")


# ------------------------------------------------------------------ the row


def read(session: Session) -> Seen:
    """What is noted of the clock."""
    row = session.get(ClockWatchRow, _ONE)
    if row is None:
        return Seen()
    return Seen(trusted_at=row.trusted_at, held_at=row.held_at, reason=row.reason)


def last_sign(session: Session, seen: Seen) -> datetime | None:
    """When something last happened here: the clock was believed or, before that, an event."""
    if seen.trusted_at is not None:
        return seen.trusted_at
    return session.scalar(select(EventRow.at).order_by(EventRow.seq.desc()).limit(1))


def standing(session: Session, now: datetime) -> str:
    """Why a purge is held back, for a process that has just begun; empty: it is not."""
    seen = read(session)
    return seen.reason if seen.held_at else doubt(now, timedelta(), last_sign(session, seen))


def hold(session: Session, now: datetime, reason: str, actor: str) -> str:
    """Hold back every purge from now on; why it is held, which another may have said first."""
    trusted_at = last_sign(session, Seen()) or now
    row = {"id": _ONE, "trusted_at": trusted_at, "held_at": now, "reason": reason}
    if not db.insert_new(session, ClockWatchRow, [row]):
        session.execute(
            update(ClockWatchRow)
            .where(ClockWatchRow.id == _ONE, ClockWatchRow.held_at.is_(None))
            .values(held_at=now, reason=reason)
        )
    session.expire_all()
    _note(session, now, actor, EventKind.PURGE_HELD, reason)
    return read(session).reason


def believe(session: Session, now: datetime) -> None:
    """Note that the clock is believed at `now`, and end a hold. The time noted never goes back."""
    row = {"id": _ONE, "trusted_at": now, "held_at": None, "reason": ""}
    if not db.insert_new(session, ClockWatchRow, [row]):
        session.execute(
            update(ClockWatchRow)
            .where(ClockWatchRow.id == _ONE)
            .values(
                held_at=None,
                reason="",
                trusted_at=case(
                    (ClockWatchRow.trusted_at > now, ClockWatchRow.trusted_at),
                    else_=literal(now, Utc()),
                ),
            )
        )


def confirm(session: Session, now: datetime, actor: str) -> None:
    """A person says that the clock is right: whatever was held back goes on."""
    why = standing(session, now)
    row = {"id": _ONE, "trusted_at": now, "held_at": None, "reason": ""}
    db.upsert(
        session, ClockWatchRow, [row], key=("id",), replace=("trusted_at", "held_at", "reason")
    )
    if why:
        _note(session, now, actor, EventKind.PURGE_CONFIRMED, why)


def _note(session: Session, now: datetime, actor: str, kind: EventKind, reason: str) -> None:
    """One event for each brand, for whom this concerns are its data."""
    brands = session.scalars(select(SourceHealthRow.brand).distinct()).all()
    for brand in sorted(brands):
        record(session, brand, now, actor, kind, [{"why": {"reason": reason}}])
