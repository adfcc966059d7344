"""Live pages in a real Chromium, against the desk as its operator runs it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.dashboard.desk_process import DeskProcess, desk_process

pytestmark = pytest.mark.browser

# Collects what pages are told, from before the first script of the page runs.
COLLECT = """
  globalThis.told = [];
  document.addEventListener("earshot:new", ({detail}) => told.push(...detail.ids));
  document.addEventListener("earshot:changed", ({detail}) => {
    told.push(...detail.items.map((item) => item.id));
  });
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    with desk_process(tmp_path_factory.mktemp("desk")) as made:
        yield made


@pytest.fixture
def context(chromium: Browser, desk: DeskProcess) -> Iterator[BrowserContext]:
    """A browser in which Mia is signed in. A page's error fails the test."""
    with_mia = chromium.new_context(locale="en-US")
    errors: list[str] = []
    with_mia.on("weberror", lambda error: errors.append(str(error.error)))
    with_mia.add_init_script(COLLECT)
    page = with_mia.new_page()
    page.goto(desk.sign_in_link())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{desk.url}/triage")
    page.close()
    yield with_mia
    with_mia.close()
    assert errors == []


def streams(context: BrowserContext) -> list[str]:
    """The addresses of every stream that any tab asks for, from now on."""
    found: list[str] = []
    context.on("request", lambda r: found.append(r.url) if "/stream?" in r.url else None)
    return found


def open_tab(context: BrowserContext, desk: DeskProcess, path: str = "/triage") -> Page:
    page = context.new_page()
    page.goto(desk.url + path)
    return page


def is_live(page: Page, timeout: float = 30_000) -> None:
    expect(page.locator("#conn")).to_have_text("Live", timeout=timeout)


def told(page: Page) -> list[str]:
    return page.evaluate("told")  # type: ignore[no-any-return]  # a list of ids


def wait_until_told(page: Page, ids: list[str], timeout_s: float = 30) -> None:
    until = time.monotonic() + timeout_s
    while not set(ids) <= set(told(page)) and time.monotonic() < until:
        page.wait_for_timeout(50)


def test_two_tabs_share_one_stream_and_a_verdict_in_one_leaves_the_other(
    context: BrowserContext, desk: DeskProcess
) -> None:
    items = [desk.add(n) for n in (1, 2, 3)]
    asked = streams(context)
    first, second = open_tab(context, desk), open_tab(context, desk)
    is_live(first)
    is_live(second)
    row = second.locator(f'.row[data-id="{items[1]}"]')
    expect(row).to_be_visible()
    first.bring_to_front()
    first.locator(f'.row[data-id="{items[1]}"] .open').click()
    first.keyboard.press("e")
    expect(row).to_be_hidden()
    assert len(asked) == 1


def test_the_tab_that_holds_the_stream_can_close_and_another_takes_over(
    context: BrowserContext, desk: DeskProcess
) -> None:
    asked = streams(context)
    first = open_tab(context, desk)
    is_live(first)
    second = open_tab(context, desk)
    is_live(second)
    first.close()
    (item,) = desk.note(1_000)
    wait_until_told(second, [str(item)])
    assert told(second) == [str(item)]
    assert len(asked) == 2


def test_a_tab_that_opens_late_is_told_what_came_since_its_page_was_made(
    context: BrowserContext, desk: DeskProcess
) -> None:
    first = open_tab(context, desk)
    is_live(first)
    desk.note(1_000)
    wait_until_told(first, ["1000"])
    second = open_tab(context, desk)
    is_live(second)
    desk.note(2_000)
    wait_until_told(second, ["2000"])
    assert told(second) == ["2000"]
    assert told(first) == ["1000", "2000"]


def test_eight_tabs_all_load(context: BrowserContext, desk: DeskProcess) -> None:
    tabs = [open_tab(context, desk) for _ in range(8)]
    for tab in tabs:
        is_live(tab)
    desk.note(3_000)
    for tab in tabs:
        wait_until_told(tab, ["3000"])
        assert told(tab) == ["3000"]


