"""The desk in a real Chromium: keys, optimism and its failure, drafts, undo, narrow screens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from dashboard.accounts import people
from earshot.database.tables import ItemRow, ReplyRow
from earshot.domain import ItemState
from earshot.items.reply_length import Bound, Unit
from tests.dashboard.live_desk import LiveDesk, serving
from tests.dashboard.seed import set_reply_length
from tests.dashboard.world import PASSWORD
from tests.system import wait_until

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LiveDesk]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def visit(chromium: Browser, desk: LiveDesk) -> Iterator[Visit]:
    """Sign a person in and open a path. Any breach of the content policy fails the test."""
    contexts: list[BrowserContext] = []
    error_messages: list[str] = []

    def open_page(name: str, path: str, **options: object) -> Page:
        context = chromium.new_context(locale="en-US", **options)  # type: ignore[arg-type]  # passed through
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda said: (
                error_messages.append(said.text) if "Content Security" in said.text else None
            ),
        )
        page.on("pageerror", lambda error: error_messages.append(str(error)))
        if name:
            page.goto(desk.link(name))
            page.get_by_role("button", name="Sign in").click()
        page.goto(desk.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert error_messages == []


def rows(page: Page) -> list[str]:
    return page.locator("#list .row:visible").evaluate_all("all => all.map(r => r.dataset.id)")  # type: ignore[no-any-return]


def state(desk: LiveDesk, item: int) -> str:
    return str(desk.world.read(lambda s: s.scalar(select(ItemRow.state).where(ItemRow.id == item))))


def becomes(desk: LiveDesk, items: list[int], wanted: ItemState) -> None:
    """Wait until the server has put each of the items into a state."""
    wait_until(
        lambda: {state(desk, item) for item in items} == {wanted},
        30,
        f"{wanted}: {[state(desk, item) for item in items]}",
    )


def ready(page: Page) -> None:
    """Wait until the scripts hold the list."""
    expect(page.locator("#list .row.current")).to_have_count(1)


# ------------------------------------------------------------------ sign-in and shell


def test_a_wrong_password_is_said_by_the_field_and_the_field_has_the_focus(
    desk: LiveDesk, visit: Visit
) -> None:
    with desk.world.sessions.begin() as writing:
        people.set_password(writing, desk.world.people["bob"], PASSWORD)
    page = visit("", "/login")
    page.fill("#email", "bob@acme.example")
    page.fill("#password", "not this one")
    page.keyboard.press("Enter")
    expect(page.locator("#wrong")).to_have_text("Wrong e-mail or password.")
    expect(page.locator("#password")).to_be_focused()
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/queue$"))


def test_the_skip_link_leads_to_the_content(desk: LiveDesk, visit: Visit) -> None:
    page = visit("alice", "/triage")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_help_opens_by_key_and_gives_the_focus_back(desk: LiveDesk, visit: Visit) -> None:
    desk.add(1)
    page = visit("alice", "/triage")
    ready(page)
    page.keyboard.press("j")
    page.locator("#list .open").focus()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    expect(page.locator("#list .open")).to_be_focused()


def test_the_theme_that_was_chosen_stays(desk: LiveDesk, visit: Visit) -> None:
    page = visit("alice", "/me")
    page.get_by_label("dark").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".flash")).to_be_visible()
    page.reload()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(18, 21, 26)"


def test_no_page_asks_another_host_or_misses_a_file(desk: LiveDesk, visit: Visit) -> None:
    item = desk.add(1)
    asked: list[tuple[int, str]] = []
    page = visit("alice", "/me")
    page.on("response", lambda answer: asked.append((answer.status, answer.url)))
    for path in ("/triage", f"/triage?item={item}", f"/m/{item}", "/items", "/me"):
        page.goto(desk.url + path)
        page.wait_for_load_state("load")
    assert len(asked) > 20
    assert [one for one in asked if one[0] >= 400 or not one[1].startswith(desk.url)] == []


# ------------------------------------------------------------------ triage


def test_j_and_k_move_the_details_follow_and_the_ends_hold(desk: LiveDesk, visit: Visit) -> None:
    items = [str(desk.add(number)) for number in range(3)]
    page = visit("alice", "/triage")
    ready(page)
    current = page.locator("#list .row.current")
    page.keyboard.press("k")
    expect(current).to_have_attribute("data-id", items[0])
    for number in (1, 2, 2):
        page.keyboard.press("j")
        expect(current).to_have_attribute("data-id", items[number])
        expect(page.locator("#detail [data-item]")).to_have_attribute("data-item", items[number])
    expect(current.locator(".open")).to_be_focused()


def test_e_takes_the_row_away_selects_the_next_and_z_brings_it_back_to_its_place(
    desk: LiveDesk, visit: Visit
) -> None:
    items = [desk.add(number) for number in range(3)]
    page = visit("alice", "/triage")
    ready(page)
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator(".views [aria-current] .count")).to_have_text("2")
    assert rows(page) == [str(items[0]), str(items[2])]
    expect(page.locator("#list .row.current")).to_have_attribute("data-id", str(items[2]))
    expect(page.locator(".toast")).to_contain_text("1 done")
    becomes(desk, items[1:2], ItemState.DISMISSED)
    page.keyboard.press("z")
    expect(page.locator(".toast")).to_contain_text("Undone")
    assert rows(page) == [str(item) for item in items]
    expect(page.locator("#list .row.current")).to_have_attribute("data-id", str(items[1]))
    expect(page.locator("#list .row.current .open")).to_be_focused()
    assert state(desk, items[1]) == ItemState.NEW


def test_ten_fast_verdicts_on_a_line_that_stands_still_are_all_seen_at_once_and_all_count(
    desk: LiveDesk, visit: Visit
) -> None:
    items = [desk.add(number) for number in range(12)]
    page = visit("alice", "/triage")
    ready(page)
    desk.trouble.hold()
    for _ in range(10):
        page.keyboard.press("e")
    expect(page.locator("#list .row:visible")).to_have_count(2)
    expect(page.locator(".toast")).to_contain_text("1 done")
    assert [state(desk, item) for item in items] == [ItemState.NEW] * 12
    desk.trouble.release()
    becomes(desk, items[:10], ItemState.DISMISSED)
    assert state(desk, items[10]) == ItemState.NEW


def test_a_verdict_that_fails_brings_the_row_back_and_retry_works(
    desk: LiveDesk, visit: Visit
) -> None:
    items = [desk.add(number) for number in range(2)]
    desk.trouble.failing.add("/triage/act")
    page = visit("alice", "/triage")
    ready(page)
    page.keyboard.press("e")
    alarm = page.locator(".toast.wrong")
    expect(alarm).to_contain_text("Nothing was changed")
    expect(page.locator("#urgent")).to_have_attribute("role", "alert")
    assert rows(page) == [str(item) for item in items]
    expect(page.locator("#list .row.current .open")).to_be_focused()
    desk.trouble.failing.clear()
    alarm.get_by_role("button", name="Retry").click()
    expect(page.locator("#list .row:visible")).to_have_count(1)
    becomes(desk, items[:1], ItemState.DISMISSED)


def test_a_selection_is_assigned_at_once_by_the_first_that_fits(
    desk: LiveDesk, visit: Visit
) -> None:
    items = [desk.add(number) for number in range(3)]
    page = visit("alice", "/triage")
    ready(page)
    for key in ("x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("#bulk-n")).to_have_text("2 selected")
    page.keyboard.press("a")
    expect(page.locator("#choice [data-narrow]")).to_be_focused()
    page.keyboard.type("paym")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("2 assigned")
    assert rows(page) == [str(items[2])]
    becomes(desk, items[:2], ItemState.QUEUED)
    assert state(desk, items[2]) == ItemState.NEW


def test_the_suggested_team_is_one_key_away(desk: LiveDesk, visit: Visit) -> None:
    item = desk.add(1, team="payments")
    page = visit("alice", "/triage")
    ready(page)
    page.keyboard.press("a")
    expect(page.locator("#choice button.first")).to_contain_text("suggested")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("1 assigned")
    becomes(desk, [item], ItemState.QUEUED)
    row = desk.world.read(lambda s: s.get(ItemRow, item))
    assert row.team == "payments"


def test_what_arrives_waits_behind_a_button_and_the_row_in_view_stays_put(
    desk: LiveDesk, visit: Visit
) -> None:
    for number in range(10, 13):
        desk.add(number)
    page = visit("alice", "/triage")
    ready(page)
    expect(page.locator("#conn")).to_have_attribute("data-state", "live")
    page.keyboard.press("j")
    top = page.locator("#list .row.current").bounding_box()
    arrived = [str(desk.add(number)) for number in range(7)]
    expect(page.locator("#pill")).to_have_text("7 new: press . to show")
    assert page.locator("#list .row.current").bounding_box() == top
    page.keyboard.press(".")
    expect(page.locator("#list .row")).to_have_count(10)
    assert rows(page)[:7] == arrived
    expect(page.locator("#pill")).to_be_hidden()


def test_what_a_colleague_does_leaves_the_list_and_the_cursor_keeps_its_place(
    desk: LiveDesk, visit: Visit
) -> None:
    items = [str(desk.add(number)) for number in range(3)]
    mine, theirs = visit("alice", "/triage"), visit("mia", "/triage")
    for page in (mine, theirs):
        ready(page)
        expect(page.locator("#conn")).to_have_attribute("data-state", "live")
    theirs.keyboard.press("e")
    expect(mine.locator("#list .row:visible")).to_have_count(2)
    expect(mine.locator("#list .row.current")).to_have_attribute("data-id", items[1])
    expect(mine.locator(".views [aria-current] .count")).to_have_text("2")


def test_typing_in_the_filter_does_nothing_else(desk: LiveDesk, visit: Visit) -> None:
    items = [str(desk.add(number)) for number in range(3)]
    page = visit("alice", "/triage")
    ready(page)
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("jeka!xz.?")
    expect(page.locator("#q")).to_have_value("jeka!xz.?")
    page.locator("#list").dispatch_event("keydown", {"key": "e", "isComposing": True})
    assert rows(page) == items
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_with_single_keys_off_letters_are_dead_and_alt_works(desk: LiveDesk, visit: Visit) -> None:
    items = [str(desk.add(number)) for number in range(3)]
    page = visit("alice", "/me")
    page.get_by_label("Single-key shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
    page.goto(desk.url + "/triage")
    ready(page)
    for key in ("j", "e", "x"):
        page.keyboard.press(key)
    expect(page.locator("#list .row.current")).to_have_attribute("data-id", items[0])
    assert rows(page) == items
    page.keyboard.press("Alt+j")
    expect(page.locator("#list .row.current")).to_have_attribute("data-id", items[1])


def test_hostile_and_foreign_text_runs_nothing_and_breaks_no_layout(
    desk: LiveDesk, visit: Visit
) -> None:
    names = [
        "\u05e1\u05d9\u05d5\u05df \u05dc\u05d5\u05d9",  # Hebrew
        "李小龙",
        "\U0001f469\u200d\U0001f680 astro",
        "<script>alert(1)</script>",
        "x" * 300,
    ]
    for number, name in enumerate(names):
        desk.add(number, author_name=name, text=f"{name} says {'wide' * 2500}")
    page = visit("alice", "/triage")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    ready(page)
    for _ in names:
        page.keyboard.press("j")
        page.wait_for_timeout(150)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('.desk > *')].every(p => p.scrollWidth <= p.clientWidth + 1)"
    )
    assert dialogs == []


def test_older_items_come_below_without_leaving_the_page(desk: LiveDesk, visit: Visit) -> None:
    items = [str(desk.add(number)) for number in range(60)]
    page = visit("alice", "/triage")
    ready(page)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("#list .row")).to_have_count(60)
    assert rows(page) == items
    expect(page.locator("#list .more")).to_have_count(0)


# ------------------------------------------------------------------ queue and composer


def test_a_nearer_deadline_comes_in_above(desk: LiveDesk, visit: Visit) -> None:
    far = desk.add_held(1, "bob", 7200)
    page = visit("bob", "/queue")
    ready(page)
    expect(page.locator("#conn")).to_have_attribute("data-state", "live")
    near = desk.add_held(2, "bob", 3000)
    expect(page.locator("#list .row")).to_have_count(2)
    assert rows(page) == [str(near), str(far)]
    expect(page.locator("#mine-n")).to_have_text("2")


def test_a_clock_that_crosses_its_deadline_changes_word_class_and_group(
    desk: LiveDesk, visit: Visit
) -> None:
    desk.add_held(1, "bob", 12)
    page = visit("bob", "/queue")
    badge = page.locator("#list .sla")
    expect(badge).to_have_class(re.compile("risk"))
    expect(badge).to_have_text(re.compile(r"Overdue 0:\d\d"))
    expect(badge).to_have_class(re.compile("overdue"))
    expect(page.locator("#list [data-group=overdue]")).to_have_count(1)
    expect(page.locator("#urgent")).to_have_text("One of your items is overdue.")


def test_the_counter_of_the_browser_counts_as_the_server_does(desk: LiveDesk, visit: Visit) -> None:
    item = desk.add_held(1, "bob", 3000)
    with desk.world.sessions.begin() as writing:
        set_reply_length(writing, (Bound(unit=Unit.GRAPHEMES, limit=300),))
    page = visit("bob", f"/queue/{item}")
    family = "👨‍👩‍👧‍👦"
    page.fill("#reply", family * 301)
    expect(page.locator("#counter")).to_have_text("301 / 300")
    expect(page.locator("#send")).to_be_disabled()
    page.fill("#reply", family * 300)
    expect(page.locator("#counter")).to_have_text("300 / 300")
    page.locator("#send").click()
    expect(page).to_have_url(re.compile(r"sent="))


def test_a_draft_survives_a_reload_even_when_the_server_did_not_get_it(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    page.fill("#reply", "We are looking into it")
    expect(page.locator("#saved")).to_have_text("Draft saved")
    page.reload()
    expect(page.locator("#reply")).to_have_value("We are looking into it")
    desk.trouble.failing.add(f"/queue/{item}/draft")
    page.locator("#reply").press("Control+End")
    page.locator("#reply").press_sequentially(" now")
    expect(page.locator("#saved")).to_contain_text("not saved")
    page.reload()
    expect(page.locator("#reply")).to_have_value("We are looking into it now")


def test_two_people_one_reply_the_second_is_told_and_keeps_the_text(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    first, second = visit("bob", f"/queue/{item}"), visit("bob", f"/queue/{item}")
    first.fill("#reply", "It works again.")
    second.fill("#reply", "Please try again.")
    desk.trouble.failing.add(f"/queue/{item}")  # the second page hears of it too late
    first.locator("#send").click()
    expect(first).to_have_url(re.compile("sent="))
    second.locator("#send").click()
    expect(second.locator("#notice")).to_contain_text("It works again.")
    expect(second.get_by_label("Your text")).to_have_value("Please try again.")


def test_ctrl_enter_sends_and_undo_really_prevents_it(desk: LiveDesk, visit: Visit) -> None:
    item, following = desk.add_held(1, "bob", 1000), desk.add_held(2, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    page.locator("#reply").press_sequentially("It works again.")
    page.keyboard.press("Control+Enter")
    expect(page).to_have_url(re.compile(f"/queue/{following}.*sent="))
    expect(page.locator(".sent-bar [data-goes-out]")).to_have_text(
        re.compile(r"Sending your reply in \d s")
    )
    page.locator(".sent-bar").get_by_role("button", name="Undo").click()
    expect(page).to_have_url(re.compile(f"/queue/{item}$"))
    expect(page.locator("#reply")).to_have_value("It works again.")
    read = desk.world.read(lambda s: s.scalars(select(ReplyRow.state)).all())
    assert read == ["withdrawn"]
    assert state(desk, item) == ItemState.ANSWERING


# ------------------------------------------------------------------ narrow, and without scripts


def test_at_390_pixels_no_page_scrolls_sideways_and_the_verdicts_are_in_reach(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add(1, author_name="x" * 200, text="wide" * 500)
    held = desk.add_held(2, "charlie", 300, brand="zen")
    listens = visit("mia", "/triage", viewport={"width": 390, "height": 800})
    answers = visit("charlie", "/queue", viewport={"width": 390, "height": 800})
    paths = [
        (listens, ["/triage", f"/triage?item={item}", f"/m/{item}", "/items", "/me"]),
        (answers, ["/queue", f"/queue/{held}"]),
    ]
    for page, all_paths in paths:
        for path in all_paths:
            page.goto(desk.url + path)
            page.wait_for_load_state("load")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    listens.goto(f"{desk.url}/triage?item={item}")
    box = listens.locator(".verdicts").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 800


def test_without_scripts_triage_and_answering_work_by_forms(desk: LiveDesk, visit: Visit) -> None:
    items = [desk.add(number) for number in range(2)]
    page = visit("alice", "/triage", java_script_enabled=False)
    page.locator(".row .open").first.click()
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".flash")).to_contain_text("1 done.")
    assert state(desk, items[0]) == ItemState.DISMISSED
    page.get_by_role("button", name="Undo").click()
    assert state(desk, items[0]) == ItemState.NEW
    held = desk.add_held(5, "bob", 600)
    other = visit("bob", f"/queue/{held}", java_script_enabled=False)
    other.fill("#reply", "It works again.")
    other.get_by_role("button", name="Send").click()
    expect(other.locator(".sent-bar")).to_contain_text("Sending your reply in")
    assert state(desk, held) == ItemState.SENDING
