"""Alice of acme, Bob of acme in another role, Charlie of zen: who gets what, on every route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from dashboard.accounts import people
from dashboard.accounts.permissions import declared
from earshot.database.tables import AssignmentRow, DraftRow, EventRow, ItemRow, ReplyRow
from earshot.domain import ItemState, ReplyState, Role
from tests.dashboard.seed import add_item, add_reply
from tests.dashboard.world import Browser, World

SECRET = "only acme may read this"
ENDLESS = frozenset({"live.stream"})
"""A stream never ends, so that a client of a test can't read it; its guard is the same."""

OPEN_NOTHING = frozenset({"auth.logout"})

LISTENER, RESPONDER, MANAGER, ADMIN = Role.LISTENER, Role.RESPONDER, Role.MANAGER, Role.ADMIN
REACH: Mapping[tuple[Role, ...], str] = {
    (LISTENER, RESPONDER, MANAGER, ADMIN): """
        home.home auth.switch_brand items.explore mention.permalink mention.correct_labels
        live.poll me.me me.change me.change_password me.revoke me.heartbeat""",
    (LISTENER, MANAGER, ADMIN): """
        triage.triage triage.rows triage.detail triage.choose_answerer triage.choose_time
        triage_acts.act triage_acts.undo health.health""",
    (RESPONDER,): """
        queue.queue queue.item queue.take_next queue.take queue.accept queue.release queue.done
        queue.undo_close queue.draft replies.send replies.withdraw replies.edit replies.retry
        me.duty""",
    (MANAGER, ADMIN): "board.board board.live_tiles dead.letters dead.letter items.export",
    (ADMIN,): "dead.retry dead.drop",
}
"""Who is meant to get where, said apart from the views: one that asks for too little shows."""


@dataclass(frozen=True, slots=True)
class Seeded:
    world: World
    item: int
    reply: int

    def path(self, rule: Rule) -> str:
        values = {"item_id": self.item, "reply_id": self.reply, "key": "0" * 16, "token": "none"}
        with self.world.app.test_request_context():
            wanted = {name: values.get(name, 1) for name in rule.arguments}
            return rule.build(wanted, append_unknown=False)[1]  # type: ignore[index]  # a built rule is a pair


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


@pytest.fixture
def seeded(world: World) -> Seeded:
    with world.sessions.begin() as writing:
        bob = world.people["bob"]
        item = add_item(
            writing,
            1,
            text=SECRET,
            author_name=SECRET,
            state=ItemState.ANSWERING,
            team="payments",
            assignee_id=bob,
        )
        reply = add_reply(writing, item, bob, text=SECRET, state=ReplyState.FAILED)
    return Seeded(world, item, reply)


def rules(world: World) -> list[tuple[Rule, str]]:
    return [
        (rule, method)
        for rule in world.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
        if rule.endpoint != "static" and rule.endpoint not in ENDLESS | OPEN_NOTHING
    ]


def ask(browser: Browser, seeded: Seeded, rule: Rule, method: str) -> tuple[int, str]:
    path = seeded.path(rule)
    answer = browser.get(path) if method == "GET" else browser.post(path)
    return answer.status_code, answer.text


def test_nobody_gets_anything_without_signing_in(seeded: Seeded) -> None:
    browser = seeded.world.browser()
    for rule, method in rules(seeded.world):
        if declared(seeded.world.app.view_functions[rule.endpoint]) is None:
            continue
        status, text = ask(browser, seeded, rule, method)
        assert status == (401 if method == "POST" else 302), (rule, method)
        assert SECRET not in text


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("alice", Role.LISTENER),
        ("bob", Role.RESPONDER),
        ("mia", Role.MANAGER),
        ("ada", Role.ADMIN),
    ],
)
def test_a_role_reaches_what_it_was_granted_and_nothing_else(
    seeded: Seeded, name: str, role: Role
) -> None:
    reached = {view for roles, views in REACH.items() if role in roles for view in views.split()}
    browser = seeded.world.browser(name)
    for rule, method in rules(seeded.world):
        if declared(seeded.world.app.view_functions[rule.endpoint]) is None:
            continue
        status, _text = ask(browser, seeded, rule, method)
        allowed = rule.endpoint in reached
        assert (status != 403) == allowed or rule.endpoint == "auth.switch_brand", (rule, status)
        assert status < 500, (rule, method)


def test_of_every_view_it_is_said_who_gets_there(world: World) -> None:
    views = world.app.view_functions
    told = [view for named in REACH.values() for view in named.split()]
    asking = {r.endpoint for r, _ in rules(world) if declared(views[r.endpoint]) is not None}
    assert sorted(told) == sorted(asking)


def test_another_brand_s_people_see_and_change_nothing_of_it(seeded: Seeded) -> None:
    world = seeded.world
    browser = world.browser("charlie")
    before = world.read(_everything)
    for rule, method in rules(world):
        status, text = ask(browser, seeded, rule, method)
        assert SECRET not in text, (rule, method)
        assert status < 500, (rule, method)
    assert world.read(_everything) == before


def _everything(session: Session) -> list[object]:
    return [
        session.execute(select(*table.__table__.columns).where(table.brand == "acme")).all()
        for table in (ItemRow, ReplyRow, AssignmentRow, DraftRow, EventRow)
    ]


def test_a_brand_is_switched_to_only_by_its_people(world: World) -> None:
    browser = world.browser("alice")
    assert browser.post("/brand", {"brand": "zen"}).status_code == 403
    assert browser.post("/brand", {"brand": "acme"}).status_code == 302


def test_a_role_in_one_brand_gives_nothing_in_another(world: World) -> None:
    with world.sessions.begin() as writing:
        people.join(writing, "zen", world.people["bob"], roles=list(Role))
    browser = world.browser("bob")
    assert browser.get("/triage").status_code == 403
    assert browser.post("/brand", {"brand": "zen"}).status_code == 302
    assert browser.get("/triage").status_code == 200
    assert browser.post("/brand", {"brand": "acme"}).status_code == 302
    assert browser.get("/triage").status_code == 403
