"""Offers and assignments against the database: won once, lost without a trace."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from earshot.database.db import Sessions
from earshot.database.tables import AssignmentRow, EventRow, ItemRow
from earshot.domain import ItemState
from earshot.items import assignments
from earshot.items.assignments import Full, Offered
from earshot.items.lifecycle import Stale
from tests.builders import NOON
from tests.router.people import current, hire, member, queue_items
from tests.router.reading import backlog, counted, the_item

LEASE = NOON + timedelta(minutes=2)


def offer(sessions: Sessions, item: ItemRow, person: int, limit: int = 1) -> int:
    with sessions.begin() as session:
        return assignments.offer(
            session,
            Offered(
                item_id=item.id,
                brand="acme",
                person_id=person,
                lease_until=LEASE,
                limit=limit,
                policy_version="v1",
                explain={"winner": {"person": person}},
                expect=item.version,
            ),
            "role:sweep",
            NOON,
        )


def test_an_offer_moves_the_item_and_keeps_its_reasons(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    clock = the_item(sessions).clock_started_at
    offer(sessions, the_item(sessions), 1)
    item = the_item(sessions)
    assert (item.state, item.assignee_id, item.offers) == ("assigned", 1, 1)
    assert item.clock_started_at == clock
    with sessions() as session:
        (assignment,) = current(session)
        assert (assignment.state, assignment.lease_until) == ("offered", LEASE)
        event = session.scalars(select(EventRow).where(EventRow.kind == "assignment.offered")).one()
        assert event.why == {"winner": {"person": 1}} == assignment.explain
        assert backlog(session) == counted(session)


def test_what_was_decided_on_an_older_version_changes_nothing(sessions: Sessions) -> None:
    hire(sessions, 1, 2)
    queue_items(sessions, 1)
    item = the_item(sessions)
    offer(sessions, item, 1)
    with pytest.raises(Stale):
        offer(sessions, item, 2)
    assert the_item(sessions).assignee_id == 1
    with sessions() as session:
        assert [one.person_id for one in current(session)] == [1]


def test_nobody_is_given_more_than_their_limit(sessions: Sessions) -> None:
    hire(sessions, 1)
    queue_items(sessions, 3)
    with sessions() as session:
        first, second, third = session.scalars(select(ItemRow).order_by(ItemRow.id)).all()
    offer(sessions, first, 1, limit=2)
    offer(sessions, second, 1, limit=2)
    with pytest.raises(Full):
        offer(sessions, third, 1, limit=2)
    with sessions.begin() as session:  # a reply under way can't be worked on
        held = session.get_one(ItemRow, first.id)
        held.state = ItemState.SENDING.value
    offer(sessions, third, 1, limit=2)


def test_nobody_off_duty_is_given_anything(sessions: Sessions) -> None:
    hire(sessions, 1, on_duty=False)
    queue_items(sessions, 1)
    with pytest.raises(Full):
        offer(sessions, the_item(sessions), 1)
    assert the_item(sessions).state == "queued"


def test_an_accepted_offer_no_longer_ends_by_itself(sessions: Sessions) -> None:
    hire(sessions, 1, suspect_until=NOON)
    queue_items(sessions, 1)
    offer(sessions, the_item(sessions), 1)
    item = the_item(sessions)
    with sessions.begin() as session:
        assert not assignments.accept(session, "acme", item.id, 2, NOON)
        assert assignments.accept(session, "acme", item.id, 1, NOON)
    with sessions.begin() as session:
        assert not assignments.accept(session, "acme", item.id, 1, NOON)
        (assignment,) = current(session)
        assert (assignment.state, assignment.lease_until) == ("accepted", None)
        assert member(session, 1).suspect_until is None


def test_what_is_handed_back_keeps_its_age_and_is_not_offered_to_them_again(
    sessions: Sessions,
) -> None:
    hire(sessions, 1)
    queue_items(sessions, 1)
    before = the_item(sessions)
    offer(sessions, before, 1)
    item = the_item(sessions)
    with sessions.begin() as session:
        assignments.hand_back(
            session, "acme", item.id, 1, NOON, expect=item.version, reason="not mine"
        )
    after = the_item(sessions)
    assert (after.state, after.assignee_id, after.excluded) == ("queued", None, [1])
    assert (after.clock_started_at, after.due_at) == (before.clock_started_at, before.due_at)
    with sessions() as session:
        assert current(session) == []
        assert session.scalars(select(AssignmentRow.end_reason)).one() == "not mine"
        assert backlog(session) == counted(session)


def test_only_the_holder_can_hand_back(sessions: Sessions) -> None:
    hire(sessions, 1, 2)
    queue_items(sessions, 1)
    offer(sessions, the_item(sessions), 1)
    item = the_item(sessions)
    with pytest.raises(Stale), sessions.begin() as session:
        assignments.hand_back(session, "acme", item.id, 2, NOON, expect=None, reason="")
    assert the_item(sessions).assignee_id == 1


def test_a_person_may_give_an_item_to_another_whoever_held_it(sessions: Sessions) -> None:
    hire(sessions, 1, 2)
    queue_items(sessions, 1)
    offer(sessions, the_item(sessions), 1)
    item = the_item(sessions)
    with sessions.begin() as session:
        assignments.give(session, "acme", item.id, 2, "person:9", NOON, expect=item.version, why={})
    assert the_item(sessions).assignee_id == 2
    with sessions() as session:
        (assignment,) = current(session)
        assert (assignment.person_id, assignment.state) == (2, "accepted")


def test_of_many_who_claim_at_once_each_item_has_one_winner(sessions: Sessions) -> None:
    people = (1, 2, 3, 4)
    hire(sessions, *people)
    queue_items(sessions, 12)
    with sessions() as session:
        items = session.scalars(select(ItemRow)).all()
    won: list[int] = []
    wrong: list[BaseException] = []

    def run(person: int, at: int) -> None:
        for item in [*items[at:], *items[:at]]:
            try:
                offer(sessions, item, person, limit=2)
                won.append(item.id)
            except Stale:
                pass
            except BaseException as error:  # noqa: BLE001 -- shown by the assertion below
                wrong.append(error)

    threads = [
        threading.Thread(target=run, args=(person, at)) for person in people for at in (0, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(set(won)) == len(won) == 8  # four people with two places each
    with sessions() as session:
        assert Counter(one.person_id for one in current(session)) == dict.fromkeys(people, 2)
        assert backlog(session) == counted(session)
