"""The open item follows what happens to it, in a real Chromium, without a reload."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select, update

from collectors.delivery import delivery_outcome, outbox
from dashboard.accounts import people
from dashboard.accounts.browser_sessions import begin, find
from dashboard.thread import corrections
from earshot.database.tables import ItemRow, MentionRow, ReplyRow, SessionRow
from earshot.domain import ItemState
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change, move, record
from tests.dashboard.live_desk import LiveDesk, now, serving
from tests.system import wait_until

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
TEXT = "We have found it. It works again, sorry!"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LiveDesk]:
    with serving(tmp_path, undo_send_s=1) as made:
        yield made


@pytest.fixture
def visit(chromium: Browser, desk: LiveDesk) -> Iterator[Visit]:
    """Sign a person in, open a path and wait until it is live. A page's error fails the test."""
    contexts: list[BrowserContext] = []
    error_messages: list[str] = []

    def open_page(name: str, path: str) -> Page:
        context = chromium.new_context(locale="en-US")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: error_messages.append(str(error)))
        sign_in(page, desk, name)
        open_live(page, desk.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert error_messages == []


def sign_in(page: Page, desk: LiveDesk, name: str) -> None:
    page.goto(desk.link(name))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state("load")


def is_live(page: Page) -> None:
    """Wait until the page's scripts have run: a key pressed before is nobody's."""
    expect(page.locator("#conn")).to_have_attribute("data-state", "live")


def open_live(page: Page, url: str) -> None:
    page.goto(url)
    is_live(page)
    page.evaluate("globalThis.loadedOnce = true")


def is_the_same(page: Page) -> None:
    """The page was not loaded again since `open_live`."""
    assert page.evaluate("globalThis.loadedOnce") is True


class Platform:
    """The send worker's writes, one by one: what the platform answered is the test's to say."""

    def __init__(self, desk: LiveDesk) -> None:
        self._sessions = desk.world.sessions
        with self._sessions.begin() as session:
            self.reply = session.scalars(select(ReplyRow.id)).one()

    def claim(self) -> outbox.Claim:
        with self._sessions.begin() as session:
            late = now() + timedelta(minutes=2)
            held = outbox.claim(session, self.reply, "send-1", late, 30.0)
        assert held is not None
        return held

    def take(self, held: outbox.Claim) -> None:
        with self._sessions.begin() as session:
            assert outbox.sent(session, held, "p-77", "https://example.org/77", now(), now())

    def confirm(self, held: outbox.Claim) -> None:
        with self._sessions.begin() as session:
            delivery_outcome.confirmed(
                session, held, "p-77", "https://example.org/77", now(), now()
            )

    def fail(self, held: outbox.Claim) -> None:
        with self._sessions.begin() as session:
            delivery_outcome.failed(session, held, "the author deleted the post", now())


def send_from(page: Page, text: str = TEXT) -> None:
    page.fill("#reply", text)
    page.locator("#send").click()
    expect(page).to_have_url(re.compile("sent="))


def test_the_open_item_follows_its_reply_to_confirmed_without_a_reload(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    send_from(page)
    open_live(page, f"{desk.url}/queue/{item}")
    platform = Platform(desk)
    chip, row = page.locator(".post.ours .reply-state"), page.locator("#list .row .reply-state")
    expect(chip).to_have_text("queued")
    expect(row).to_have_text("Reply: queued")
    held = platform.claim()
    expect(chip).to_have_text("sending")
    expect(row).to_have_text("Reply: sending")
    platform.take(held)
    expect(chip).to_have_text("sent, waiting for confirmation")
    expect(row).to_have_text("Reply: sent, waiting for confirmation")
    platform.confirm(platform.claim())
    expect(chip).to_have_text("confirmed")
    expect(row).to_have_text("Reply: confirmed")
    expect(page.locator("#polite")).to_have_text("confirmed")
    expect(page.locator("#mine-n")).to_have_text("0")
    is_the_same(page)


def test_a_reply_that_fails_shows_why_and_gives_the_composer_back(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    send_from(page)
    open_live(page, f"{desk.url}/queue/{item}")
    platform = Platform(desk)
    platform.fail(platform.claim())
    expect(page.locator(".post.failed")).to_contain_text("the author deleted the post")
    expect(page.get_by_role("button", name="Send anyway")).to_be_visible()
    expect(page.locator("#list .row .reply-state")).to_have_text("Reply: failed")
    page.fill("#reply", "Another try")
    expect(page.locator("#counter")).to_have_text("11 / 5000")
    expect(page.locator("#saved")).to_have_text("Draft saved")
    is_the_same(page)


def test_the_row_on_its_way_shows_its_state_where_another_item_is_open(
    desk: LiveDesk, visit: Visit
) -> None:
    first, second = desk.add_held(1, "bob", 1000), desk.add_held(2, "bob", 3000)
    page = visit("bob", f"/queue/{first}")
    send_from(page)
    expect(page).to_have_url(re.compile(f"/queue/{second}"))
    expect(page.locator("#conn")).to_have_attribute("data-state", "live")
    row = page.locator(f'#list .row[data-id="{first}"] .reply-state')
    platform = Platform(desk)
    held = platform.claim()
    expect(row).to_have_text("Reply: sending")
    platform.take(held)
    platform.confirm(platform.claim())
    expect(row).to_have_text("Reply: confirmed")
    expect(page.locator("#mine-n")).to_have_text("1")


def edit(desk: LiveDesk, item: int, text: str) -> None:
    """The author edits the post, as the router stores it."""
    with desk.world.sessions.begin() as session:
        session.execute(
            update(MentionRow).where(MentionRow.item_id == item).values(text=text, revision=1)
        )
        event = {"item_id": item, "subject": str(item)}
        record(session, "acme", now(), "role:route", EventKind.MENTION_EDITED, [event])


def delete(desk: LiveDesk, item: int) -> None:
    with desk.world.sessions.begin() as session:
        session.execute(
            update(MentionRow).where(MentionRow.item_id == item).values(deleted=True, revision=2)
        )
        event = {"item_id": item, "subject": str(item)}
        record(session, "acme", now(), "role:route", EventKind.MENTION_DELETED, [event])


def test_an_edit_by_the_author_shows_while_one_writes_and_moves_nothing_of_theirs(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000, text="Acme checkout fails " + "and fails " * 300)
    page = visit("bob", f"/queue/{item}")
    page.locator("details.menu summary").click()
    page.locator("#labels summary").click()
    page.locator("#labels select[name=topic]").select_option("delivery")
    page.fill("#reply", "Half a sentence")
    page.locator("#reply").evaluate("f => f.setSelectionRange(4, 8)")
    page.evaluate("document.getElementById('detail').scrollTop = 40; scrollTo(0, 30)")
    top = page.evaluate("[document.getElementById('detail').scrollTop, scrollY]")
    edit(desk, item, "It works now " + "and now " * 300)
    expect(page.locator(".post.newest .said")).to_contain_text("It works now")
    expect(page.locator(".post.newest")).to_contain_text("edited")
    field = page.locator("#reply")
    expect(field).to_have_value("Half a sentence")
    expect(field).to_be_focused()
    assert field.evaluate("f => [f.selectionStart, f.selectionEnd]") == [4, 8]
    assert page.evaluate("[document.getElementById('detail').scrollTop, scrollY]") == top
    expect(page.locator("details.menu")).to_have_attribute("open", "")
    expect(page.locator("#labels details")).to_have_attribute("open", "")
    expect(page.locator("#labels select[name=topic]")).to_have_value("delivery")
    expect(page.locator("#news")).to_be_visible()
    expect(page.locator("#composer select[name=then]")).to_have_value("answered")
    page.locator("#composer select[name=then]").select_option("closed")
    edit(desk, item, "It works, thanks")
    expect(page.locator(".post.newest .said")).to_have_text("It works, thanks")
    expect(page.locator("#composer select[name=then]")).to_have_value("closed")
    send_from(page, "Half a sentence, and the rest")
    reply = desk.world.read(lambda s: s.scalars(select(ReplyRow)).one())
    assert (reply.mention_revision, reply.then) == (1, "closed")


def test_what_one_writes_outlasts_a_deletion_and_can_not_be_sent(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    page.fill("#reply", "Half a sentence")
    delete(desk, item)
    expect(page.locator("#detail")).to_contain_text("The author deleted the post.")
    expect(page.locator("#reply")).to_have_value("Half a sentence")
    expect(page.locator("#send")).to_be_disabled()
    page.locator("#reply").press("End")
    page.keyboard.type(" more")
    expect(page.locator("#send")).to_be_disabled()
    is_the_same(page)


def test_a_colleague_s_take_shows_and_what_one_writes_stays(desk: LiveDesk, visit: Visit) -> None:
    item = desk.add_held(1, "bob", 3000)
    page, other = visit("bob", f"/queue/{item}"), visit("rita", f"/queue/{item}")
    page.fill("#reply", "Half a sentence")
    expect(page.locator("#saved")).to_have_text("Draft saved")
    # Her page knows that he began: what she sees is what she takes.
    expect(other.locator("form[action$='/take'] [name=expect]")).to_have_value("2")
    other.get_by_role("button", name="Take over").click()
    expect(other.locator("#composer")).to_be_visible()
    other.evaluate("globalThis.loadedOnce = true")
    expect(page.locator("#detail")).to_contain_text("Assigned to Rita")
    expect(page.locator("#reply")).to_have_value("Half a sentence")
    expect(page.locator("#reply")).to_be_focused()
    expect(page.locator("#send")).to_be_disabled()
    page.get_by_role("button", name="Take over").click()
    expect(page.locator("#reply")).to_have_value("Half a sentence")
    expect(page.locator("#send")).to_be_enabled()
    expect(other.locator("#detail")).to_contain_text("Assigned to Bob")
    expect(other.locator("#composer")).to_have_count(0)
    is_the_same(other)


def correct(desk: LiveDesk, item: int, topic: str) -> None:
    """Mia corrects the labels."""
    with desk.world.sessions.begin() as session:
        token = begin(session, desk.world.people["mia"], "a test", now())
        found = find(session, token or "", now())
        version = session.scalars(select(ItemRow.version).where(ItemRow.id == item)).one()
        assert found is not None
        corrections.correct(
            session, found.viewer, item, version, topic=topic, sentiment="neutral", now=now()
        )


def test_the_item_s_page_follows_with_its_story(desk: LiveDesk, visit: Visit) -> None:
    item = desk.add(1)
    page = visit("mia", f"/m/{item}")
    correct(desk, item, "delivery")
    expect(page.locator(".timeline li", has_text="corrected a label")).to_have_count(1)
    expect(page.locator("#labels .facts")).to_contain_text("delivery")
    # A form that nobody touched takes the news, so that a correction does not undo it unseen.
    expect(page.locator("#labels select[name=topic]")).to_have_value("delivery")
    edit(desk, item, "It works now")
    expect(page.locator(".post .said")).to_have_text("It works now")
    is_the_same(page)


def test_the_pane_of_triage_follows_what_stays_in_its_list(desk: LiveDesk, visit: Visit) -> None:
    item = desk.add(1)
    desk.add(2)
    page = visit("alice", "/triage")
    expect(page.locator("#detail [data-item]")).to_have_attribute("data-item", str(item))
    edit(desk, item, "It works now")
    expect(page.locator("#detail .said").first).to_have_text("It works now")
    correct(desk, item, "delivery")
    expect(page.locator("#labels .facts")).to_contain_text("delivery")
    page.locator("#list .row.current .open").focus()
    page.keyboard.press("e")
    expect(page.locator(".toast")).to_contain_text("1 done")
    is_the_same(page)


def test_somebody_who_works_in_the_pane_keeps_it_when_a_colleague_decides(
    desk: LiveDesk, visit: Visit
) -> None:
    item, other = desk.add(1), desk.add(2)
    page = visit("alice", "/triage")
    expect(page.locator("#detail [data-item]")).to_have_attribute("data-item", str(item))
    page.locator("#labels summary").click()
    page.locator("#labels select[name=topic]").focus()
    with desk.world.sessions.begin() as session:
        move(
            session,
            Change(
                item_id=item,
                brand="acme",
                actor=f"person:{desk.world.people['mia']}",
                at=now(),
                to=ItemState.DISMISSED,
            ),
        )
    expect(page.locator("#labels .facts")).to_contain_text("Dismissed")
    expect(page.locator("#detail [data-item]")).to_have_attribute("data-item", str(item))
    expect(page.locator("#labels select[name=topic]")).to_be_focused()
    page.locator(f'#list .row[data-id="{item}"] .open').focus()
    page.keyboard.press("j")
    expect(page.locator("#detail [data-item]")).to_have_attribute("data-item", str(other))
    expect(page.locator(f'#list .row[data-id="{item}"]')).to_have_count(0)


# ------------------------------------------------------------------ closing and undo


def test_e_in_the_queue_is_undone_by_z_after_a_reload_too(desk: LiveDesk, visit: Visit) -> None:
    first, second = desk.add_held(1, "bob", 1000), desk.add_held(2, "bob", 3000)
    page = visit("bob", f"/queue/{first}")
    page.locator("#list .row.current .open").focus()
    page.keyboard.press("e")
    expect(page).to_have_url(re.compile(f"/queue/{second}$"))
    expect(page.locator(".closed-bar")).to_contain_text("Author 1")
    page.reload()
    is_live(page)
    page.keyboard.press("z")
    expect(page).to_have_url(re.compile(f"/queue/{first}$"))
    expect(page.locator("#composer")).to_be_visible()
    expect(page.locator(".flash")).to_contain_text("Undone")
    is_live(page)
    page.keyboard.press("z")
    expect(page.locator("#polite")).to_have_text("Nothing to undo.")


# ------------------------------------------------------------------ a sign-in that ended


def end_sessions(desk: LiveDesk) -> None:
    with desk.world.sessions.begin() as session:
        session.execute(update(SessionRow).values(ends_at=now() - timedelta(seconds=1)))


def test_text_pasted_and_sent_at_once_after_the_sign_in_ended_is_there_after_signing_in(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    end_sessions(desk)
    page.fill("#reply", TEXT)
    page.locator("#send").click()
    expect(page.locator("#said")).to_contain_text("Nothing was sent")
    with desk.world.sessions.begin() as writing:
        people.set_password(writing, desk.world.people["bob"], "correct horse battery")
    page.fill("#email", "bob@acme.example")
    page.fill("#password", "correct horse battery")
    page.keyboard.press("Enter")
    expect(page.locator("#reply")).to_have_value(TEXT)
    expect(page.locator("#notice")).to_contain_text("Nothing was sent")
    send_from(page)
    assert [r.text for r in desk.world.read(lambda s: s.scalars(select(ReplyRow)).all())] == [TEXT]
    copies = "Object.keys(localStorage).filter((key) => key.includes('draft')).length"
    wait_until(lambda: page.evaluate(copies) == 0, 20, "the copy is let go")


def test_typing_goes_on_when_the_sign_in_ends_and_the_page_says_so(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    end_sessions(desk)
    page.locator("#reply").press_sequentially("We are")
    expect(page.locator(".toast.wrong")).to_contain_text("You have been signed out")
    expect(page.locator("#saved")).to_contain_text("not saved")
    page.locator("#reply").press_sequentially(" looking")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#said")).to_contain_text("You have been signed out")
    sign_in(page, desk, "rita")
    page.goto(f"{desk.url}/queue/{item}")
    expect(page.locator("body")).not_to_contain_text("We are looking")
    sign_in(page, desk, "bob")
    page.goto(f"{desk.url}/queue/{item}")
    expect(page.locator("#reply")).to_have_value("We are looking")


def test_a_verdict_after_the_sign_in_ended_comes_back_and_says_so(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add(1)
    page = visit("alice", "/triage")
    expect(page.locator("#list .row.current")).to_have_count(1)
    end_sessions(desk)
    page.keyboard.press("e")
    expect(page.locator(".toast.wrong")).to_have_count(1)
    expect(page.locator(".toast")).to_contain_text("Nothing was sent or changed")
    expect(page.locator("#list .row:visible")).to_have_count(1)
    assert desk.world.read(lambda s: s.get(ItemRow, item)).state == ItemState.NEW
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/login\?ended=1&next=%2Ftriage"))


def test_what_is_typed_while_a_draft_is_being_saved_stays_in_the_browser(
    desk: LiveDesk, visit: Visit
) -> None:
    item = desk.add_held(1, "bob", 3000)
    page = visit("bob", f"/queue/{item}")
    desk.trouble.hold()
    with page.expect_request(re.compile("/draft$")):
        page.locator("#reply").press_sequentially("We are")
    page.locator("#reply").press_sequentially(" looking")
    with page.expect_response(re.compile("/draft$")):
        desk.trouble.release()
    copy = page.evaluate("Object.entries(localStorage).find(([key]) => key.includes('draft'))?.[1]")
    assert copy == "We are looking"
