"""Hostile text through every field into every page, parsed as a browser does."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

import dashboard
from dashboard.lists.spreadsheet import ACTIVE
from tests.attack.corpus import ADDRESSES, MARKUP, STORABLE, TEMPLATES
from tests.attack.hostile_desk import Asked, make_hostile, paths, rules
from tests.attack.pages import faults, text_of
from tests.dashboard.world import Browser, World

KINDS: tuple[dict[str, str], ...] = ({}, {"X_Fragment": "1"})
"""A whole page, and a part of one for a script."""

DESK = Path(dashboard.__file__).parent


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = make_hostile(tmp_path_factory.mktemp("hostile"))
    yield world
    world.sessions.kw["bind"].dispose()


@pytest.fixture
def ada(hostile: World) -> Browser:
    return hostile.browser("ada")


def check(answer: TestResponse, where: str) -> str:
    """The page, which must be sound; anything that is no page must not be taken for one."""
    assert answer.status_code < 500, where
    kind = answer.mimetype
    assert kind in {"text/html", "application/json", "text/csv"} or not answer.data, (where, kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if kind == "text/csv":
        assert answer.headers["Content-Disposition"].startswith("attachment")
    if kind == "text/html":
        assert faults(answer.text) == [], where
    return answer.text


def test_no_page_holds_anything_that_a_payload_made(hostile: World, ada: Browser) -> None:
    seen = 0
    for rule in rules(hostile, "GET"):
        for path in paths(hostile, rule, every=True):
            check(ada.get(path), path)
            seen += 1
    assert seen > 3 * len(STORABLE)


@pytest.mark.parametrize("fragment", ["HX_Request", "X_Fragment"])
def test_no_part_of_a_page_does(hostile: World, ada: Browser, fragment: str) -> None:
    for rule in rules(hostile, "GET"):
        for path in paths(hostile, rule):
            check(ada.get(path, **{fragment: "1"}), path)


def test_every_payload_is_shown_as_it_was_written(hostile: World, ada: Browser) -> None:
    shown = [
        text_of(ada.get(path).text)
        for rule in rules(hostile, "GET")
        if rule.endpoint == "mention.permalink"
        for path in paths(hostile, rule, every=True)
    ]
    for payload in (*MARKUP, *TEMPLATES):
        assert any(payload in text for text in shown), payload


def test_each_kind_of_page_shows_some(hostile: World, ada: Browser) -> None:
    silent = []
    for rule in rules(hostile, "GET"):
        shown = [ada.get(p, **kind).text for p in paths(hostile, rule) for kind in KINDS]
        if not any("pwned" in text_of(html) for html in shown):
            silent.append(rule.endpoint)
    assert set(silent) <= {"auth.login", "auth.link", "home.home", "live.poll", "board.live_tiles"}


@pytest.mark.parametrize("name", ["ada", ""])
def test_no_parameter_makes_anything_on_a_page(hostile: World, name: str) -> None:
    browser = hostile.browser(name)
    read: set[str] = set()
    for rule in rules(hostile, "GET"):
        path = next(paths(hostile, rule))
        Asked.names.clear()
        browser.get(path)
        names = sorted(Asked.names)
        read |= set(names)
        for payload in (*MARKUP[1:4], MARKUP[6], ADDRESSES[0], TEMPLATES[0], "\r\nX-Pwned: 1"):
            every = dict.fromkeys(names, payload)
            answer = browser.client.get(path, query_string=every)
            check(answer, f"{path}?{every}")
            assert "X-Pwned" not in answer.headers
        for one in names:
            check(browser.client.get(path, query_string={one: MARKUP[1]}), f"{path}?{one}")
    assert {"q", "after", "item"} <= read if name else {"next"} <= read


def test_no_form_makes_anything_on_a_page(tmp_path: Path) -> None:
    world = make_hostile(tmp_path, STORABLE[:3])
    read: set[str] = set()
    for rule in rules(world, "POST"):
        path = next(paths(world, rule))
        Asked.names.clear()
        world.browser("ada").post(path)
        names = Asked.names - {"csrf_token"}
        read |= names
        for payload in (MARKUP[1], MARKUP[3], TEMPLATES[0]):
            browser = world.browser("ada")
            answer = browser.post(path, dict.fromkeys(names, payload))
            check(answer, path)
            for header in ("Location", "HX-Redirect", "HX-Location", "HX-Trigger"):
                assert "pwned" not in answer.headers.get(header, ""), (path, header)
            check(browser.get("/me"), f"/me after {path}")
    assert {"text", "item", "brand", "email"} <= read
    world.sessions.kw["bind"].dispose()


def test_templates_translate_nothing_but_sentences_of_their_own() -> None:
    """Jinja takes what `_()` is given for HTML that is safe, and for a format."""
    strange = [
        f"{path.name}: {call}"
        for path in DESK.rglob("*.html")
        for call in re.findall(r"\b(?:_|n?gettext)\((?![\"'])[^)]*\)", path.read_text())
    ]
    assert strange == []


def test_an_address_that_is_not_there_is_not_repeated(hostile: World, ada: Browser) -> None:
    for payload in (*MARKUP, *TEMPLATES):
        answer = ada.client.get(f"/{payload.replace('?', '').replace('#', '')}"[:1_000])
        if answer.status_code == 404:
            check(answer, payload)


def test_an_export_runs_nothing_in_a_spreadsheet(hostile: World, ada: Browser) -> None:
    text = ada.get("/items.csv").text
    rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    cells = [cell for row in rows for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(ACTIVE)]
