"""A closing without reply is taken back: the item is its holder's again, just as it was."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from dashboard.accounts import people
from dashboard.accounts.browser_sessions import begin, find
from dashboard.answering.undo import TooLate, take_back
from dashboard.frame.app_context import Viewer
from earshot.database.tables import AssignmentRow, BacklogRow, EventRow, ItemRow
from earshot.domain import ItemState
from earshot.items.holding import HELD
from earshot.items.lifecycle import Stale
from tests.builders import NOON
from tests.dashboard.seed import add_item
from tests.dashboard.world import Browser, World, one, parsed

NUMBERS = count(1000)


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


def add_mine(world: World, number: int, **changes: Any) -> int:
    """An item that Bob holds."""
    held: dict[str, Any] = {"state": ItemState.ASSIGNED, "team": "payments"}
    held["assignee_id"] = world.people["bob"]
    with world.sessions.begin() as writing:
        return add_item(writing, number, **held | changes)


def item(world: World, number: int) -> dict[str, Any]:
    """All of an item but its version and when it changed."""
    row = world.read(lambda s: s.get(ItemRow, number))
    names = {column.key for column in ItemRow.__table__.columns} - {"version", "changed_at"}
    return {name: getattr(row, name) for name in names}


def version(world: World, number: int) -> int:
    return int(world.read(lambda s: s.get(ItemRow, number)).version)


def assignments_of(world: World, number: int) -> list[dict[str, Any]]:
    rows = world.read(
        lambda s: s.scalars(
            select(AssignmentRow).where(AssignmentRow.item_id == number).order_by(AssignmentRow.id)
        ).all()
    )
    names = [column.key for column in AssignmentRow.__table__.columns]
    return [{name: getattr(row, name) for name in names} for row in rows]


def held(world: World, number: int) -> dict[str, Any]:
    """Who has the item now, and why they: its one live assignment."""
    (live,) = (row for row in assignments_of(world, number) if row["state"] != "ended")
    return {name: value for name, value in live.items() if name not in {"id", "made_at"}}


def close(world: World, browser: Browser, number: int) -> TestResponse:
    return browser.post(f"/queue/{number}/done", {"expect": str(version(world, number))})


def undo_fields(browser: Browser, path: str = "/queue") -> tuple[str, dict[str, str]]:
    """Where the page's Undo leads, and what it sends."""
    form = one(browser.get(path), "form.closed-bar")
    fields = {f.attributes["name"] or "": f.attributes["value"] or "" for f in form.css("input")}
    return form.attributes["action"] or "", fields


def undo(browser: Browser, path: str = "/queue") -> TestResponse:
    action, fields = undo_fields(browser, path)
    return browser.post(action, fields)


@pytest.mark.parametrize("state", [ItemState.ASSIGNED, ItemState.ANSWERING])
def test_undo_brings_the_item_back_to_its_holder_with_clock_target_and_assignment(
    world: World, state: ItemState
) -> None:
    mine = add_mine(world, 1, state=state)
    before, had = item(world, mine), held(world, mine)
    open_before = world.read(lambda s: s.scalar(select(func.sum(BacklogRow.n))))
    browser = world.browser("bob")
    close(world, browser, mine)
    assert item(world, mine)["state"] == ItemState.DISMISSED
    world.clock.advance(minutes=4)
    answer = undo(browser)
    assert answer.headers["Location"] == f"/queue/{mine}"
    assert item(world, mine) == before
    assert held(world, mine) == had
    assert world.read(lambda s: s.scalar(select(func.sum(BacklogRow.n)))) == open_before
    newest = select(EventRow).order_by(EventRow.seq.desc()).limit(1)
    event = world.read(lambda s: s.scalars(newest).one())
    assert (event.kind, event.actor) == ("item.undone", f"person:{world.people['bob']}")
    assert parsed(browser.get(f"/queue/{mine}")).css("#composer")


def test_undo_is_offered_on_every_page_of_the_queue_and_after_a_reload(world: World) -> None:
    first, second = add_mine(world, 1), add_mine(world, 2)
    browser = world.browser("bob")
    close(world, browser, first)
    for path in ("/queue", "/queue", f"/queue/{second}"):
        assert undo_fields(browser, path)[0] == f"/queue/{first}/undo"
    assert "Author 1" in one(browser.get("/queue"), ".closed-bar").text()


def test_what_was_closed_last_is_taken_back_first(world: World) -> None:
    first, second = add_mine(world, 1), add_mine(world, 2)
    browser = world.browser("bob")
    close(world, browser, first)
    close(world, browser, second)
    assert undo(browser).headers["Location"] == f"/queue/{second}"
    assert undo(browser).headers["Location"] == f"/queue/{first}"
    assert not parsed(browser.get("/queue")).css(".closed-bar")


def test_after_five_minutes_undo_is_not_offered_and_refused_with_words(world: World) -> None:
    mine = add_mine(world, 1)
    browser = world.browser("bob")
    close(world, browser, mine)
    action, fields = undo_fields(browser)
    world.clock.advance(minutes=5, seconds=1)
    assert not parsed(browser.get("/queue")).css(".closed-bar")
    answer = browser.post(action, fields)
    assert "five minutes" in one(browser.get(answer.headers["Location"]), ".flash.wrong").text()
    assert item(world, mine)["state"] == ItemState.DISMISSED


