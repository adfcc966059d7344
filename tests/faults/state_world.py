"""Router, sweeper, people and senders on one database, in one process that may die at any step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from collectors.send import Sender
from earshot import brand as brands
from earshot.database import db
from earshot.database.tables import MembershipRow, ReplyRow
from earshot.domain import Classified, ReplyState
from earshot.runtime import crash_points
from earshot.runtime.crash_points import CrashPoint
from earshot.runtime.metrics import Metrics
from router import sweep
from router.policy.policy_file import load_policies
from router.route import Router
from tests.builders import ManualClock, a_classified
from tests.collectors.delivery.silent_platform import SilentPlatform
from tests.faults.responders import answer, held_items, hire, viewer
from tests.rows import a_person, database
from tests.system import ROOT

SOURCE = "sim"
LEASE_S = 90.0
PEOPLE = (1, 2)


class Died(BaseException):
    """The process is gone. Not an Exception: nothing may handle it."""


@contextmanager
def dying_at(step: int) -> Iterator[None]:
    """Die when the step numbered `step` (from 0) is passed; never when it is negative."""
    passed = [0]

    def count(point: CrashPoint) -> None:
        passed[0] += 1
        if passed[0] - 1 == step:
            raise Died(point)

    crash_points.watch(count)
    try:
        yield
    except Died:
        pass
    finally:
        crash_points.watch(None)


class Installation:
    """The real code of every stage behind the log, on `engine`: SQLite in memory unless given."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.clock = ManualClock()
        self.platform = SilentPlatform(self.clock)
        self.engine = engine or database()
        self.sessions = db.open_sessions(self.engine)
        folder = ROOT / "config/brands"
        self.policies = load_policies(folder, brands.load(folder))
        self.collected: list[Classified] = []
        with self.sessions.begin() as session:
            for person in PEOPLE:
                session.add(a_person(person))
                session.flush()
                hire(session, person)

    def write(self, number: int) -> Classified:
        """A post that somebody should answer, at the present time."""
        name = str(number)
        now = self.clock()
        return a_classified(native_id=name, thread=name, published_at=now, collected_at=now)

    def route(self, batch: Sequence[Classified]) -> None:
        Router(self.sessions, self.policies, self.clock).handle(batch)

    def sweep(self) -> None:
        with self.sessions.begin() as session:
            for row in session.scalars(select(MembershipRow)):
                row.seen_at = self.clock()
        sweep.tick(self.sessions, self.policies, self.clock(), thorough=True)

    def answer(self, person: int) -> int:
        """The person answers what they hold; how many replies that made."""
        made = 0
        with self.sessions.begin() as session:
            mine = [item for who, item in held_items(session) if who == person]
        for item in mine:
            with self.sessions.begin() as session:
                made += bool(answer(session, viewer(person), item, self.clock()))
        return made

    def send(self, owner: str) -> int:
        return Sender(
            responders={SOURCE: self.platform},
            sessions=self.sessions,
            metrics=Metrics("send"),
            clock=self.clock,
            owner=owner,
            lease_s=LEASE_S,
            confirm_after_s=2.0,
        ).tick()

    def reading(self, session: Session) -> list[ReplyRow]:
        return list(session.scalars(select(ReplyRow)))

    def next_moment_s(self) -> float | None:
        """In how many seconds a reply falls due; None when all have ended."""
        with self.sessions.begin() as session:
            pending = [
                row
                for row in self.reading(session)
                if row.state not in (ReplyState.CONFIRMED, ReplyState.FAILED)
            ]
        if not pending:
            return None
        moments = [
            max(filter(None, (row.not_before, row.lease_until)), default=self.clock.now)
            for row in pending
        ]
        return max(0.001, (min(moments) - self.clock.now).total_seconds() + 0.001)
