"""The frame around every page: headers, errors with a number, one's own settings."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import select

from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.assets import ICONS
from dashboard.frame.security import CSP, HEADERS
from earshot.database.tables import PersonRow
from earshot.domain import Role
from tests.dashboard.seed import add_item
from tests.dashboard.world import World, make_world, one, parsed

PAGES = ("/login", "/triage", "/items", "/me", "/nothing-here", "/static/app.css")


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_security_headers(world: World, path: str) -> None:
    answer = world.browser("alice").get(path)
    answer.close()
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in CSP
    assert CSP.startswith("default-src 'none'")


def test_no_page_has_a_style_an_inline_script_or_an_event_attribute(world: World) -> None:
    with world.sessions.begin() as writing:
        item = add_item(writing, 1)
    browser = world.browser("alice")
    for path in ("/triage", f"/triage?item={item}", f"/m/{item}", "/items", "/me"):
        page = parsed(browser.get(path))
        assert not page.css("style, [style], [onclick], [hx-on], script:not([src])")


def test_with_tls_cookies_are_bound_to_the_host(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = make_world(tmp_path_factory.mktemp("secure"), secure_cookies=True)
    answer = world.app.test_client().get("/login", base_url="https://localhost")
    cookies = answer.headers.getlist("Set-Cookie")
    assert all(cookie.startswith("__Host-") and "Secure" in cookie for cookie in cookies)
    assert answer.headers["Strict-Transport-Security"]
    world.sessions.kw["bind"].dispose()


@pytest.mark.parametrize(
    ("name", "path", "status"), [("alice", "/nothing", 404), ("bob", "/triage", 403)]
)
def test_an_error_has_a_page_with_a_number_for_the_log(
    world: World, name: str, path: str, status: int
) -> None:
    answer = world.browser(name).get(path)
    assert answer.status_code == status
    assert answer.headers["X-Request-ID"] in one(answer, ".error-pane").text()
    pane = world.browser(name).get(path, X_Fragment="1")
    assert pane.status_code == status
    assert "<html" not in pane.text


@pytest.mark.parametrize("number", [2**63, 10**30, -1, "x"])
def test_a_number_that_no_column_holds_is_refused_not_a_failure(
    world: World, number: object
) -> None:
    charlie = world.browser("charlie")
    for path in (f"/m/{number}", f"/queue/{number}", f"/triage/{number}"):
        assert charlie.get(path).status_code == 404
    for path in (
        f"/triage?item={number}&after={number}.{number}",
        f"/items?metric=first&after={number}&slot_from={number}&bucket={number}",
        f"/queue?sent={number}&at={number}",
    ):
        assert charlie.get(path).status_code == 200
    assert charlie.get(f"/triage/rows?ids={number}").status_code == 400
    verdict = {"action": "assign", "target": f"person:{number}", "item": "1:1"}
    assert charlie.post("/triage/act", verdict).status_code == 400
    assert charlie.post("/triage/act", verdict | {"item": f"{number}:1"}).status_code == 400


def test_what_breaks_is_logged_and_shown_only_as_a_number(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    @needs(Permission.USE_DESK)
    def broken() -> str:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setitem(world.app.view_functions, "me.me", broken)
    browser = world.browser("alice")
    world.app.testing = False
    answer = browser.get("/me")
    assert answer.status_code == 500
    assert "secret of the inside" not in answer.text
    assert any(
        getattr(record, "request_id", "") == answer.headers["X-Request-ID"]
        for record in caplog.records
    )


@pytest.mark.parametrize(
    ("name", "home"),
    [("alice", "/triage"), ("bob", "/queue"), ("mia", "/board"), ("charlie", "/triage")],
)
def test_a_person_s_first_page_is_where_their_work_is(world: World, name: str, home: str) -> None:
    assert world.browser(name).get("/").headers["Location"] == home


def test_the_way_of_every_role_leads_somewhere(world: World) -> None:
    for name in ("alice", "bob", "mia", "ada", "charlie"):
        browser = world.browser(name)
        assert browser.get(browser.get("/").headers["Location"]).status_code == 200
        for way in parsed(browser.get("/me")).css(".top nav a"):
            assert browser.get(str(way.attributes["href"])).status_code == 200


def test_one_s_zone_decides_how_times_are_shown(world: World) -> None:
    with world.sessions.begin() as writing:
        item = add_item(writing, 60 * 30)
    browser = world.browser("alice")
    settings = {"timezone": "Asia/Tokyo", "locale": "en", "theme": "dark", "single_keys": "on"}
    assert browser.post("/me", settings).status_code == 302
    page = browser.get(f"/m/{item}")
    times = [found.text() for found in parsed(page).css(".post time")]
    assert times == ["1 Mar 2026, 15:00 +0900"]
    assert parsed(page).css_first("html").attributes["data-theme"] == "dark"  # type: ignore[union-attr]  # there is one


@pytest.mark.parametrize("wrong", [{"timezone": "Mars/Base"}, {"theme": "pink"}, {"locale": "xx"}])
def test_settings_out_of_the_lists_are_refused(world: World, wrong: dict[str, str]) -> None:
    good = {"timezone": "UTC", "locale": "en", "theme": "auto"}
    assert world.browser("alice").post("/me", good | wrong).status_code == 422
    kept = world.read(lambda s: s.scalars(select(PersonRow.timezone).distinct()).all())
    assert kept == ["UTC"]


def test_scripts_find_their_sentences_and_templates_only_icons_that_exist(world: World) -> None:
    page = world.browser("alice").get("/me")
    words = json.loads(one(page, "body").attributes["data-words"] or "")
    static = world.app.static_folder
    assert static is not None
    used: set[str] = set()
    for name in ("list", "composer", "clock", "keys"):
        with open(f"{static}/{name}.js", encoding="utf-8") as script:  # noqa: PTH123 -- a path from Flask
            used |= set(re.findall(r'sentence\("(\w+)"', script.read()))
    assert used <= set(words)
    assert {"assign", "done", "snooze", "not_us", "overdue", "risk", "later"} <= set(words)
    assert len(ICONS) == len(set(ICONS))


def test_roles_are_shown_in_words(world: World) -> None:
    said = one(world.browser("charlie").get("/me"), "h1 + p").text()
    assert all(role.value in said for role in Role)