def test_what_somebody_else_changed_since_is_not_taken_back_and_the_page_says_who(
    world: World,
) -> None:
    mine = add_mine(world, 1)
    browser = world.browser("bob")
    close(world, browser, mine)
    action, fields = undo_fields(browser)
    token = f"{mine}:{version(world, mine)}"
    world.browser("mia").post(
        "/triage/act", {"action": "assign", "target": "team:payments", "item": token}
    )
    assert not parsed(browser.get("/queue")).css(".closed-bar")
    answer = browser.post(action, fields)
    assert answer.status_code == 409
    assert "Mia queued it for" in answer.text
    assert item(world, mine)["state"] == ItemState.QUEUED
    assert item(world, mine)["assignee_id"] is None


def test_nobody_takes_back_a_colleague_s_closing_or_one_of_triage(world: World) -> None:
    mine = add_mine(world, 1)
    close(world, world.browser("bob"), mine)
    fields = {"expect": str(version(world, mine))}
    assert world.browser("rita").post(f"/queue/{mine}/undo", fields).status_code == 409
    with world.sessions.begin() as writing:
        other = add_item(writing, 2)
    world.browser("mia").post("/triage/act", {"action": "done", "item": f"{other}:1"})
    assert world.browser("bob").post(f"/queue/{other}/undo", {"expect": "2"}).status_code == 409
    assert item(world, mine)["state"] == item(world, other)["state"] == ItemState.DISMISSED


def test_who_signs_in_next_is_offered_nothing_of_the_one_before(world: World) -> None:
    mine = add_mine(world, 1)
    browser = world.browser("bob")
    close(world, browser, mine)
    browser.post("/logout")
    with world.sessions.begin() as writing:
        token = people.sign_in_link(
            writing, world.people["rita"], world.clock(), timedelta(minutes=5)
        )
    again = Browser(browser.client)
    again.post(f"/signin/{token}")
    assert not parsed(again.get("/queue")).css(".closed-bar")


def test_an_offer_that_was_closed_comes_back_as_accepted(world: World) -> None:
    mine = add_mine(world, 1)
    with world.sessions.begin() as writing:
        writing.execute(
            update(AssignmentRow).values(state="offered", lease_until=NOON + timedelta(minutes=1))
        )
    browser = world.browser("bob")
    close(world, browser, mine)
    world.clock.advance(minutes=3)
    undo(browser)
    live = held(world, mine)
    assert (live["state"], live["lease_until"], live["ended_at"]) == ("accepted", None, None)
    assert live["person_id"] == world.people["bob"]


ACTS = ("close", "undo", "undo by rita", "take by rita", "give back", "take", "wait", "long wait")


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(st.sampled_from(ACTS), max_size=9))
def test_whatever_happens_an_item_is_held_exactly_while_it_has_a_current_assignment(
    world: World, acts: list[str]
) -> None:
    mine = add_mine(world, next(NUMBERS))
    browsers = {name: world.browser(name) for name in ("bob", "rita")}
    closed: tuple[dict[str, Any], Any] | None = None
    for act in acts:
        before, person = item(world, mine), "rita" if act.endswith("rita") else "bob"
        expect = {"expect": str(version(world, mine))}
        match act.split()[0]:
            case "close":
                done = close(world, browsers["bob"], mine)
                closed = (before, world.clock()) if done.status_code == 302 else closed
            case "undo":
                browsers[person].post(f"/queue/{mine}/undo", expect)
                after = item(world, mine)
                mend = closed is not None and person == "bob"
                if (
                    mend
                    and closed is not None
                    and world.clock() - closed[1] <= timedelta(minutes=5)
                ):
                    assert after == closed[0]
                    closed = None
                else:
                    assert after == before
            case "take":
                took = browsers[person].post(f"/queue/{mine}/take", expect).status_code == 302
                closed = None if took else closed
            case "give":
                gave = browsers["bob"].post(f"/queue/{mine}/release", expect).status_code == 302
                closed = None if gave else closed
            case _:
                world.clock.advance(minutes=2 if act == "wait" else 6)
        now = item(world, mine)
        current = [a for a in assignments_of(world, mine) if a["state"] != "ended"]
        holders = [now["assignee_id"]] if now["state"] in HELD else []
        assert [one["person_id"] for one in current] == holders, acts
        assert (now["assignee_id"] is not None) == bool(holders), acts


def test_two_undos_at_once_are_one(world: World) -> None:
    mine = add_mine(world, 1)
    close(world, world.browser("bob"), mine)
    who = a_viewer(world)
    expect = version(world, mine)
    with world.sessions.begin() as writing:
        take_back(writing, who, mine, expect, world.clock())
    with world.sessions.begin() as writing, pytest.raises(Stale):
        take_back(writing, who, mine, expect, world.clock())
    assert held(world, mine)["state"] == "accepted"
    assert len(assignments_of(world, mine)) == 2


def test_five_minutes_count_to_the_second(world: World) -> None:
    mine = add_mine(world, 1)
    close(world, world.browser("bob"), mine)
    late = world.clock() + timedelta(minutes=5, microseconds=1)
    with world.sessions.begin() as writing, pytest.raises(TooLate):
        take_back(writing, a_viewer(world), mine, version(world, mine), late)


def a_viewer(world: World) -> Viewer:
    with world.sessions.begin() as writing:
        token = begin(writing, world.people["bob"], "a test", world.clock())
        found = find(writing, token or "", world.clock())
    assert found is not None
    return found.viewer
