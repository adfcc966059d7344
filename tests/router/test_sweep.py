"""One tick of the sweeper: it offers, takes back, wakes, expires; and many at once are safe."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from earshot.database.db import Sessions
from earshot.database.tables import (
    AssignmentRow,
    BacklogRow,
    EventRow,
    ItemRow,
)
from earshot.domain import ItemState
from earshot.items import assignments, lifecycle, rollups
from earshot.items.holding import HELD
from earshot.items.lifecycle import Change
from earshot.runtime.metrics import Metrics
from router import sweep
from router.policy.policy import Policy
from router.sweep import TickReport
from tests.builders import NOON
from tests.router.people import current, hire, member, queue_items, seen
from tests.router.policies import a_policy
from tests.router.reading import backlog, counted, kinds, the_item
from tests.rows import a_reply

MINUTE = timedelta(minutes=1)


def tick(sessions: Sessions, now: datetime = NOON, policy: Policy | None = None) -> TickReport:
    return sweep.tick(sessions, {"acme": policy or a_policy()}, now)


def reach(sessions: Sessions, state: ItemState, **columns: Any) -> None:
    """Move the only item, as the desk would."""
    item = the_item(sessions)
    with sessions.begin() as session:
        change = Change(
            item_id=item.id, brand="acme", actor="person:1", at=NOON, to=state, columns=columns
        )
        lifecycle.move(session, change)


def test_queued_items_are_offered_one_to_each_who_is_free(sessions: Sessions) -> None:
    hire(sessions, 1, 2)
    queue_items(sessions, 5)
    assert tick(sessions) == TickReport(offered=2)
    assert tick(sessions) == TickReport()
    with sessions() as session:
        assert sorted(one.person_id for one in current(session)) == [1, 2]
        assert {one.policy_version for one in current(session)} == {a_policy().version}
        assert backlog(session) == counted(session)


def test_with_slots_everybody_is_filled_up(sessions: Sessions) -> None:
    hire(sessions, 1, slots=2)
    hire(sessions, 2, slots=9)
    queue_items(sessions, 9)
    policy = a_policy(("binding: late", "binding: slots"))
    assert tick(sessions, policy=policy).offered == 2 + 4  # the policy allows four at most


@pytest.mark.parametrize(
    "absent",
    [
        {"on_duty": False},
        {"suspect_until": NOON + MINUTE},
        {"seen_at": NOON - 11 * MINUTE},
        {"roles": ["listener"]},
        {"teams": ["press"]},
        {"langs": ["es"]},
    ],
)
def test_who_is_not_there_or_not_able_is_offered_nothing(
    sessions: Sessions, absent: dict[str, Any]
) -> None:
    hire(sessions, 1, **absent)
    queue_items(sessions, 1)
    assert tick(sessions) == TickReport()


def test_an_offer_that_nobody_accepts_comes_back_and_goes_to_another(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    tick(sessions)
    assert tick(sessions, NOON + MINUTE) == TickReport()
    clock = the_item(sessions).clock_started_at
    hire(sessions, 2)
    assert tick(sessions, NOON + 2 * MINUTE) == TickReport(timed_out=1, offered=1)
    item = the_item(sessions)
    assert (item.assignee_id, item.offers, item.clock_started_at) == (2, 2, clock)
    with sessions() as session:
        assert member(session, 1).suspect_until == NOON + 12 * MINUTE
        ended = session.scalars(select(AssignmentRow).where(AssignmentRow.state == "ended")).one()
        assert ended.end_reason == "not accepted in time"


def test_an_offer_made_before_the_clock_was_set_back_comes_back(sessions: Sessions) -> None:
    queue_items(sessions, 1)
    hire(sessions, 1, seen_at=NOON + timedelta(hours=1))
    assert tick(sessions, NOON + timedelta(hours=1)).offered == 1
    assert tick(sessions, NOON).timed_out == 1


def test_an_accepted_item_stays_while_its_responder_is_there(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    tick(sessions)
    item = the_item(sessions)
    with sessions.begin() as session:
        assignments.accept(session, "acme", item.id, 1, NOON)
    seen(sessions, 1, NOON + 25 * MINUTE)
    assert tick(sessions, NOON + 30 * MINUTE) == TickReport()
    assert tick(sessions, NOON + 36 * MINUTE) == TickReport(absent=1)
    assert the_item(sessions).state == "queued"


def test_unstarted_work_of_who_goes_off_duty_comes_back_and_started_work_stays(
    sessions: Sessions,
) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    tick(sessions)
    with sessions.begin() as session:
        member(session, 1).on_duty = False
    assert tick(sessions, NOON + MINUTE) == TickReport(absent=1)
    with sessions.begin() as session:
        member(session, 1).on_duty = True
    tick(sessions, NOON + MINUTE)
    reach(sessions, ItemState.ANSWERING)
    with sessions.begin() as session:
        member(session, 1).on_duty = False
    assert tick(sessions, NOON + 5 * MINUTE) == TickReport()
    assert the_item(sessions).state == "answering"


def test_what_a_person_gave_to_somebody_off_duty_stays_for_a_while(sessions: Sessions) -> None:
    hire(sessions, 1, on_duty=False)
    queue_items(sessions, 1)
    item = the_item(sessions)
    with sessions.begin() as session:
        assignments.give(session, "acme", item.id, 1, "person:9", NOON, expect=item.version, why={})
    assert tick(sessions, NOON + 9 * MINUTE) == TickReport()
    assert tick(sessions, NOON + 11 * MINUTE) == TickReport(absent=1)


@pytest.mark.parametrize("state", ["queued", "new"])
def test_a_snoozed_item_wakes_where_it_was_put_aside(sessions: Sessions, state: str) -> None:
    queue_items(sessions, 1)
    if state == "new":
        reach(sessions, ItemState.NEW)
    reach(sessions, ItemState.SNOOZED, snoozed_until=NOON + 60 * MINUTE)
    assert tick(sessions, NOON + 59 * MINUTE) == TickReport()
    assert tick(sessions, NOON + 60 * MINUTE) == TickReport(woken=1)
    item = the_item(sessions)
    assert (item.state, item.snoozed_until) == (state, None)


def test_old_items_expire_only_when_the_policy_says_so(sessions: Sessions) -> None:
    queue_items(sessions, 1)
    assert tick(sessions, NOON + timedelta(days=99)) == TickReport()
    policy = a_policy(("slots: 4", "slots: 4\n  expire_after: 7d"))
    assert tick(sessions, NOON + timedelta(days=6), policy) == TickReport()
    assert tick(sessions, NOON + timedelta(days=7), policy) == TickReport(expired=1)
    assert the_item(sessions).state == "expired"


def test_an_item_that_nobody_takes_goes_to_triage(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    now = NOON
    for _ in range(3):
        assert tick(sessions, now).offered == 1
        now += 13 * MINUTE  # past the lease, and past the suspicion that follows
        assert tick(sessions, now).timed_out == 1
        now += 13 * MINUTE
    item = the_item(sessions)
    assert (item.state, item.state_reason) == ("new", "nobody took it after 3 offers")
    assert kinds(sessions)[-1] == "item.escalated"


def reword(sessions: Sessions, **columns: Any) -> None:
    """Let the only item be about something else."""
    with sessions.begin() as session:
        session.execute(update(ItemRow).values(**columns))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"lang": "fr"}, "nobody in care answers in fr"),
        ({"topic": "billing", "topic_confidence": 0.9}, "nobody in care has the skill for billing"),
    ],
)
def test_an_item_that_nobody_of_its_team_could_answer_goes_to_triage_with_the_reason(
    sessions: Sessions, columns: dict[str, Any], reason: str
) -> None:
    hire(sessions, 1, langs=["en"], skills={"checkout": 2}, on_duty=False)
    queue_items(sessions, 1)
    reword(sessions, **columns)
    assert tick(sessions, NOON + 9 * MINUTE) == TickReport()  # somebody may join the team
    assert tick(sessions, NOON + 10 * MINUTE) == TickReport(escalated=1)
    item = the_item(sessions)
    assert (item.state, item.state_reason) == ("new", reason)
    with sessions() as session:
        event = session.scalars(select(EventRow).where(EventRow.kind == "item.escalated")).one()
        assert event.why is not None
        assert event.why["reason"] == reason


@pytest.mark.parametrize(
    "able",
    [
        {"langs": ["fr"]},
        {"langs": []},
        {"langs": ["fr"], "skills": {"billing": 1}, "on_duty": False},
    ],
    ids=["speaks it, no skills named", "every language", "able, but off duty"],
)
def test_an_item_that_somebody_could_answer_some_time_waits_for_them(
    sessions: Sessions, able: dict[str, Any]
) -> None:
    hire(sessions, 1, langs=["en"], skills={"checkout": 2}, on_duty=False)
    hire(sessions, 2, **({"on_duty": False} | able))
    queue_items(sessions, 1)
    reword(sessions, lang="fr", topic="billing", topic_confidence=0.9)
    assert tick(sessions, NOON + 60 * MINUTE) == TickReport()
    assert the_item(sessions).state == "queued"


def test_what_can_still_be_kept_is_offered_before_hundreds_that_are_lost(
    sessions: Sessions,
) -> None:
    hire(sessions, 1)
    queue_items(sessions, 501)
    long_ago = NOON - timedelta(hours=30)
    reword(sessions, due_at=long_ago + timedelta(hours=2), clock_started_at=long_ago, target_s=7200)
    queue_items(sessions, 1, first=900)
    with sessions.begin() as session:
        fresh = session.scalars(select(ItemRow).where(ItemRow.thread == "simulator:900")).one()
        fresh.due_at = NOON + 15 * MINUTE
        fresh.weight = 8
    assert tick(sessions) == TickReport(offered=1)
    with sessions() as session:
        assert [one.item_id for one in current(session)] == [fresh.id]


def strand(sessions: Sessions, state: ItemState) -> None:
    """Leave the only item in a held state that nobody holds, as earlier versions could."""
    with sessions.begin() as session:
        session.execute(update(AssignmentRow).values(state="ended", ended_at=NOON))
        session.execute(update(ItemRow).values(state=state))
        session.execute(delete(BacklogRow))
        rollups.count_backlog(session, counted(session))


@pytest.mark.parametrize("state", sorted(HELD))
def test_an_item_that_is_held_by_nobody_goes_back_to_the_queue_with_a_reason(
    sessions: Sessions, state: ItemState
) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    tick(sessions)
    strand(sessions, state)
    clock = the_item(sessions).clock_started_at
    assert sweep.tick(sessions, {"acme": a_policy()}, NOON, thorough=False) == TickReport()
    assert tick(sessions) == TickReport(stranded=1, offered=1)
    assert the_item(sessions).clock_started_at == clock
    assert kinds(sessions)[-2:] == ["assignment.released", "assignment.offered"]
    with sessions() as session:
        released = session.scalars(
            select(EventRow.why).where(EventRow.kind == "assignment.released")
        ).one()
        assert released == {"reason": "nobody held it"}
        assert len(current(session)) == 1
        assert backlog(session) == counted(session)


def test_an_item_whose_reply_is_under_way_is_its_senders(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    tick(sessions)
    strand(sessions, ItemState.SENDING)
    with sessions.begin() as session:
        item = session.scalars(select(ItemRow)).one()
        session.add(a_reply(item_id=item.id))
    assert tick(sessions) == TickReport()
    assert the_item(sessions).state == "sending"


def test_an_assignment_whose_item_is_not_held_ends(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    tick(sessions)
    with sessions.begin() as session:
        session.execute(update(ItemRow).values(state="closed", assignee_id=None))
        session.execute(delete(BacklogRow))
    assert tick(sessions) == TickReport()
    with sessions() as session:
        assert current(session) == []


def test_many_sweepers_at_once_give_nobody_too_much_and_nothing_twice(
    sessions: Sessions,
) -> None:
    people = range(1, 7)
    hire(sessions, *people)
    queue_items(sessions, 20)
    reports: list[TickReport] = []
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            reports.append(tick(sessions))
            reports.append(tick(sessions, NOON + 2 * MINUTE))  # each offer runs out just now
        except BaseException as error:  # noqa: BLE001 -- shown by the assertion below
            wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with sessions() as session:
        held = current(session)
        assert max(Counter(one.person_id for one in held).values(), default=0) <= 1
        offers = session.scalars(select(AssignmentRow.id)).all()
        assert len(offers) == sum(report.offered for report in reports)
        ended = sum(report.timed_out for report in reports)
        assert len(offers) - len(held) == ended
        assert backlog(session) == counted(session)
        states = Counter(session.scalars(select(ItemRow.state)))
        assert states["assigned"] == len(held)


def test_a_tick_that_reads_long_is_followed_by_a_longer_rest(sessions: Sessions) -> None:
    ticking = itertools.count(step=0.25)
    report = sweep.tick(
        sessions, {"acme": a_policy()}, NOON, monotonic=lambda: float(next(ticking))
    )
    assert report.reading_s == 0.25
    assert sweep.rest_s(0.5, report.reading_s) == 1.0
    assert sweep.rest_s(0.5, 0.01) == 0.5


def test_the_loop_ticks_and_ends_when_it_is_told_to(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    stop, steps = threading.Event(), []

    def step_done() -> None:
        steps.append(1)
        stop.set()

    metrics = Metrics("sweep")
    sweep.run(
        sessions,
        {"acme": a_policy()},
        metrics=metrics,
        clock=lambda: NOON,
        stop=stop,
        every_s=0.01,
        step_done=step_done,
    )
    assert steps == [1]
    assert the_item(sessions).state == "assigned"
    assert b'earshot_offers_made_total{role="sweep"} 1.0' in metrics.text()


def test_nothing_expires_while_the_clock_is_not_believed(sessions: Sessions) -> None:
    queue_items(sessions, 1)
    policy = a_policy(("slots: 4", "slots: 4\n  expire_after: 7d"))
    stop, doubts = threading.Event(), ["the clock went ahead", "the clock went ahead", ""]
    states: list[str] = []

    def step_done() -> None:
        states.append(the_item(sessions).state)
        if not doubts:
            stop.set()

    sweep.run(
        sessions,
        {"acme": policy},
        metrics=Metrics("sweep"),
        clock=lambda: NOON + timedelta(days=8),
        stop=stop,
        every_s=0.0,
        step_done=step_done,
        doubts=lambda _now: doubts.pop(0),
    )
    assert states == ["queued", "queued", "expired"]
