"""An item is in a held state exactly when one live assignment says by whom, after any acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dashboard.answering import acts, queries, reply_changes
from dashboard.answering.replies import Written, queue_reply
from dashboard.frame.app_context import Viewer
from dashboard.triage import verdicts
from dashboard.triage.verdicts import Done, NotUs, Snooze, ToPerson, ToTeam, Verdict
from earshot.database.tables import AssignmentRow, EventRow, ItemRow, MembershipRow, ReplyRow, Table
from earshot.domain import ItemState
from earshot.items import assignments
from earshot.items.holding import HELD
from earshot.items.lifecycle import OPEN, Forbidden, Stale
from tests.builders import a_classified
from tests.faults import history
from tests.faults.history import Findings
from tests.faults.responders import viewer
from tests.faults.state_world import PEOPLE, Installation
from tests.rows import database

EXAMPLES = 20
THREADS = 3

people = st.sampled_from(PEOPLE)
verdict_kinds = st.one_of(
    st.just(Done()),
    st.just(NotUs()),
    st.sampled_from([ToTeam("care"), ToTeam("tech")]),
    st.builds(ToPerson, people),
    st.just("snooze"),
)


class Desk(RuleBasedStateMachine):
    """Two people, a router, a sweeper and a sender at a few threads, in any order."""

    url: str
    """The database's: each example empties it."""

    def __init__(self) -> None:
        super().__init__()
        engine = database(self.url)
        with engine.begin() as connection:
            for table in reversed(Table.metadata.sorted_tables):
                connection.execute(table.delete())
        self.all = Installation(engine)
        self.posts = 0

    @initialize()
    def begins(self) -> None:
        self.all.route([self.all.write(n) for n in range(THREADS)])
        self.posts = THREADS

    # ------------------------------------------------------------ what may happen

    @rule()
    def work_is_offered_and_taken_back(self) -> None:
        self.all.sweep()

    @rule(seconds=st.sampled_from([1.0, 60.0, 130.0, 700.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.all.clock.advance(seconds)

    @rule(thread=st.integers(0, THREADS - 1), own=st.booleans())
    def somebody_writes_again(self, thread: int, *, own: bool) -> None:
        now, self.posts = self.all.clock(), self.posts + 1
        more = a_classified(
            native_id=str(self.posts),
            thread=str(thread),
            parent=str(thread),
            published_at=now,
            collected_at=now,
            own=own,
        )
        self.all.route([more])

    @rule(person=people, duty=st.booleans())
    def somebody_comes_or_goes(self, person: int, *, duty: bool) -> None:
        with self.all.sessions.begin() as session:
            session.execute(
                update(MembershipRow)
                .where(MembershipRow.person_id == person)
                .values(on_duty=duty, suspect_until=None)
            )

    @rule(person=people, pick=st.integers(0))
    def an_offer_is_accepted(self, person: int, pick: int) -> None:
        self.act(
            pick, lambda s, item: assignments.accept(s, "acme", item.id, person, self.all.clock())
        )

    @rule(person=people, pick=st.integers(0))
    def an_item_is_taken_by_hand(self, person: int, pick: int) -> None:
        who = viewer(person)
        self.act(
            pick,
            lambda s, item: queries.take(s, who, item.id, item.version, self.all.clock()),
        )

    @rule(person=people)
    def the_next_one_is_taken(self, person: int) -> None:
        with self.all.sessions.begin() as session:
            queries.take_next(session, viewer(person), self.all.clock())

    @rule(person=people, pick=st.integers(0))
    def an_item_is_given_back(self, person: int, pick: int) -> None:
        self.act(
            pick,
            lambda s, item: assignments.hand_back(
                s, "acme", item.id, person, self.all.clock(), expect=item.version, reason="not mine"
            ),
        )

    @rule(person=people, pick=st.integers(0))
    def an_answer_is_begun(self, person: int, pick: int) -> None:
        now = self.all.clock()
        self.act(pick, lambda s, item: acts.begin_answering(s, viewer(person), item.id, now))

    @rule(person=people, pick=st.integers(0), kind=verdict_kinds)
    def a_verdict_is_given(self, person: int, pick: int, kind: Verdict | str) -> None:
        now = self.all.clock()
        verdict = Snooze(now + timedelta(hours=1)) if isinstance(kind, str) else kind
        self.act(
            pick,
            lambda s, item: verdicts.decide(s, viewer(person), item.id, item.version, verdict, now),
        )

    @rule(person=people, pick=st.integers(0))
    def a_verdict_is_taken_back(self, person: int, pick: int) -> None:
        now = self.all.clock()
        self.act(pick, lambda s, item: verdicts.undo(s, viewer(person), item.id, item.version, now))

    @rule(person=people, pick=st.integers(0), kind=verdict_kinds)
    def a_verdict_is_given_and_taken_back(
        self, person: int, pick: int, kind: Verdict | str
    ) -> None:
        self.a_verdict_is_given(person, pick, kind)
        self.a_verdict_is_taken_back(person, pick)

    @rule(person=people, pick=st.integers(0), then=st.sampled_from(["answered", "closed"]))
    def a_reply_is_sent(self, person: int, pick: int, then: str) -> None:
        def write(session: Session, item: ItemRow) -> None:
            written = Written(
                item_id=item.id,
                text=f"We are looking into it. {item.id} {item.version}",
                nonce=f"n{item.version}",
                then=ItemState(then),
                mention_id=item.mention_id,
                mention_revision=0,
            )
            assignments.accept(session, "acme", item.id, person, self.all.clock())
            queue_reply(session, viewer(person), written, now=self.all.clock(), undo_s=10)

        self.act(pick, write)

    @rule(person=people, pick=st.integers(0), kind=st.sampled_from(["withdraw", "edit", "retry"]))
    def a_reply_is_changed(self, person: int, pick: int, kind: str) -> None:
        def change(session: Session, who: Viewer, reply: int) -> None:
            now = self.all.clock()
            match kind:
                case "withdraw":
                    reply_changes.withdraw(session, who, reply, now)
                case "edit":
                    reply_changes.edit_failed(session, who, reply, now)
                case _:
                    reply_changes.retry(session, who, reply, now, forced=True)

        with self.all.sessions() as session:
            replies = list(session.scalars(select(ReplyRow.id).order_by(ReplyRow.id)))
        if replies:
            reply = replies[pick % len(replies)]
            self.carry_out(lambda session: change(session, viewer(person), reply))

    @rule(fate=st.sampled_from(["taken", "forbidden", "answer lost"]))
    def a_sender_looks(self, fate: str) -> None:
        self.all.platform.fate = fate
        self.all.send("a")

    def act(self, pick: int, what: Callable[[Session, ItemRow], object]) -> None:
        """Do something to one of the items."""
        with self.all.sessions() as session:
            ids = list(session.scalars(select(ItemRow.id).order_by(ItemRow.id)))

        def carry(session: Session) -> None:
            what(session, session.get_one(ItemRow, ids[pick % len(ids)]))

        self.carry_out(carry)

    def carry_out(self, act: Callable[[Session], object]) -> None:
        """In a transaction of its own; what is refused has changed nothing."""
        try:
            with self.all.sessions.begin() as session:
                act(session)
        except (Stale, Forbidden):
            return

    # ------------------------------------------------------------ what must hold

    @invariant()
    def an_item_is_held_exactly_when_there_is_a_live_assignment(self) -> None:
        with self.all.sessions() as session:
            items = session.execute(select(ItemRow.id, ItemRow.state, ItemRow.assignee_id)).all()
            live = session.execute(
                select(AssignmentRow.item_id, AssignmentRow.person_id).where(
                    AssignmentRow.state != "ended"
                )
            ).all()
        holders = {row.item_id: row.person_id for row in live}
        assert len(holders) == len(live)
        for item in items:
            holder = holders.get(item.id)
            assert (ItemState(item.state) in HELD) == (holder is not None), (item, holder)
            assert item.assignee_id == holder, (item, holder)

    @invariant()
    def the_backlog_is_right(self) -> None:
        findings = Findings()
        with self.all.sessions() as session:
            history.check_backlog(session, findings)
        assert not +findings.counts, findings.examples

    @invariant()
    def whatever_is_open_can_be_worked_on(self) -> None:
        """Nothing waits for something that does not come: it is held, offered, or listed."""
        with self.all.sessions() as session:
            sending = session.scalars(
                select(ItemRow.id).where(ItemRow.state == ItemState.SENDING)
            ).all()
            pending = select(ReplyRow.item_id).where(ReplyRow.state.in_(sorted(history.PENDING)))
            assert set(sending) <= set(session.scalars(pending))
            states = {ItemState(state) for state in session.scalars(select(ItemRow.state))}
        assert states & OPEN <= HELD | {ItemState.NEW, ItemState.QUEUED, ItemState.SNOOZED}

    def teardown(self) -> None:
        with self.all.sessions() as session:
            assert session.scalars(select(EventRow.seq).limit(1)).all()
        self.all.engine.dispose()


def test_an_item_is_held_exactly_when_somebody_holds_it_whatever_is_done(
    database_url: str,
) -> None:
    class OnThisDatabase(Desk):
        url = database_url

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            # each example sets a database up: finding the smallest takes longer than it helps
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
        ),
    )