def test_a_restart_of_the_server_loses_no_event_and_doubles_none(
    context: BrowserContext, desk: DeskProcess
) -> None:
    page = open_tab(context, desk)
    is_live(page)
    ids = desk.note(1_000, 5)
    wait_until_told(page, [str(n) for n in ids])
    desk.stop()  # open streams do not hold it up
    expect(page.locator("#conn")).to_have_text("Reconnecting")
    ids += desk.note(2_000, 5)
    desk.start()
    is_live(page, timeout=30_000)
    ids += desk.note(3_000, 5)
    wait_until_told(page, [str(n) for n in ids])
    assert told(page) == [str(n) for n in ids]


def hold_streams(desk: DeskProcess, cookie: str, most: int) -> list[http.client.HTTPConnection]:
    """Streams of other browsers, until the server refuses one."""
    held = []
    for _ in range(most):
        line = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=10)
        line.request("GET", "/stream", headers={"Cookie": f"earshot={cookie}"})
        answer = line.getresponse()
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) > 0
            line.close()
            break
        assert answer.status == 200
        held.append(line)
    return held


def median_wait(desk: DeskProcess, cookie: str) -> float:
    """How long triage takes to answer, in seconds."""
    line = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=10)
    took = []
    for _ in range(20):
        began = time.monotonic()
        line.request("GET", "/triage", headers={"Cookie": f"earshot={cookie}"})
        answer = line.getresponse()
        answer.read()
        took.append(time.monotonic() - began)
        assert answer.status == 200
    line.close()
    return sorted(took)[len(took) // 2]


def test_over_the_cap_pages_stay_quick_and_a_tab_polls_until_a_place_is_free(
    chromium: Browser, tmp_path: Path
) -> None:
    with desk_process(tmp_path, threads=40) as desk:
        context = chromium.new_context(locale="en-US")
        context.add_init_script(COLLECT)
        page = context.new_page()
        page.clock.install()
        page.goto(desk.sign_in_link())
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{desk.url}/triage")
        is_live(page)
        cookie = next(c["value"] for c in context.cookies() if c["name"] == "earshot")
        page.goto("about:blank")
        held = hold_streams(desk, cookie, 60)
        assert len(held) in (7, 8), "threads less 32, one of them perhaps still the page's"
        assert median_wait(desk, cookie) < 5, "a page waits for no stream"
        page.goto(desk.url + "/triage")
        for _ in range(3):
            expect(page.locator("#conn")).to_have_text("Reconnecting")
            page.wait_for_timeout(300)
            page.clock.fast_forward(6_000)
        expect(page.locator("#conn")).to_have_text("Every 10 s")
        desk.note(1_000)
        page.clock.fast_forward(11_000)
        wait_until_told(page, ["1000"])
        assert told(page) == ["1000"]
        for line in held:
            line.close()
        # The server notices that a browser is gone when it writes to it, within two heartbeats.
        until = time.monotonic() + 40
        while page.locator("#conn").text_content() != "Live" and time.monotonic() < until:
            page.clock.fast_forward(100_000)
            page.wait_for_timeout(1_000)
        is_live(page)
        desk.note(2_000)
        wait_until_told(page, ["2000"])
        assert told(page) == ["1000", "2000"]
        context.close()


def test_the_tiles_follow_an_act_by_themselves_and_pause_stops_them(
    context: BrowserContext, desk: DeskProcess
) -> None:
    items = [desk.add(n) for n in (11, 12, 13)]
    page = open_tab(context, desk, "/board")
    is_live(page)
    number = page.locator(".tile", has_text="Open now").locator(".big")
    open_now = int(number.text_content() or "")
    desk.close_item(items[0])
    expect(number).to_have_text(str(open_now - 1))
    page.get_by_role("button", name="Pause").click()
    desk.close_item(items[1])
    page.wait_for_timeout(3_000)
    expect(number).to_have_text(str(open_now - 1))
    page.get_by_role("button", name="Pause").click()
    expect(number).to_have_text(str(open_now - 2))
