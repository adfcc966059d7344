"""A database with replies in it, a sender that can be made to die, and a driver of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from collectors.contract.source import Answer, Outcome, Responder, Thread
from collectors.send import Sender
from earshot.database import db
from earshot.database.tables import ReplyRow
from earshot.domain import ItemState, ReplyState
from earshot.runtime.metrics import Metrics
from tests.builders import ManualClock
from tests.rows import a_mention_row, a_person, a_reply, add_item, an_item

LEASE_S = 90.0
SETTLED = (ReplyState.CONFIRMED, ReplyState.FAILED, ReplyState.WITHDRAWN)


class Died(BaseException):
    """The sender's process is gone. Not an Exception: nothing may handle it."""


@dataclass
class Reaper:
    """Takes the sender at the step numbered `at` (from 0); never when `at` is negative."""

    at: int = -1
    step: int = field(default=0, init=False)

    def pass_by(self) -> None:
        self.step += 1
        if self.step - 1 == self.at:
            raise Died

    @property
    def came(self) -> bool:
        return 0 <= self.at < self.step


class MortalSessions(sessionmaker[Session]):
    """Sessions whose owner may die before a transaction, before its commit, or after it."""

    def __init__(self, engine: Engine, reaper: Reaper) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._reaper = reaper

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self._reaper.pass_by()
        with super().begin() as session:
            yield session
            self._reaper.pass_by()
        self._reaper.pass_by()


@dataclass
class MortalResponder:
    """A responder whose caller may die before a call, or after it had its effect."""

    inner: Responder
    reaper: Reaper

    def __post_init__(self) -> None:
        self.platform = self.inner.platform
        self.settle_s = self.inner.settle_s

    def send(self, answer: Answer) -> Outcome:
        self.reaper.pass_by()
        outcome = self.inner.send(answer)
        self.reaper.pass_by()
        return outcome

    def read(self, answer: Answer) -> Thread:
        self.reaper.pass_by()
        thread = self.inner.read(answer)
        self.reaper.pass_by()
        return thread

    def close(self) -> None:
        self.inner.close()


def a_sender(
    engine: Engine,
    responder: Responder,
    clock: ManualClock,
    reaper: Reaper | None = None,
    owner: str = "test",
) -> Sender:
    reaper = reaper or Reaper()
    return Sender(
        responders={"sim": MortalResponder(responder, reaper)},
        sessions=MortalSessions(engine, reaper),
        metrics=Metrics("send"),
        clock=clock,
        owner=owner,
        lease_s=LEASE_S,
        confirm_after_s=2.0,
    )


def store_replies(engine: Engine, native_ids: Sequence[str], **changes: Any) -> None:
    """One item a native id, held by person 1, its answer in the outbox and `sending`."""
    with db.open_sessions(engine).begin() as session:
        session.add(a_person())
        session.flush()
        for number, native_id in enumerate(native_ids, 1):
            item = an_item(f"simulator:{native_id}", state=ItemState.SENDING, assignee_id=1)
            add_item(session, item)
            session.add(a_mention_row(native_id))
            session.add(a_reply(number, native_id, **changes))


def next_moment(engine: Engine, clock: ManualClock) -> float | None:
    """How many seconds until something is due again; None when every reply is settled."""
    with db.open_sessions(engine).begin() as session:
        rows = session.execute(
            select(ReplyRow.not_before, ReplyRow.lease_until).where(ReplyRow.state.not_in(SETTLED))
        ).all()
    moments = [max(filter(None, row), default=clock.now) for row in rows]
    if not moments:
        return None
    return max(0.001, (min(moments) - clock.now).total_seconds() + 0.001)


def drive(engine: Engine, sender: Sender, clock: ManualClock, *, steps: int = 4_000) -> None:
    """Let time pass until every reply is settled."""
    for _ in range(steps):
        if sender.tick():
            continue
        rest = next_moment(engine, clock)
        if rest is None:
            return
        clock.advance(rest)
    raise AssertionError(f"not settled after {steps} steps")


def states(engine: Engine) -> dict[str, int]:
    """How many replies stand in each state."""
    with db.open_sessions(engine).begin() as session:
        rows = session.execute(select(ReplyRow.state, func.count()).group_by(ReplyRow.state))
        return {state: n for state, n in rows}  # noqa: C416 -- a row is no tuple to mypy


def one_reply(engine: Engine, id: int = 1) -> ReplyRow:
    with db.open_sessions(engine).begin() as session:
        found = session.get(ReplyRow, id)
        assert found is not None
        return found
