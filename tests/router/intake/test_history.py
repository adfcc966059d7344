"""What is older than a source's first days is kept and promised nothing; dates are not believed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from earshot.database.db import Sessions
from earshot.database.tables import ClockRow, EventRow, ItemRow, MentionRow, ResponseRow, VolumeRow
from earshot.domain import Classification, Classified, ItemFlag, ItemState, Op
from earshot.items.assignments import give
from earshot.items.lifecycle import OPEN, Change, move
from router import sweep
from router.intake.fold import plan_batch
from router.intake.opening import OLD, decide
from router.intake.plan import Known
from router.intake.store import hear
from router.policy.policy import Do, decide_intake
from tests.builders import NOON, a_classified
from tests.router.people import current, hire
from tests.router.policies import a_policy
from tests.router.reading import backlog, counted, kinds, the_item
from tests.router.streams import MINUTE, OUTAGE, POLICY, QUESTION, REMARK, UNSURE, routed

LONG_AGO = NOON - timedelta(days=250)
TEN_YEARS_AGO = NOON - timedelta(days=3_650)


def old(native_id: str = "1", days: float = 250, **changes: Any) -> Classified:
    """A post of before its source was connected, in the thread 1 unless `changes` say another."""
    defaults: dict[str, Any] = {
        "native_id": native_id,
        "thread": "1",
        "published_at": NOON - timedelta(days=days),
        "history": True,
        "classification": QUESTION,
    }
    return a_classified(**defaults | changes)


def new(native_id: str = "2", minutes: int = 30, **changes: Any) -> Classified:
    """A post of now in the thread 1."""
    defaults: dict[str, Any] = {
        "native_id": native_id,
        "thread": "1",
        "published_at": NOON + minutes * MINUTE,
        "classification": QUESTION,
    }
    return a_classified(**defaults | changes)


def bring(sessions: Sessions, to: ItemState, **columns: Any) -> None:
    """Move the only item there, as the desk would."""
    item = the_item(sessions)
    change = Change(
        item_id=item.id, brand="acme", actor="person:1", at=NOON, to=to, columns=columns
    )
    with sessions.begin() as session:
        move(session, change)


def promise(item: ItemRow) -> tuple[str, int, str, datetime | None]:
    return item.target, item.target_s, item.calendar, item.due_at


NOTHING = ("", 0, "", None)


# ---------------------------------------------------------------- history


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        (QUESTION, "new", OLD),
        (OUTAGE, "new", OLD),
        (UNSURE, "new", "unsure"),
        (REMARK, "dismissed", "no answer wanted"),
    ],
)
def test_history_is_dismissed_by_the_policy_or_goes_to_a_listener_and_is_promised_nothing(
    sessions: Sessions, said: Classification, state: str, reason: str
) -> None:
    routed(sessions, [old(classification=said)])
    item = the_item(sessions)
    assert (item.state, item.state_reason) == (state, reason)
    assert promise(item) == NOTHING
    assert item.clock_started_at == LONG_AGO
    assert item.flags & ItemFlag.HISTORY
    with sessions() as session:
        event = session.scalars(select(EventRow)).one()
        assert event.why is not None
        assert event.after is not None
        assert (event.why["reason"], event.after["due_at"]) == (reason, None)
        assert backlog(session) == counted(session)


@given(said=st.sampled_from([QUESTION, REMARK, UNSURE, OUTAGE]), reopened=st.booleans())
def test_history_is_never_more_than_triaged_and_else_as_the_policy_says(
    *, said: Classification, reopened: bool
) -> None:
    plain = decide_intake(POLICY, a_classified(classification=said), reopened=reopened)
    past = decide(POLICY, hear(old(classification=said)), reopened=reopened)
    assert past.do is (Do.TRIAGE if plain.do is Do.QUEUE else plain.do)
    assert past.flags == plain.flags | ItemFlag.HISTORY
    assert (past.team, past.priority, past.rule) == (plain.team, plain.priority, plain.rule)


def test_what_a_listener_sends_on_stays_without_a_promise_and_counts_nowhere(
    sessions: Sessions,
) -> None:
    hire(sessions, 1)
    routed(sessions, [old()])
    bring(sessions, ItemState.QUEUED, team="care")
    assert sweep.tick(sessions, {"acme": POLICY}, NOON).offered == 1
    assert promise(the_item(sessions)) == NOTHING
    routed(sessions, [new("9", own=True, classification=REMARK)])
    item = the_item(sessions)
    assert (item.state, item.answered_at) == ("answered", NOON + 30 * MINUTE)
    with sessions() as session:
        assert session.scalars(select(ClockRow)).all() == []
        assert session.scalars(select(ResponseRow)).all() == []
        assert current(session) == []
        assert backlog(session) == counted(session)


def test_a_policy_that_lets_items_expire_does_so_by_the_age_of_history(sessions: Sessions) -> None:
    routed(sessions, [old(days=8)])
    policy = a_policy(("slots: 4", "slots: 4\n  expire_after: 7d"))
    assert sweep.tick(sessions, {"acme": policy}, NOON).expired == 1
    assert the_item(sessions).state == "expired"


def test_three_outages_of_now_are_offered_before_any_history(sessions: Sessions) -> None:
    hire(sessions, 1, 2, 3, teams=["tech"])
    routed(sessions, [old(str(n), thread=str(n), days=250 + n) for n in range(1, 41)])
    outages = [
        a_classified(native_id=f"o{n}", thread=f"o{n}", classification=OUTAGE) for n in range(3)
    ]
    routed(sessions, outages)
    assert sweep.tick(sessions, {"acme": POLICY}, NOON + MINUTE).offered == 3
    with sessions() as session:
        offered = [one.item_id for one in current(session)]
        threads = session.scalars(select(ItemRow.thread).where(ItemRow.id.in_(offered)))
        assert sorted(threads) == ["simulator:o0", "simulator:o1", "simulator:o2"]


# ---------------------------------------------------------------- history and what is of now


def test_a_word_of_now_in_a_thread_of_history_is_promised_an_answer_from_then_on(
    sessions: Sessions,
) -> None:
    routed(sessions, [old()], [new()])
    item = the_item(sessions)
    asked = NOON + 30 * MINUTE
    assert (item.state, item.mentions, item.mention_id) == ("queued", 2, "simulator:2")
    assert (item.clock_started_at, item.due_at) == (asked, asked + 120 * MINUTE)
    assert (item.target, item.reopened) == ("first", 0)
    assert not item.flags & ItemFlag.HISTORY
    with sessions() as session:
        assert backlog(session) == counted(session)


def test_a_remark_of_now_in_a_thread_of_history_promises_nothing(sessions: Sessions) -> None:
    routed(sessions, [old()], [new(classification=REMARK)])
    item = the_item(sessions)
    assert (item.state, item.mentions) == ("new", 2)
    assert promise(item) == NOTHING


def test_a_word_of_now_reopens_history_that_was_settled(sessions: Sessions) -> None:
    routed(sessions, [old()])
    bring(sessions, ItemState.DISMISSED, state_reason="no reply needed")
    routed(sessions, [new()])
    item = the_item(sessions)
    assert (item.state, item.target, item.reopened) == ("queued", "first", 1)
    assert item.due_at == NOON + 150 * MINUTE
    assert not item.flags & ItemFlag.HISTORY


def test_history_changes_neither_clock_nor_promise_nor_weight_of_a_thread_of_now(
    sessions: Sessions,
) -> None:
    routed(sessions, [new("2", 0)])
    before = the_item(sessions)
    routed(sessions, [old("1", classification=OUTAGE), old("0", days=300)])
    item = the_item(sessions)
    assert (item.state, item.mentions, item.mention_id) == ("queued", 3, "simulator:2")
    assert promise(item) == promise(before)
    assert item.clock_started_at == before.clock_started_at
    assert (item.weight, item.flags) == (before.weight, before.flags)


@pytest.mark.parametrize("ended", [ItemState.ANSWERED, ItemState.CLOSED, ItemState.DISMISSED])
def test_history_does_not_reopen_a_thread_of_now_that_has_ended(
    sessions: Sessions, ended: ItemState
) -> None:
    routed(sessions, [new("2", 0)])
    hire(sessions, 1)
    with sessions.begin() as session:
        give(session, "acme", the_item(sessions).id, 1, "person:1", NOON, expect=None, why={})
    bring(sessions, ended)
    routed(sessions, [old("1")])
    item = the_item(sessions)
    assert (item.state, item.reopened, item.mentions) == (ended.value, 0, 2)


def test_a_snoozed_item_sleeps_on_when_history_comes(sessions: Sessions) -> None:
    routed(sessions, [new("2", 0)])
    bring(sessions, ItemState.SNOOZED, snoozed_until=NOON + timedelta(days=3))
    routed(sessions, [old("1")])
    item = the_item(sessions)
    assert (item.state, item.snoozed_until) == ("snoozed", NOON + timedelta(days=3))


def test_a_question_of_history_below_a_remark_of_history_reaches_a_listener_as_no_return(
    sessions: Sessions,
) -> None:
    routed(sessions, [old("2", days=200, classification=REMARK)], [old("1", days=250)])
    item = the_item(sessions)
    assert (item.state, item.state_reason, item.reopened) == ("new", OLD, 0)
    assert promise(item) == NOTHING
    assert kinds(sessions) == ["mention.new", "mention.new"]


def test_a_question_of_history_that_we_answered_then_stays_settled(sessions: Sessions) -> None:
    routed(sessions, [old("2", days=200, own=True)], [old("1", days=250)])
    assert the_item(sessions).state == "dismissed"
    routed(sessions, [old("3", days=150)])  # they wrote again, and nobody answered that
    assert the_item(sessions).state == "new"


@pytest.mark.parametrize("ended", [ItemState.NEW, ItemState.DISMISSED])
def test_an_edit_of_now_makes_history_a_question_of_now(
    sessions: Sessions, ended: ItemState
) -> None:
    first = REMARK if ended is ItemState.DISMISSED else QUESTION
    routed(sessions, [old(classification=first)])
    assert the_item(sessions).state == ended
    edited = NOON - 10 * MINUTE
    routed(sessions, [old(op=Op.EDIT, revision=1, edited_at=edited, history=False)])
    item = the_item(sessions)
    assert (item.state, item.clock_started_at) == ("queued", edited)
    assert item.due_at == edited + 120 * MINUTE
    assert not item.flags & ItemFlag.HISTORY


# ---------------------------------------------------------------- dates that are not believed


def test_a_promise_starts_when_the_platform_had_the_post_and_not_when_it_says(
    sessions: Sessions,
) -> None:
    routed(sessions, [a_classified(published_at=TEN_YEARS_AGO, received_at=NOON)])
    item = the_item(sessions)
    assert (item.clock_started_at, item.due_at) == (NOON, NOON + 120 * MINUTE)
    assert not item.flags & ItemFlag.HISTORY
    with sessions() as session:
        mention = session.scalars(select(MentionRow)).one()
        assert (mention.published_at, mention.received_at) == (TEN_YEARS_AGO, NOON)
        assert mention.arrived_at == session.scalar(select(MentionRow.arrived_at)) == NOON
        hours = session.scalars(select(VolumeRow.hour)).all()
    assert hours == [int(NOON.timestamp()) // 3600], "no old day of the board changes"


def test_a_promise_starts_when_it_was_published_where_that_is_later_than_the_receipt(
    sessions: Sessions,
) -> None:
    routed(sessions, [a_classified(received_at=NOON - 5 * MINUTE)])
    assert the_item(sessions).clock_started_at == NOON


def test_the_time_of_our_collecting_starts_no_promise(sessions: Sessions) -> None:
    late = NOON + timedelta(days=3)
    routed(sessions, [a_classified(collected_at=late, received_at=NOON + MINUTE)])
    assert the_item(sessions).clock_started_at == NOON + MINUTE
    # dismissed, edited, and both read much later
    remark = a_classified(native_id="2", thread="2", classification=REMARK, collected_at=late)
    edit = a_classified(
        native_id="2", thread="2", classification=QUESTION, collected_at=late,
        op=Op.EDIT, revision=1, edited_at=NOON + 7 * MINUTE,
    )  # fmt: skip
    routed(sessions, [remark, edit])
    with sessions() as session:
        item = session.scalars(select(ItemRow).where(ItemRow.thread == "simulator:2")).one()
    assert (item.state, item.clock_started_at) == ("queued", NOON + 7 * MINUTE)


def test_a_further_post_that_is_dated_back_moves_no_clock_and_is_still_the_newest(
    sessions: Sessions,
) -> None:
    said = new("2", published_at=TEN_YEARS_AGO, received_at=NOON + 30 * MINUTE, text="And now?")
    routed(sessions, [new("1", 0)], [said])
    item = the_item(sessions)
    assert (item.clock_started_at, item.due_at) == (NOON, NOON + 120 * MINUTE)
    assert (item.mention_id, item.preview) == ("simulator:2", "And now?")
    later = new("3", 31, text="Hello?")  # in a batch of its own: what is newest is read back
    routed(sessions, [later])
    assert the_item(sessions).preview == "Hello?"


def test_a_further_post_that_is_dated_back_reopens_with_the_time_it_came(
    sessions: Sessions,
) -> None:
    routed(sessions, [new("1", 0)])
    bring(sessions, ItemState.ANSWERED, answered_at=NOON + MINUTE)
    routed(sessions, [new("2", published_at=TEN_YEARS_AGO, received_at=NOON + 60 * MINUTE)])
    item = the_item(sessions)
    assert (item.state, item.target) == ("queued", "next")
    assert item.clock_started_at == NOON + 60 * MINUTE


def test_our_own_answer_that_is_dated_back_still_closes_the_clock(sessions: Sessions) -> None:
    ours = new("2", published_at=TEN_YEARS_AGO, received_at=NOON + 10 * MINUTE, own=True)
    routed(sessions, [new("1", 0)], [ours])
    item = the_item(sessions)
    assert (item.state, item.answered_at) == ("answered", NOON + 10 * MINUTE)
    with sessions() as session:
        clock = session.scalars(select(ClockRow)).one()
        assert clock.stopped_at - clock.started_at == 10 * MINUTE


times = st.integers(-6_000_000, 60).map(lambda minutes: NOON + minutes * MINUTE)


@given(published=times, received=st.none() | times, past=st.booleans())
def test_no_date_an_author_gives_makes_an_item_older_than_its_receipt(
    *, published: datetime, received: datetime | None, past: bool
) -> None:
    one = a_classified(
        published_at=published, received_at=received, history=past, classification=QUESTION
    )
    plan = plan_batch(
        [hear(one)], Known(mentions={}, items={}), {"acme": POLICY}, NOON, lambda _: 0
    )
    [item] = plan.items
    assert item.promise.clock_started_at == max(published, received or published)
    assert (item.promise.due_at is None) == past
    assert item.state in OPEN
    assert not past or item.state != ItemState.QUEUED
