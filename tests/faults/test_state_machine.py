"""Lease, claim, outbox and dedupe, in any order and with a death at any step: nothing doubles."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select

from earshot.database.tables import AssignmentRow, EventRow, ItemRow, MentionRow
from earshot.domain import ItemState, ReplyState
from tests.faults import history
from tests.faults.history import Findings
from tests.faults.state_world import LEASE_S, PEOPLE, Installation, dying_at

STEPS = st.integers(-12, 12)
"""At which step to die; below 0: not at all."""

FATES = st.sampled_from(["taken", "answer lost", "request lost", "refused"])


class Path(RuleBasedStateMachine):
    """Everything from the log's second topic to a confirmed reply, by the real code."""

    def __init__(self) -> None:
        super().__init__()
        self.all = Installation()
        self.delivered: set[str] = set()

    @initialize(fate=FATES)
    def begins(self, fate: str) -> None:
        """Two posts are answered already; what becomes of the answers is the platform's word."""
        self.all.platform.fate = fate
        self.all.collected += [self.all.write(n) for n in range(3)]
        self.all.route(self.all.collected)
        self.delivered |= {one.mention.id for one in self.all.collected}
        self.all.sweep()
        for person in PEOPLE:
            self.all.answer(person)

    # ------------------------------------------------------------ what may happen

    @rule(count=st.integers(1, 4))
    def posts_are_collected(self, count: int) -> None:
        first = len(self.all.collected)
        self.all.collected += [self.all.write(n) for n in range(first, first + count)]

    @rule(data=st.data(), dies_at=STEPS)
    def some_are_routed_perhaps_again(self, data: st.DataObject, dies_at: int) -> None:
        if not self.all.collected:
            return
        batch = data.draw(st.lists(st.sampled_from(self.all.collected), min_size=1, max_size=6))
        with dying_at(dies_at):
            self.all.route(batch)
            self.delivered |= {one.mention.id for one in batch}

    @rule(dies_at=STEPS)
    def work_is_offered(self, dies_at: int) -> None:
        with dying_at(dies_at):
            self.all.sweep()

    @rule(person=st.sampled_from(PEOPLE))
    def somebody_answers(self, person: int) -> None:
        self.all.answer(person)

    @rule(owner=st.sampled_from("ab"), dies_at=STEPS)
    def a_sender_looks(self, owner: str, dies_at: int) -> None:
        with dying_at(dies_at):
            self.all.send(owner)

    @rule(owner=st.sampled_from("ab"))
    def a_sender_takes_up_what_falls_due(self, owner: str) -> None:
        self.all.clock.advance(self.all.next_moment_s() or 1.0)
        self.all.send(owner)

    @rule(fate=FATES, delay_s=st.floats(0, 4), readable=st.sampled_from([True, True, True, False]))
    def the_platform_changes(self, fate: str, delay_s: float, *, readable: bool) -> None:
        platform = self.all.platform
        platform.fate, platform.delay_s, platform.readable = fate, delay_s, readable

    @rule(seconds=st.sampled_from([1.0, 6.0, LEASE_S + 1, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.all.clock.advance(seconds)

    # ------------------------------------------------------------ what must hold

    @invariant()
    def a_reply_stands_at_most_once(self) -> None:
        keys = [standing.answer.key for standing in self.all.platform.standing]
        assert len(keys) == len(set(keys)), keys

    @invariant()
    def what_was_sent_has_the_name_that_it_has_there(self) -> None:
        names = {s.answer.key: s.name for s in self.all.platform.standing}
        with self.all.sessions.begin() as session:
            for reply in self.all.reading(session):
                if reply.state in (ReplyState.SENT, ReplyState.CONFIRMED):
                    assert reply.native_id
                    assert names[reply.key] == reply.native_id

    @invariant()
    def a_mention_is_stored_and_counted_once(self) -> None:
        with self.all.sessions.begin() as session:
            stored = set(session.scalars(select(MentionRow.id)))
            counted = session.scalar(select(func.sum(ItemRow.mentions))) or 0
            arrivals = select(func.count()).where(EventRow.kind == "mention.new")
            told = session.scalar(arrivals)
        assert self.delivered <= stored
        assert len(stored) == counted == told

    @invariant()
    def an_item_has_one_holder_and_the_backlog_is_right(self) -> None:
        findings = Findings()
        with self.all.sessions.begin() as session:
            history.check_assignments(session, findings)
            history.check_backlog(session, findings)
            held = select(ItemRow.id).where(ItemRow.state == ItemState.ASSIGNED)
            assigned = set(session.scalars(held))
            current = select(AssignmentRow.item_id).where(AssignmentRow.state != "ended")
            assert assigned <= set(session.scalars(current))
        assert not +findings.counts, findings.examples

    def teardown(self) -> None:
        """Once the platform behaves, every reply comes to its end, and none is doubled."""
        platform = self.all.platform
        platform.fate, platform.readable = "taken", True
        for _ in range(400):
            if self.all.send("c"):
                continue
            rest_s = self.all.next_moment_s()
            if rest_s is None:
                break
            self.all.clock.advance(rest_s)
        findings = Findings()
        with self.all.sessions.begin() as session:
            posted = {standing.answer.key: 1 for standing in platform.standing}
            history.check_replies(session, (), posted, findings)
            history.check_assignments(session, findings)
        self.a_reply_stands_at_most_once()
        self.what_was_sent_has_the_name_that_it_has_there()
        assert not +findings.counts, findings.examples
        self.all.engine.dispose()


TestPath = Path.TestCase
TestPath.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
