"""Laws of the outbox: senders that die, leases that lapse, a platform that keeps silent."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from earshot.database import db
from earshot.database.tables import ReplyRow
from earshot.domain import ReplyState
from tests.builders import ManualClock
from tests.collectors.delivery.outbox_world import (
    LEASE_S,
    Died,
    Reaper,
    a_sender,
    drive,
    next_moment,
    one_reply,
    states,
    store_replies,
)
from tests.collectors.delivery.silent_platform import SilentPlatform
from tests.rows import database

SETTLE_S = 100.0  # longer than a lease: a dead sender's attempt may not show yet
REPLIES = 3


class Outbox(RuleBasedStateMachine):
    """Two senders take turns in any order; either may die at any step of a tick."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.platform = SilentPlatform(self.clock, settle_s=SETTLE_S)
        self.engine = database()
        store_replies(self.engine, [str(n) for n in range(1, REPLIES + 1)])

    @initialize(
        fate=st.sampled_from(["taken", "answer lost", "request lost", "refused"]),
        delay_s=st.floats(0, SETTLE_S),
    )
    def begins(self, fate: str, delay_s: float) -> None:
        self.platform.fate, self.platform.delay_s = fate, delay_s

    @rule(fate=st.sampled_from(["taken", "answer lost", "request lost", "refused", "forbidden"]))
    def changes_its_mind(self, fate: str) -> None:
        self.platform.fate = fate

    @rule(delay_s=st.floats(0, SETTLE_S))
    def shows_later(self, delay_s: float) -> None:
        self.platform.delay_s = delay_s

    @rule(readable=st.booleans())
    def can_be_read(self, *, readable: bool) -> None:
        self.platform.readable = readable

    @rule(owner=st.sampled_from("ab"), dies_at=st.integers(-10, 25))
    def tick(self, owner: str, dies_at: int) -> None:
        sender = a_sender(self.engine, self.platform, self.clock, Reaper(dies_at), owner)
        with suppress(Died):
            sender.tick()

    @rule(seconds=st.floats(0.1, 60))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def something_falls_due(self) -> None:
        self.clock.advance(next_moment(self.engine, self.clock) or 0)

    @rule()
    def leases_lapse(self) -> None:
        self.clock.advance(LEASE_S + 1)

    @invariant()
    def at_most_one_post_stands_for_each_reply(self) -> None:
        keys = [standing.answer.key for standing in self.platform.standing]
        assert len(keys) == len(set(keys)), keys

    @invariant()
    def what_is_confirmed_stands(self) -> None:
        names = {s.answer.key: s.name for s in self.platform.standing}
        with db.open_sessions(self.engine).begin() as session:
            for reply in session.query(ReplyRow).where(ReplyRow.state == ReplyState.CONFIRMED):
                assert names.get(reply.key) == reply.native_id

    def teardown(self) -> None:
        """Once the platform behaves, everything is settled, and nothing stands twice."""
        self.platform.fate, self.platform.readable = "taken", True
        self.clock.advance(LEASE_S + 1)
        sender = a_sender(self.engine, self.platform, self.clock)
        for _ in range(300):
            if not sender.tick():
                rest = next_moment(self.engine, self.clock)
                if rest is None:
                    break
                self.clock.advance(rest)
        found = states(self.engine)
        self.at_most_one_post_stands_for_each_reply()
        self.what_is_confirmed_stands()
        assert sum(found.values()) == REPLIES
        assert set(found) <= {ReplyState.CONFIRMED, ReplyState.FAILED}, found
        self.engine.dispose()


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_read_back_that_failed_does_not_count_as_a_look() -> None:
    for step in count():
        clock, engine = ManualClock(), database()
        platform = SilentPlatform(clock, fate="answer lost", delay_s=SETTLE_S, settle_s=SETTLE_S)
        store_replies(engine, ["1"])
        with suppress(Died):
            a_sender(engine, platform, clock, Reaper(at=step)).tick()
        if platform.standing:  # it died right after the platform took it
            break
        engine.dispose()
    clock.advance(LEASE_S + 1)
    platform.readable = False
    sender = a_sender(engine, platform, clock)
    sender.tick()
    reply = one_reply(engine)
    assert (reply.state, reply.looked, reply.unreadable) == (ReplyState.UNKNOWN, 0, 1)
    platform.readable = True
    clock.advance(next_moment(engine, clock) or 0)
    sender.tick()
    reply = one_reply(engine)
    assert (reply.state, reply.looked, reply.unreadable) == (ReplyState.UNKNOWN, 1, 0)
    drive(engine, sender, clock)
    assert (one_reply(engine).state, len(platform.standing)) == (ReplyState.CONFIRMED, 1)
    engine.dispose()
