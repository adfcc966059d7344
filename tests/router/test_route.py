"""Batches of classified mentions become mentions, items and events, however often they come."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from earshot.database.db import Sessions
from earshot.database.tables import (
    BacklogRow,
    ClockRow,
    EventRow,
    ItemRow,
    MentionRow,
    PersonRow,
    ReplyRow,
    ResponseRow,
    RevisionRow,
    VolumeRow,
)
from earshot.domain import TOMBSTONE, Classification, Classified, ItemState, Op
from earshot.log.topics import Malformed
from tests.builders import NOON, a_classified
from tests.router.reading import all_rows, backlog, counted, kinds, the_item
from tests.router.streams import MINUTE, OUTAGE, POLICY, QUESTION, REMARK, UNSURE, routed


def follow_up(native_id: str = "2", minutes: int = 30, **changes: Any) -> Classified:
    """A later mention in the thread of the first one."""
    defaults: dict[str, Any] = {
        "native_id": native_id,
        "parent": "1",
        "published_at": NOON + minutes * MINUTE,
        "classification": QUESTION,
    }
    return a_classified(**(defaults | changes))


def settle(sessions: Sessions, state: ItemState, **columns: Any) -> None:
    """Bring the only item to an end, as the desk would."""
    with sessions.begin() as session:
        item = session.scalars(select(ItemRow)).one()
        item.state = state.value
        for name, value in columns.items():
            setattr(item, name, value)
        session.execute(delete(BacklogRow))


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        (QUESTION, "queued", "wants an answer"),
        (UNSURE, "new", "unsure"),
        (REMARK, "dismissed", "no answer wanted"),
    ],
)
def test_a_new_thread_becomes_an_item_with_a_reason_and_a_promise(
    sessions: Sessions, said: Classification, state: str, reason: str
) -> None:
    routed(sessions, [a_classified(classification=said)])
    item = the_item(sessions)
    assert (item.state, item.state_reason, item.team, item.priority) == (
        state,
        reason,
        "care",
        "P3",
    )
    assert (item.clock_started_at, item.due_at) == (NOON, NOON + 120 * MINUTE)
    assert (item.rule, item.policy_version) == ("teams.care", POLICY.version)
    assert item.preview == "Acme checkout keeps failing, please help!"
    with sessions() as session:
        event = session.scalars(select(EventRow)).one()
        assert (event.kind, event.item_id, event.subject) == ("mention.new", item.id, "simulator:1")
        assert event.after is not None
        assert event.why is not None
        assert event.after["state"] == state
        assert (event.why["reason"], event.why["policy"]) == (reason, POLICY.version)
        assert event.why["read"]["intent"] == said.intent.value
        assert backlog(session) == counted(session)
        assert session.scalar(select(func.sum(VolumeRow.n))) == 1


def test_a_further_mention_keeps_the_clock_of_the_oldest_unanswered(sessions: Sessions) -> None:
    routed(sessions, [a_classified(classification=QUESTION)], [follow_up(text="And now this?")])
    item = the_item(sessions)
    assert (item.state, item.mentions, item.preview) == ("queued", 2, "And now this?")
    assert (item.clock_started_at, item.due_at) == (NOON, NOON + 120 * MINUTE)


def test_priority_can_rise_and_not_fall(sessions: Sessions) -> None:
    routed(sessions, [a_classified(classification=QUESTION)], [follow_up(classification=OUTAGE)])
    item = the_item(sessions)
    assert (item.priority, item.due_at) == ("P1", NOON + 15 * MINUTE)
    routed(sessions, [follow_up("3", classification=QUESTION)])
    item = the_item(sessions)
    assert (item.priority, item.weight, item.due_at) == ("P1", 8, NOON + 15 * MINUTE)


def test_a_mention_that_arrives_late_moves_the_clock_back(sessions: Sessions) -> None:
    routed(sessions, [a_classified(classification=QUESTION)], [follow_up(minutes=-20)])
    item = the_item(sessions)
    assert (item.clock_started_at, item.due_at) == (NOON - 20 * MINUTE, NOON + 100 * MINUTE)
    assert item.mention_id == "simulator:1"


def test_a_sure_question_takes_an_unsure_item_out_of_triage(sessions: Sessions) -> None:
    routed(sessions, [a_classified(classification=UNSURE)], [follow_up()])
    item = the_item(sessions)
    assert (item.state, item.flags) == ("queued", 0)


def test_an_answered_item_is_reopened_with_the_next_promise(sessions: Sessions) -> None:
    routed(sessions, [a_classified(classification=QUESTION)])
    settle(sessions, ItemState.ANSWERED, answered_at=NOON + MINUTE)
    routed(sessions, [follow_up(minutes=60)])
    item = the_item(sessions)
    assert (item.state, item.reopened, item.target) == ("queued", 1, "next")
    assert item.clock_started_at == NOON + 60 * MINUTE
    assert item.due_at == NOON + (60 + 240) * MINUTE
    with sessions() as session:
        event = session.scalars(select(EventRow).where(EventRow.kind == "item.reopened")).one()
        assert event.why is not None
        assert event.why["reason"] == "wants an answer"
        assert backlog(session) == counted(session)


@pytest.mark.parametrize(
    ("ended", "said", "state"),
    [
        (ItemState.DISMISSED, QUESTION, "queued"),
        (ItemState.EXPIRED, UNSURE, "new"),
        (ItemState.CLOSED, QUESTION, "queued"),
        (ItemState.ANSWERED, REMARK, "answered"),
        (ItemState.DISMISSED, REMARK, "dismissed"),
    ],
)
def test_only_who_may_want_an_answer_reopens_an_item(
    sessions: Sessions, ended: ItemState, said: Classification, state: str
) -> None:
    routed(sessions, [a_classified(classification=QUESTION)])
    settle(sessions, ended)
    routed(sessions, [follow_up(classification=said)])
    item = the_item(sessions)
    assert (item.state, item.mentions) == (state, 2)
    # It was never answered: the promise is still that of a first answer.
    assert item.target == "first"


def test_an_edit_replaces_the_text_and_a_lower_revision_changes_nothing(
    sessions: Sessions,
) -> None:
    edit = a_classified(op=Op.EDIT, revision=7, text="Never mind", classification=QUESTION)
    late = a_classified(op=Op.EDIT, revision=5, text="Old words", classification=QUESTION)
    routed(sessions, [a_classified(classification=QUESTION)], [edit], [late])
    with sessions() as session:
        mention = session.scalars(select(MentionRow)).one()
        assert (mention.text, mention.revision) == ("Never mind", 7)
        revisions = session.scalars(select(RevisionRow.revision).order_by(RevisionRow.revision))
        assert list(revisions) == [5, 7]
    assert the_item(sessions).preview == "Never mind"
    assert kinds(sessions) == ["mention.new", "mention.edited"]


def test_an_edit_may_turn_what_was_dismissed_into_a_question(sessions: Sessions) -> None:
    asked = NOON + 90 * MINUTE
    edit = a_classified(op=Op.EDIT, revision=7, collected_at=asked, classification=QUESTION)
    routed(sessions, [a_classified(classification=REMARK)], [edit])
    item = the_item(sessions)
    assert (item.state, item.clock_started_at) == ("queued", asked)


def test_a_deletion_takes_the_words_out_of_every_table(sessions: Sessions) -> None:
    edit = a_classified(op=Op.EDIT, revision=7, text="My address is 4 Elm St")
    gone = a_classified(op=Op.DELETE, revision=TOMBSTONE, text="")
    routed(sessions, [a_classified(text="My name is Ana")], [edit], [gone])
    item = the_item(sessions)
    assert (item.state, item.state_reason) == ("dismissed", "deleted by its author")
    with sessions() as session:
        mention = session.scalars(select(MentionRow)).one()
        assert (mention.deleted, mention.text) == (True, "")
        for table in (ItemRow, MentionRow, RevisionRow, EventRow):
            kept = repr(all_rows(session, table))
            assert "Elm St" not in kept
            assert "My name" not in kept
        assert backlog(session) == {}


def test_a_deletion_of_one_of_several_leaves_the_item_waiting(sessions: Sessions) -> None:
    gone = a_classified(op=Op.DELETE, revision=TOMBSTONE, text="")
    routed(sessions, [a_classified(), follow_up()], [gone])
    assert the_item(sessions).state == "queued"


@pytest.mark.parametrize("op", [Op.EDIT, Op.DELETE])
def test_a_change_of_what_was_never_stored_is_accounted_for(sessions: Sessions, op: Op) -> None:
    routed(sessions, [a_classified(op=op, revision=9, classification=QUESTION)])
    item = the_item(sessions)
    assert item.state == ("dismissed" if op == Op.DELETE else "queued")
    with sessions() as session:
        mention = session.scalars(select(MentionRow)).one()
        assert (mention.deleted, mention.item_id) == (op == Op.DELETE, item.id)
        assert len(all_rows(session, RevisionRow)) == 1


def test_our_own_post_never_opens_an_item(sessions: Sessions) -> None:
    routed(sessions, [a_classified(own=True, classification=QUESTION)])
    item = the_item(sessions)
    assert (item.state, item.state_reason, item.mentions) == (
        "dismissed",
        "posted by the brand itself",
        0,
    )
    routed(sessions, [follow_up()])
    item = the_item(sessions)
    assert (item.state, item.reopened, item.target, item.mentions) == ("queued", 0, "first", 1)


def test_an_answer_given_elsewhere_closes_the_clock(sessions: Sessions) -> None:
    answer = follow_up(minutes=10, own=True, classification=REMARK)
    routed(sessions, [a_classified(classification=QUESTION)], [answer])
    item = the_item(sessions)
    assert (item.state, item.answered_at) == ("answered", NOON + 10 * MINUTE)
    assert kinds(sessions)[-1] == "reply.seen_outside"
    with sessions() as session:
        clock = session.scalars(select(ClockRow)).one()
        assert (clock.metric, clock.met) == ("first", True)
        assert clock.stopped_at - clock.started_at == 10 * MINUTE
        assert session.scalars(select(ResponseRow)).one().n == 1
        assert backlog(session) == {}


def test_what_we_posted_before_the_question_does_not_answer_it(sessions: Sessions) -> None:
    older = follow_up(minutes=-10, own=True)
    routed(sessions, [a_classified(classification=QUESTION)], [older])
    assert the_item(sessions).state == "queued"


@pytest.mark.parametrize("state", [ItemState.SENDING, ItemState.AWAITING_APPROVAL])
def test_while_a_reply_is_under_way_its_sender_decides(
    sessions: Sessions, state: ItemState
) -> None:
    routed(sessions, [a_classified(classification=QUESTION)])
    settle(sessions, state)
    routed(sessions, [follow_up(minutes=10, own=True)])
    assert the_item(sessions).state == state


def test_our_own_reply_that_is_collected_back_changes_nothing(sessions: Sessions) -> None:
    routed(sessions, [a_classified(classification=QUESTION)])
    item = the_item(sessions)
    with sessions.begin() as session:
        session.execute(insert(PersonRow).values(id=1, email="a@x", name="A", created_at=NOON))
        session.execute(
            insert(ReplyRow).values(
                brand="acme", item_id=item.id, mention_id="simulator:1",
                mention_revision=0, source="sim", platform="simulator", parent="1", thread="1",
                address={}, person_id=1, text="Hello", state="confirmed", key="k",
                native_id="77", created_at=NOON, changed_at=NOON,
            )
        )  # fmt: skip
    routed(sessions, [follow_up("77", minutes=10, own=True)])
    assert the_item(sessions).state == "queued"
    assert kinds(sessions) == ["mention.new"]


def test_a_mention_of_a_brand_without_a_policy_is_refused_by_name(sessions: Sessions) -> None:
    with pytest.raises(Malformed, match=r"no routing policy for brand 'other'.*acme"):
        routed(sessions, [a_classified(brand="other")])


def test_what_the_database_refuses_is_the_mentions_fault_and_not_tried_for_ever(
    sessions: Sessions,
) -> None:
    words = a_classified(text="zero \x00 byte")
    if sessions.kw["bind"].dialect.name == "postgresql":
        with pytest.raises(Malformed, match="the database refuses a value"):
            routed(sessions, [words])
    else:
        routed(sessions, [words])
        assert the_item(sessions).preview == "zero \x00 byte"
