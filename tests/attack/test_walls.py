"""Forged forms, foreign ids and missing headers, on every address that the desk has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from dashboard.accounts import people
from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.security import BODY_LIMIT, HEADERS
from earshot.database.tables import DeadLetterRow, ItemRow, PersonRow, SourceHealthRow, Table
from earshot.domain import ItemState, ReplyState, Role
from tests.attack.hostile_desk import (
    Asked,
    AskedRequest,
    make_hostile,
    paths,
    rules,
    without_power_cuts,
)
from tests.builders import NOON
from tests.dashboard.seed import add_item, add_reply
from tests.dashboard.world import Browser, World, make_world

SECRET = "only acme may read this"
SEEN = frozenset({"session", "membership", "sign_in_link"})
"""Tables in which merely looking leaves its time."""


def everything(session: Session, brand: str = "") -> dict[str, list[Any]]:
    """All rows by table, but for the times at which people were seen."""
    found = {}
    for table in Table.metadata.sorted_tables:
        if table.name in SEEN or (brand and "brand" not in table.columns):
            continue
        asked = select(table)
        if brand:
            asked = asked.where(table.c.brand == brand)
        found[table.name] = sorted(map(repr, session.execute(asked)))
    return found


# ---------------------------------------------------------------- forged requests


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A desk with something in every table."""
    world = make_hostile(tmp_path_factory.mktemp("full"), ("one", "two", "three", "four"))
    yield world
    world.sessions.kw["bind"].dispose()


UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def test_no_form_is_taken_without_the_token_of_its_browser(full: World) -> None:
    before, tried = full.read(everything), 0
    other = full.browser("alice").token()
    for method in UNSAFE:
        for rule in rules(full, method):
            browser = full.browser("ada")
            for path in paths(full, rule):
                for form in ({}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": other}):
                    answer = browser.client.open(path, method=method, data=form)
                    assert answer.status_code == 400, (method, path, form)
                    tried += 1
            told = browser.client.open(
                path, method=method, json={}, headers={"X-CSRFToken": "forged"}
            )
            assert told.status_code == 400, (method, path)
    assert tried > 100
    assert full.read(everything) == before


def test_looking_changes_nothing(full: World) -> None:
    before = full.read(everything)
    browser = full.browser("ada")
    for rule in rules(full, "GET"):
        for path in paths(full, rule):
            browser.get(path)
            browser.client.head(path)
    assert full.read(everything) == before


def test_an_address_takes_only_the_methods_that_it_declares(full: World) -> None:
    browser = full.browser("ada")
    for rule in rules(full, "GET") + rules(full, "POST"):
        path = next(paths(full, rule))
        taken = {
            m for r in full.app.url_map.iter_rules() if r.rule == rule.rule for m in r.methods or ()
        }
        for method in {"GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - taken:
            assert browser.client.open(path, method=method).status_code in {400, 405}, (
                method,
                path,
            )


# ---------------------------------------------------------------- another brand's ids


@dataclass(frozen=True, slots=True)
class Foreign:
    """A world in which zen's Charlie, who may do everything there, tries acme's ids."""

    world: World
    ids: tuple[str, ...]


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Foreign]:
    world = without_power_cuts(make_world(tmp_path))
    world.app.request_class = AskedRequest
    bob, charlie = world.people["bob"], world.people["charlie"]
    with world.sessions.begin() as writing:
        mine = add_item(writing, 7, brand="zen", state=ItemState.ANSWERING, assignee_id=charlie)
        add_reply(writing, mine, charlie, brand="zen", state=ReplyState.FAILED, number="7")
        item = add_item(
            writing,
            1,
            text=SECRET,
            author_name=SECRET,
            state=ItemState.ANSWERING,
            team=SECRET,
            topic=SECRET,
            assignee_id=bob,
        )
        waiting = add_item(writing, 2, text=SECRET, author_handle=SECRET)
        reply = add_reply(writing, item, bob, text=SECRET, state=ReplyState.QUEUED)
        writing.execute(update(PersonRow).where(PersonRow.id != charlie).values(name=SECRET))
        people.join(writing, "acme", bob, roles=[Role.RESPONDER], teams=[SECRET], on_duty=True)
        writing.add(
            SourceHealthRow(
                brand="acme", source=SECRET, platform="x", state="failing", error=SECRET
            )
        )
        letters = [_letter(brand) for brand in ("acme", "zen")]
        writing.add_all(letters)
        writing.flush()
        letter = letters[0].id
    ids = [f"{one}{end}" for one in (item, waiting) for end in ("", ":1")]
    ids += [str(reply), str(letter), str(bob), f"person:{bob}", f"team:{SECRET}", "acme", "sim"]
    yield Foreign(world, (*ids, SECRET, f"brand:acme {SECRET}", "simulator:1"))
    world.sessions.kw["bind"].dispose()


def _letter(brand: str) -> DeadLetterRow:
    return DeadLetterRow(
        topic="mentions",
        partition=0,
        offset=1 if brand == "acme" else 2,
        brand=brand,
        source="sim",
        mention_id="simulator:1",
        revision=0,
        reason=SECRET if brand == "acme" else "",
        key=b"",
        value=SECRET.encode() if brand == "acme" else b"",
        headers={},
        state="waiting",
        buried_at=NOON,
    )


NO_IDS = frozenset({"auth.logout", "auth.sign_in", "me.change_password"})
"""Logging out ends the test, and a password that is checked takes long; no id goes there."""


def own_path(world: World, rule: Rule) -> str:
    """An address of a rule that leads to zen's own rows."""
    item = world.read(lambda s: s.scalar(select(ItemRow.id).where(ItemRow.brand == "zen")))
    letter = world.read(
        lambda s: s.scalar(select(DeadLetterRow.id).where(DeadLetterRow.brand == "zen"))
    )
    values = {"item_id": item, "letter_id": letter, "reply_id": 1, "key": "0" * 16, "token": "none"}
    with world.app.test_request_context():
        wanted = {name: values[name] for name in rule.arguments}
        return rule.build(wanted, append_unknown=False)[1]  # type: ignore[index]  # a built rule is a pair


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ids_of_another_brand_do_nothing_wherever_they_are_put(
    foreign: Foreign, method: str
) -> None:
    world = foreign.world
    before = world.read(lambda s: everything(s, "acme"))
    tried, browser = 0, world.browser("charlie")
    for rule in rules(world, method):
        if rule.endpoint in NO_IDS:
            continue
        everywhere = [own_path(world, rule), *paths(world, rule)]
        Asked.names.clear()
        ask(browser, method, everywhere[0], {})
        names = sorted(Asked.names - {"csrf_token"})
        for path in everywhere:
            for one in foreign.ids if path == everywhere[0] else foreign.ids[:1]:
                # a number alone, too: a filter beside it would hide what it leads to
                alone = [{name: one} for name in names if one.isdecimal()]
                for sent in (dict.fromkeys(names, one), *alone):
                    text = ask(browser, method, path, sent)
                    # what was sent may be said back; what stands in acme's rows may not
                    assert one == SECRET or SECRET in one or SECRET not in text, (path, sent)
                    tried += 1
    assert tried > 100
    assert browser.get("/me").status_code == 200, "Charlie was signed in all the time"
    assert world.read(lambda s: everything(s, "acme")) == before


def ask(browser: Browser, method: str, path: str, sent: dict[str, str]) -> str:
    if method == "GET":
        answer = browser.client.get(path, query_string=sent)
    else:
        answer = browser.post(path, sent)
    assert answer.status_code < 500, (path, sent)
    return answer.text


def test_a_brand_s_people_see_what_the_others_must_not(foreign: Foreign) -> None:
    with foreign.world.sessions.begin() as writing:
        people.join(writing, "acme", foreign.world.people["ada"], roles=list(Role))
    ada = foreign.world.browser("ada")
    shown = [
        rule.endpoint
        for rule in rules(foreign.world, "GET")
        for path in paths(foreign.world, rule, every=True)
        if SECRET in ada.get(path).text
    ]
    assert {"mention.permalink", "items.explore", "items.export", "dead.letter"} <= set(shown)


# ---------------------------------------------------------------- headers


def answers(world: World) -> Iterator[tuple[str, Any]]:
    """An answer of every kind that there is."""
    for name in ("ada", "bob", ""):
        browser = world.browser(name)
        for rule in rules(world, "GET"):
            path = next(paths(world, rule))
            yield f"{name} {path}", browser.get(path)
    ada = world.browser("ada")
    yield "404", ada.get("/nothing")
    yield "405", ada.client.put("/me")
    yield "400", ada.client.post("/me")
    yield "413", ada.client.post("/me", data={"x": "y" * (BODY_LIMIT + 1)})
    yield "redirect", ada.get("/")
    yield "static", ada.get("/static/app.css")
    yield "static 404", ada.get("/static/../../etc/passwd")
    yield "stream", ada.get("/stream")
    yield (
        "409",
        ada.post(next(paths(world, next(r for r in rules(world, "POST") if "accept" in r.rule)))),
    )


def test_every_answer_carries_the_headers(full: World) -> None:
    seen = set()
    for where, answer in answers(full):
        seen.add(answer.status_code)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, where
        if not where.startswith("static"):
            assert "no-store" in answer.headers["Cache-Control"] or "/poll" in where, where
        assert "Access-Control-Allow-Origin" not in answer.headers
        answer.close()
    assert {200, 302, 400, 403, 404, 405, 413} <= seen


def test_what_breaks_says_no_more_and_keeps_the_headers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    @needs(Permission.USE_DESK)
    def broken() -> str:
        raise RuntimeError(SECRET)

    monkeypatch.setitem(world.app.view_functions, "me.me", broken)
    browser = world.browser("alice")
    world.app.testing = False
    answer = browser.get("/me")
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "directive",
    ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"],
)
def test_the_policy_says_no_first(directive: str) -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert directive in policy.split("; ")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http" not in policy
