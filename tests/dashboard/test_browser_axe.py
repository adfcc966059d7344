"""Every page, in both themes, has no accessibility violation that axe-core can find."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import insert

from earshot.database.tables import DeadLetterRow, SourceHealthRow
from earshot.domain import ReplyState
from tests.conftest import unavailable
from tests.dashboard.live_desk import LiveDesk, now, serving
from tests.dashboard.quarter import a_quarter, put
from tests.dashboard.seed import add_reply

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

PAGES = {
    "": ("/login", "/signin/nothing"),
    "alice": ("/triage", "/triage?view=negative", "/triage?item={new}", "/m/{new}"),
    "bob": ("/queue", "/queue?item={held}", "/items", "/me"),
    "mia": ("/board?days=7", "/board?days=28", "/board?days=90", "/items?metric=first", "/nowhere"),
    "ada": ("/admin/health", "/admin/dead", "/admin/dead/1"),
    "rita": ("/board", "/queue"),
}
"""What each person looks at: refusals and pages that are not there are pages too."""

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        unavailable(f"{AXE} is missing; run `npm ci --ignore-scripts`")
    return AXE.read_text()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    with serving(tmp_path_factory.mktemp("axe")) as made:
        with made.world.sessions.begin() as session:
            put(session, a_quarter(now(), scale=0.3))
            session.execute(insert(SourceHealthRow), [_source("fine"), _source("broken")])
            session.execute(insert(DeadLetterRow).values(_letter()))
        yield made


def _source(name: str) -> dict[str, Any]:
    broken = name == "broken"
    return {
        "brand": "acme",
        "source": name,
        "platform": "reddit",
        "state": "failing" if broken else "ok",
        "error": "401 Unauthorized: the token is wrong" if broken else "",
        "failing_since": now() if broken else None,
        "polled_at": now(),
        "last_post_at": now(),
        "next_poll_at": now() + timedelta(seconds=40),
        "collected": 1_234,
    }


def _letter() -> dict[str, Any]:
    return {
        "topic": "mentions",
        "partition": 0,
        "offset": 7,
        "brand": "acme",
        "source": "fine",
        "mention_id": "reddit:1",
        "revision": 0,
        "reason": "Expected `str`, got `int` - at `$.text`",
        "key": b"fine:1",
        "value": b'{"text": 5}',
        "headers": {"reason": "Expected `str`"},
        "state": "waiting",
        "buried_at": now(),
    }


@pytest.fixture(scope="module")
def places(desk: LiveDesk) -> dict[str, int]:
    """Items by what stands for them in `PAGES`."""
    held = desk.add_held(900_002, "bob", 600)
    with desk.world.sessions.begin() as session:
        bob = desk.world.people["bob"]
        add_reply(session, held, bob, number="900002", state=ReplyState.FAILED, error="forbidden")
    return {"new": desk.add(900_001, text="سلام <b>world</b> 你好 🙂"), "held": held}


@pytest.fixture(scope="module")
def pages(chromium: Browser, desk: LiveDesk) -> Iterator[Callable[[str, str], Page]]:
    """The one page of a person in a theme: each signs in once."""
    known: dict[tuple[str, str], Page] = {}

    def page_of(name: str, theme: str) -> Page:
        if (name, theme) not in known:
            context = chromium.new_context(
                color_scheme=theme,  # type: ignore[arg-type]  # "light" or "dark"
                viewport={"width": 1280, "height": 900},
                locale="en-US",
            )
            known[name, theme] = page = context.new_page()
            if name:
                page.goto(desk.link(name))
                page.get_by_role("button", name="Sign in").click()
                page.wait_for_url(lambda url: "/signin/" not in url)
        return known[name, theme]

    yield page_of
    for page in known.values():
        page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name, paths in PAGES.items() for path in paths]
)
def test_axe_finds_no_violation(
    pages: Callable[[str, str], Page],
    desk: LiveDesk,
    places: dict[str, int],
    axe: str,
    theme: str,
    name: str,
    path: str,
) -> None:
    page = pages(name, theme)
    page.goto(desk.url + path.format(**places))
    found = _violations(page, axe)
    assert not found, json.dumps(found, indent=1)


def _violations(page: Page, axe: str) -> list[dict[str, Any]]:
    page.wait_for_timeout(200)  # what scripts put on the page is looked at too
    for summary in page.locator("main summary").all():
        summary.click()
    page.evaluate(axe)
    result = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
    return [
        {"rule": one["id"], "help": one["help"], "where": [n["html"][:200] for n in one["nodes"]]}
        for one in result["violations"]
    ]
