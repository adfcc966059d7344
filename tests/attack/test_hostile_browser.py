"""Hostile text in a real Chromium, under the policy that the desk sends: nothing runs or leaves.

Two walls, tried one at a time: as served, no payload may even be stopped by the policy, since
nothing of it may reach the page as markup; and where a page is made with a hole on purpose, the
policy must stop what comes through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Response
from playwright.sync_api import Browser, Page, Request
from playwright.sync_api import Error as BrowserError

from dashboard.accounts.permissions import public
from tests.attack.corpus import ADDRESSES, MARKUP, ODDITIES, TEMPLATES
from tests.attack.hostile_desk import paths, rules, spoil_with
from tests.dashboard.live_desk import LiveDesk, serving

pytestmark = pytest.mark.browser

PAYLOADS = (*MARKUP, *ADDRESSES, TEMPLATES[-1], *ODDITIES[:2])
"""What a browser could take for something to run."""

HOOK = """
    window.heard = [];
    window.pwned = () => { window.heard.push('ran'); };
    for (const name of ['alert', 'confirm', 'prompt', 'open'])
      window[name] = () => { window.heard.push(name); };
    document.addEventListener('securitypolicyviolation', event =>
      window.heard.push(`stopped ${event.effectiveDirective} ${event.blockedURI}`));
"""


class Witness:
    """What a page did besides being read."""

    def __init__(self, page: Page, home: str) -> None:
        self.page, self.home = page, home
        self.left: list[str] = []
        self.wrong: list[str] = []
        page.add_init_script(HOOK)
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: self.wrong.append(f"error {error}"))
        page.on("popup", lambda popup: self.wrong.append(f"popup {popup.url}"))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:image/")):
            self.left.append(request.url)

    def visit(self, path: str) -> list[str]:
        """Open a page as a person does, and say what of it was not ours."""
        with suppress(BrowserError):  # a file to be saved is no page
            self.page.goto(f"{self.home}{path}", wait_until="load")
        found: list[str] = self.page.evaluate(LOOK)
        said = [*found, *self.wrong, *self.left]
        self.wrong.clear()
        self.left.clear()
        return said


LOOK = """() => {
    const found = [...(window.heard || [])];
    for (const one of document.querySelectorAll('pwned, [pwned]')) found.push(one.outerHTML);
    for (const one of document.querySelectorAll('*'))
        for (const a of one.attributes)
            if (a.name.startsWith('on')) found.push(`${one.tagName} ${a.name}`);
    return found;
}"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    with serving(tmp_path_factory.mktemp("hostile")) as desk:
        spoil_with(desk.world, PAYLOADS)
        yield desk


@pytest.fixture
def witness(desk: LiveDesk, chromium: Browser) -> Iterator[Witness]:
    page = chromium.new_page()
    page.goto(desk.link("ada"))
    page.get_by_role("button").click()
    page.wait_for_url(f"{desk.url}/**")
    yield Witness(page, desk.url)
    page.close()


def test_nothing_runs_on_any_page(desk: LiveDesk, witness: Witness) -> None:
    visited = 0
    for rule in rules(desk.world, "GET"):
        for path in paths(desk.world, rule):
            assert witness.visit(path) == [], path
            visited += 1
    assert visited > 20


def test_nothing_runs_where_scripts_put_parts_of_pages(desk: LiveDesk, witness: Witness) -> None:
    page = witness.page
    page.goto(f"{desk.url}/triage")
    for _ in range(len(MARKUP)):
        page.keyboard.press("j")
        page.keyboard.press("Enter")
    page.goto(f"{desk.url}/triage")
    with suppress(BrowserError):
        page.keyboard.press("x")
        page.keyboard.press("a")
        page.locator("dialog[open]").wait_for(timeout=3_000)
    assert page.evaluate(LOOK) == []
    assert witness.left == witness.wrong == []


HOLES = [
    "<script>pwned()</script>",
    '<img src="x" onerror="pwned()">',
    '<svg onload="pwned()"></svg>',
    "<style>body{background:url(https://pwned.invalid/css)}</style>",
    '<p style="background:url(https://pwned.invalid/style)">x</p>',
    '<img src="https://pwned.invalid/image">',
    '<iframe srcdoc="<script>parent.pwned()</script>"></iframe>',
    '<object data="https://pwned.invalid/object"></object>',
    '<link rel="stylesheet" href="https://pwned.invalid/link">',
    '<script src="https://pwned.invalid/script"></script>',
    '<script src="data:text/javascript,pwned()"></script>',
    '<base href="https://pwned.invalid/"><script src="x.js"></script>',
    '<audio src="https://pwned.invalid/audio"></audio>',
]


def test_the_policy_stops_what_would_come_through_a_hole(desk: LiveDesk, chromium: Browser) -> None:
    app: Any = desk.world.app
    app._got_first_request = False  # a route of the test's own, added late
    app.add_url_rule("/hole/<int:number>", "hole", public(hole))
    tab = chromium.new_page()
    tab.add_init_script(HOOK)
    reached: list[str] = []
    tab.on("requestfinished", lambda request: reached.append(request.url))
    for number, made in enumerate(HOLES):
        tab.goto(f"{desk.url}/hole/{number}", wait_until="load")
        heard: list[str] = tab.evaluate("window.heard")
        assert all(one.startswith("stopped") for one in heard), made
        # a frame's own document reports what it was kept from, not ours
        assert heard or "srcdoc" in made, made
    assert not [url for url in reached if not url.startswith((desk.url, "data:"))]
    tab.close()


def hole(number: int) -> Response:
    return Response(f"<!doctype html><title>x</title><body>{HOLES[number]}", mimetype="text/html")


def test_the_desk_can_t_be_put_into_another_page(
    desk: LiveDesk, chromium: Browser, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.html"
    outside.write_text(f'<!doctype html><iframe id="f" src="{desk.url}/login"></iframe>')
    tab = chromium.new_page()
    tab.goto(outside.as_uri())
    frame = tab.frames[-1]
    with suppress(BrowserError):
        frame.wait_for_load_state("load", timeout=5_000)
    assert frame.locator("input").count() == 0
    tab.close()
