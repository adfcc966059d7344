"""Closing an account ends all that hangs on it, at once, and loses nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from dashboard.accounts import browser_sessions, directory, people
from dashboard.accounts.directory import Closed
from dashboard.accounts.people import PersonError
from earshot.database.tables import (
    AssignmentRow,
    BacklogRow,
    DraftRow,
    EventRow,
    ItemRow,
    MembershipRow,
    SessionRow,
)
from earshot.domain import ItemState, Role
from earshot.items import assignments, lifecycle
from earshot.items.assignments import Full, Offered
from earshot.items.holding import HELD
from earshot.items.lifecycle import OPEN, Change
from tests.builders import NOON
from tests.dashboard.seed import add_item
from tests.dashboard.world import PASSWORD, World

CLI = "role:cli"


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


def disable(world: World, name: str) -> Closed | None:
    with world.sessions.begin() as writing:
        return directory.disable(writing, world.people[name], CLI, world.clock())


def enable(world: World, name: str) -> bool:
    with world.sessions.begin() as writing:
        return directory.enable(writing, world.people[name], CLI, world.clock())


def new_link(world: World, name: str) -> str:
    with world.sessions.begin() as writing:
        token = people.sign_in_link(writing, world.people[name], world.clock(), timedelta(hours=1))
    return f"/signin/{token}"


def held(world: World, number: int, state: ItemState = ItemState.ASSIGNED, **row: Any) -> int:
    with world.sessions.begin() as writing:
        return add_item(writing, number, state=state, assignee_id=world.people["bob"], **row)


def events(world: World, kind: str) -> list[EventRow]:
    asked = select(EventRow).where(EventRow.kind == kind).order_by(EventRow.seq)
    return list(world.read(lambda s: s.scalars(asked).all()))


# ------------------------------------------------------------------ getting in


def test_a_disabled_person_is_asked_to_sign_in_at_the_next_request_and_can_not(
    world: World,
) -> None:
    with world.sessions.begin() as writing:
        people.set_password(writing, world.people["bob"], PASSWORD)
    here, there = world.browser("bob"), world.browser("bob")
    assert here.get("/me").status_code == 200
    assert disable(world, "bob") == Closed(sessions=2, items=0)
    for browser in (here, there):
        assert browser.get("/me").headers["Location"].startswith("/login")
    refused = world.browser().post("/login", {"email": world.email("bob"), "password": PASSWORD})
    assert refused.status_code == 422
    assert world.read(lambda s: s.scalar(select(func.count()).select_from(SessionRow))) == 0
    assert enable(world, "bob")
    assert here.get("/me").status_code == 302  # what had ended stays ended
    entered = world.browser().post("/login", {"email": world.email("bob"), "password": PASSWORD})
    assert entered.status_code == 302


def test_an_open_stream_ends_with_the_account(world: World) -> None:
    with world.sessions.begin() as writing:
        token = browser_sessions.begin(writing, world.people["bob"], "a test", NOON)
    assert token is not None
    assert world.read(lambda s: browser_sessions.find(s, token, NOON)) is not None
    disable(world, "bob")
    assert world.read(lambda s: browser_sessions.find(s, token, NOON)) is None


def test_no_session_begins_for_a_disabled_person_that_would_come_alive_later(world: World) -> None:
    disable(world, "bob")
    with world.sessions.begin() as writing:
        assert browser_sessions.begin(writing, world.people["bob"], "a test", NOON) is None


def test_links_end_with_the_account_and_stay_ended(world: World) -> None:
    link = new_link(world, "bob")
    disable(world, "bob")
    enable(world, "bob")
    assert world.browser().post(link).status_code == 410


def test_a_link_of_a_disabled_person_is_not_used_up_and_lets_nobody_in(world: World) -> None:
    disable(world, "bob")
    link = new_link(world, "bob")
    assert world.browser().post(link).status_code == 410
    enable(world, "bob")
    assert world.browser().post(link).status_code == 302


def test_a_newer_link_ends_the_others(world: World) -> None:
    first, second, others = new_link(world, "bob"), new_link(world, "bob"), new_link(world, "ada")
    assert world.browser().post(first).status_code == 410
    assert world.browser().post(second).status_code == 302
    assert world.browser().post(second).status_code == 410
    assert world.browser().post(others).status_code == 302


def test_a_change_of_password_ends_every_link(world: World) -> None:
    browser, link = world.browser("bob"), new_link(world, "bob")
    assert browser.post("/me/password", {"new": PASSWORD}).status_code == 302
    assert world.browser().post(link).status_code == 410


# ------------------------------------------------------------------ what they held


@pytest.mark.parametrize("state", sorted(HELD))
def test_what_a_disabled_person_held_goes_back_with_its_age(world: World, state: ItemState) -> None:
    started = NOON - timedelta(minutes=50)
    item = held(world, 1, state, clock_started_at=started)
    other = held(world, 2)
    with world.sessions.begin() as writing:
        lifecycle.move(
            writing,
            Change(
                item_id=other, brand="acme", actor="role:route", at=NOON, to=ItemState.ANSWERING
            ),
        )
        draft = {"item_id": item, "person_id": world.people["bob"], "brand": "acme"}
        writing.execute(insert(DraftRow).values(**draft, text="Dear Ana", saved_at=NOON))
    sending = state is ItemState.SENDING  # its reply goes out, and is still theirs
    assert disable(world, "bob") == Closed(sessions=0, items=1 if sending else 2)
    found: ItemRow = world.read(lambda s: s.get(ItemRow, item))
    assert found.state == (ItemState.SENDING if sending else ItemState.QUEUED)
    assert found.assignee_id == (world.people["bob"] if sending else None)
    assert found.clock_started_at == started
    rows = world.read(lambda s: s.scalars(select(AssignmentRow)).all())
    ended = {row.item_id: row.end_reason for row in rows if row.state == "ended"}
    assert ended == dict.fromkeys([other] if sending else [item, other], directory.DISABLED)
    released = events(world, "assignment.released")
    assert [(row.item_id, row.actor) for row in released] == [(one, CLI) for one in ended]
    assert world.read(lambda s: s.scalar(select(DraftRow.text))) == "Dear Ana"
    _backlog_is_counted(world)


def _backlog_is_counted(world: World) -> None:
    counted = world.read(
        lambda s: s.execute(
            select(BacklogRow.state, func.sum(BacklogRow.n)).group_by(BacklogRow.state)
        ).all()
    )
    there = world.read(
        lambda s: s.execute(
            select(ItemRow.state, func.count())
            .where(ItemRow.state.in_(sorted(OPEN)))
            .group_by(ItemRow.state)
        ).all()
    )
    assert {state: n for state, n in counted if n} == dict(there)


def test_nothing_is_offered_or_given_to_a_disabled_person(world: World) -> None:
    with world.sessions.begin() as writing:
        item = add_item(writing, 1, state=ItemState.QUEUED, team="payments")
        triaged = add_item(writing, 2)
    disable(world, "bob")
    decided_before = Offered(
        item_id=item,
        brand="acme",
        person_id=world.people["bob"],
        lease_until=NOON + timedelta(minutes=3),
        limit=4,
        policy_version="1",
        explain={},
        expect=1,
    )
    with pytest.raises(Full), world.sessions.begin() as writing:
        assignments.offer(writing, decided_before, "role:sweep", NOON)
    target = f"person:{world.people['bob']}"
    form = {"action": "assign", "target": target, "item": f"{triaged}:1"}
    answer = world.browser("alice").post("/triage/act", form, X_Fragment="1")
    assert answer.status_code == 422
    assert world.read(lambda s: s.scalar(select(func.count()).select_from(AssignmentRow))) == 0


# ------------------------------------------------------------------ who may be disabled


def test_the_last_admin_of_a_brand_can_not_be_disabled(world: World) -> None:
    with pytest.raises(PersonError, match="nobody else is an admin of acme; make somebody one"):
        disable(world, "ada")
    assert world.browser("ada").get("/me").status_code == 200
    with world.sessions.begin() as writing:
        people.join(writing, "acme", world.people["mia"], roles=[Role.ADMIN])
    assert disable(world, "ada") is not None
    with pytest.raises(PersonError, match="acme"):
        disable(world, "mia")  # the other one is closed, and so does not count
    with pytest.raises(PersonError, match="zen"):
        disable(world, "charlie")


def test_two_admins_who_are_disabled_at_once_leave_one(world: World) -> None:
    with world.sessions.begin() as writing:
        people.join(writing, "acme", world.people["mia"], roles=[Role.ADMIN])
    start, outcomes = threading.Barrier(2), list[str]()

    def close(name: str) -> None:
        start.wait()
        try:
            disable(world, name)
            outcomes.append("closed")
        except PersonError:
            outcomes.append("kept")

    threads = [threading.Thread(target=close, args=(name,)) for name in ("ada", "mia")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["closed", "kept"]


def test_disabling_and_enabling_twice_is_once_and_each_leaves_an_event(world: World) -> None:
    assert disable(world, "bob") is not None
    assert disable(world, "bob") is None
    assert enable(world, "bob")
    assert not enable(world, "bob")
    for kind in ("person.disabled", "person.enabled"):
        (event,) = events(world, kind)
        assert (event.brand, event.actor) == ("acme", CLI)
        assert event.subject == str(world.people["bob"])


def test_enabling_brings_the_roles_back_but_no_items(world: World) -> None:
    item = held(world, 1)
    before = world.read(lambda s: s.get(MembershipRow, ("acme", world.people["bob"])))
    disable(world, "bob")
    enable(world, "bob")
    after = world.read(lambda s: s.get(MembershipRow, ("acme", world.people["bob"])))
    assert (after.roles, after.teams) == (before.roles, before.teams)
    assert not after.on_duty
    assert world.read(lambda s: s.get(ItemRow, item)).assignee_id is None
    assert world.browser("bob").get("/queue").status_code == 200


# ------------------------------------------------------------------ places


def test_a_place_is_changed_in_what_is_said_and_nothing_else(world: World) -> None:
    bob = world.people["bob"]
    with world.sessions.begin() as writing:
        writing.get_one(MembershipRow, ("acme", bob)).skills = {"refunds": 3}
    with world.sessions.begin() as writing:
        directory.change_place(writing, "acme", bob, {"teams": ["parcels"]}, CLI, NOON)
    place = world.read(lambda s: s.get(MembershipRow, ("acme", bob)))
    assert (place.teams, place.roles) == (["parcels"], ["responder"])
    assert (place.skills, place.on_duty) == ({"refunds": 3}, True)
    (event,) = events(world, "person.changed")
    assert (event.before, event.after) == ({"teams": ["payments"]}, {"teams": ["parcels"]})


def test_the_last_admin_stays_admin(world: World) -> None:
    ada = world.people["ada"]
    with pytest.raises(PersonError, match="admin of acme"), world.sessions.begin() as writing:
        directory.change_place(writing, "acme", ada, {"roles": ["listener"]}, CLI, NOON)


def test_everybody_is_listed_by_address_with_their_places(world: World) -> None:
    disable(world, "bob")
    found = world.read(directory.accounts)
    assert [account.email for account in found] == sorted(account.email for account in found)
    bob = next(account for account in found if account.name == "Bob")
    assert (bob.active, bob.simulated) == (False, False)
    assert [(place.brand, place.teams) for place in bob.places] == [("acme", ["payments"])]
