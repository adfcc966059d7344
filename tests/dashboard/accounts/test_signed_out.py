"""Forms that come after their sign-in has ended: nothing is done, it is said, no text is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from werkzeug.test import TestResponse

from dashboard.accounts import people
from dashboard.accounts.signed_out import local_path
from earshot.database.tables import (
    DraftRow,
    ItemRow,
    MembershipRow,
    PersonRow,
    ReplyRow,
    SessionRow,
)
from earshot.domain import ItemState
from tests.builders import NOON
from tests.dashboard.seed import add_item
from tests.dashboard.world import Browser, World, one, parsed

TEXT = "We have found it.\nIt works again, sorry!"
REFERRER = {"Referer": "http://localhost/triage?view=negative"}


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


@pytest.fixture
def mine(world: World) -> int:
    """An item that Bob holds."""
    held: dict[str, Any] = {"state": ItemState.ANSWERING, "assignee_id": world.people["bob"]}
    with world.sessions.begin() as writing:
        return add_item(writing, 1, **held)


def composed(browser: Browser, item: int, text: str = TEXT) -> dict[str, str]:
    """The composer as the page has it, filled in."""
    form = one(browser.get(f"/queue/{item}"), "#composer")
    hidden = form.css("input[type=hidden]")
    fields = {f.attributes["name"] or "": f.attributes["value"] or "" for f in hidden}
    return fields | {"text": text.replace("\n", "\r\n"), "then": "answered"}


def post(browser: Browser, path: str, fields: dict[str, Any]) -> TestResponse:
    """Post what a page has, with the token that it was made with."""
    return browser.client.post(path, data=fields)


def sign_in(world: World, browser: Browser, name: str) -> None:
    with world.sessions.begin() as writing:
        token = people.sign_in_link(
            writing, world.people[name], world.clock(), timedelta(minutes=5)
        )
    page = browser.client.get(f"/signin/{token}")
    csrf = one(page, "form input[name=csrf_token]").attributes["value"]
    answer = browser.client.post(f"/signin/{token}", data={"csrf_token": csrf})
    assert answer.status_code == 302


def expire(world: World, _browser: Browser) -> None:
    world.clock.advance(hours=13)


def sign_out(world: World, browser: Browser) -> None:
    assert Browser(browser.client).post("/logout").status_code == 302


def end_elsewhere(world: World, _browser: Browser) -> None:
    with world.sessions.begin() as writing:
        writing.execute(delete(SessionRow))


ENDS = [expire, sign_out, end_elsewhere]
End = Callable[[World, Browser], None]


def drafts(world: World) -> list[tuple[int, str]]:
    rows = world.read(lambda s: s.execute(select(DraftRow.person_id, DraftRow.text)).all())
    return [(row.person_id, row.text) for row in rows]


def replies(world: World) -> list[ReplyRow]:
    return list(world.read(lambda s: s.scalars(select(ReplyRow)).all()))


@pytest.mark.parametrize("end", ENDS)
def test_a_reply_after_the_sign_in_ended_is_not_sent_said_so_and_in_the_composer_again(
    world: World, mine: int, end: End
) -> None:
    browser = world.browser("bob")
    fields = composed(browser, mine)
    end(world, browser)
    answer = post(browser, f"/queue/{mine}/send", fields)
    assert answer.status_code == 401
    assert "Nothing was sent" in one(answer, "#said").text()
    assert TEXT.splitlines()[0] not in answer.text
    following = one(answer, "form input[name=next]").attributes["value"] or ""
    assert following.startswith(f"/queue/{mine}?")
    sign_in(world, browser, "bob")
    page = browser.get(following)
    assert one(page, "#composer #reply").text() == TEXT
    assert "Nothing was sent" in one(page, "#notice").text()
    assert replies(world) == []
    assert post(browser, f"/queue/{mine}/send", composed(browser, mine)).status_code == 302
    assert [reply.text for reply in replies(world)] == [TEXT]


def test_who_signs_in_instead_sees_nothing_of_the_text(world: World, mine: int) -> None:
    browser = world.browser("bob")
    fields = composed(browser, mine)
    sign_out(world, browser)
    answer = post(browser, f"/queue/{mine}/send", fields)
    following = one(answer, "form input[name=next]").attributes["value"] or ""
    sign_in(world, browser, "rita")
    page = browser.get(following)
    assert "It works again" not in page.text
    assert not parsed(page).css("#notice")
    assert drafts(world) == [(world.people["bob"], TEXT)]


def test_a_reply_from_a_page_of_the_one_before_is_kept_for_them_alone(
    world: World, mine: int
) -> None:
    browser = world.browser("bob")
    fields = composed(browser, mine)
    sign_out(world, browser)
    sign_in(world, browser, "rita")
    answer = post(browser, f"/queue/{mine}/send", fields)
    assert answer.status_code == 400
    assert "Nothing was sent" in one(answer, "#said").text()
    assert "Rita" in one(answer, "main").text()
    assert "It works again" not in answer.text
    assert drafts(world) == [(world.people["bob"], TEXT)]
    assert replies(world) == []


def test_a_reply_from_a_page_of_one_s_own_sign_in_before_comes_back_into_the_composer(
    world: World, mine: int
) -> None:
    browser = world.browser("bob")
    fields = composed(browser, mine)
    sign_out(world, browser)
    sign_in(world, browser, "bob")
    answer = post(browser, f"/queue/{mine}/send", fields)
    page = browser.get(answer.headers["Location"])
    assert one(page, "#composer #reply").text() == TEXT
    assert "Nothing was sent" in one(page, "#notice").text()
    assert replies(world) == []


def nobody_s(fields: dict[str, str]) -> dict[str, str]:
    return fields | {"written_by": ""}


def tampered(fields: dict[str, str]) -> dict[str, str]:
    return fields | {"written_by": "A" + fields["written_by"][1:]}


@pytest.mark.parametrize("change", [nobody_s, tampered])
def test_a_text_whose_writer_can_not_be_told_becomes_nobody_s_draft(
    world: World, mine: int, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    browser = world.browser("bob")
    fields = change(composed(browser, mine))
    sign_out(world, browser)
    answer = post(browser, f"/queue/{mine}/send", fields)
    assert answer.status_code == 401
    assert one(answer, "#said").text() == "You had been signed out. Nothing was sent."
    assert drafts(world) == []


def test_a_page_of_a_person_who_was_barred_or_left_or_of_long_ago_keeps_nothing(
    world: World, mine: int
) -> None:
    bob = world.people["bob"]
    browser = world.browser("bob")
    fields = composed(browser, mine)
    with world.sessions.begin() as writing:
        writing.execute(update(PersonRow).where(PersonRow.id == bob).values(active=False))
    post(browser, f"/queue/{mine}/send", fields)
    with world.sessions.begin() as writing:
        writing.execute(update(PersonRow).values(active=True))
        writing.execute(
            update(MembershipRow).where(MembershipRow.person_id == bob).values(roles=["listener"])
        )
    end_elsewhere(world, browser)
    post(browser, f"/queue/{mine}/send", fields)
    with world.sessions.begin() as writing:
        writing.execute(update(MembershipRow).values(roles=["responder"]))
    world.clock.advance(days=15)
    post(browser, f"/queue/{mine}/send", fields)
    assert drafts(world) == []


FORMS = [
    ("bob", "/queue/{item}/done", {"expect": "1"}),
    ("bob", "/queue/{item}/release", {"expect": "1", "reason": "not mine"}),
    ("bob", "/queue/next", {}),
    ("bob", "/me/duty", {"on_duty": "off"}),
    ("mia", "/m/{item}/labels", {"topic": "delivery", "sentiment": "neutral", "expect": "1"}),
    (
        "mia",
        "/triage/act",
        {"action": "snooze", "until": "date", "on": "2026-03-05", "item": "{item}:1"},
    ),
    ("mia", "/triage/act", {"action": "done", "item": "{item}:1"}),
    ("mia", "/triage/undo", {"item": "{item}:1"}),
    ("mia", "/me", {"timezone": "Europe/Berlin", "locale": "de", "theme": "dark"}),
    ("bob", "/me/password", {"new": "a new pass phrase"}),
]


@pytest.mark.parametrize(("name", "path", "fields"), FORMS)
@pytest.mark.parametrize("end", ENDS)
def test_every_form_says_that_nothing_was_changed_and_leads_back_to_its_page(
    world: World, mine: int, end: End, name: str, path: str, fields: dict[str, str]
) -> None:
    browser = world.browser(name)
    token = browser.token()
    before = world.read(lambda s: s.get(ItemRow, mine)).version
    end(world, browser)
    filled = {key: value.format(item=mine) for key, value in fields.items()}
    answer = browser.client.post(
        path.format(item=mine), data=filled | {"csrf_token": token}, headers=REFERRER
    )
    assert answer.status_code == 401
    assert "Nothing was changed" in one(answer, "#said").text()
    following = one(answer, "form input[name=next]").attributes["value"]
    assert following == "/triage?view=negative"
    assert "a new pass phrase" not in answer.text
    assert world.read(lambda s: s.get(ItemRow, mine)).version == before


@pytest.mark.parametrize("end", ENDS)
def test_a_script_s_act_is_answered_by_where_to_sign_in_and_nothing_is_done(
    world: World, mine: int, end: End
) -> None:
    browser = world.browser("mia")
    token = browser.token()
    end(world, browser)
    answer = browser.client.post(
        "/triage/act",
        data={"action": "done", "item": f"{mine}:1"},
        headers={"X-Fragment": "1", "X-CSRFToken": token, **REFERRER},
    )
    assert answer.status_code == 401
    place = urlsplit(answer.headers["HX-Redirect"])
    assert (place.path, parse_qs(place.query)) == ("/login", {"next": ["/triage?view=negative"]})


def test_a_script_s_act_from_an_old_page_is_told_the_same(world: World, mine: int) -> None:
    browser = world.browser("mia")
    old = browser.token()
    sign_out(world, browser)
    sign_in(world, browser, "mia")
    answer = browser.client.post(
        "/triage/act",
        data={"action": "done", "item": f"{mine}:1"},
        headers={"X-Fragment": "1", "X-CSRFToken": old, **REFERRER},
    )
    assert answer.status_code == 400
    assert answer.headers["HX-Redirect"].startswith("/login?next=")
    back = browser.client.get(answer.headers["HX-Redirect"])
    assert back.headers["Location"] == "/triage?view=negative"


def test_a_page_after_the_sign_in_ended_says_so_and_comes_next(world: World, mine: int) -> None:
    browser = world.browser("bob")
    browser.get("/queue")
    world.clock.advance(hours=13)
    answer = browser.get(f"/queue/{mine}?sent=3")
    page = browser.get(answer.headers["Location"])
    assert "You have been signed out" in one(page, "#said").text()
    assert one(page, "form input[name=next]").attributes["value"] == f"/queue/{mine}?sent=3"
    never = world.browser().get(world.browser().get("/queue").headers["Location"])
    assert not parsed(never).css("#said")


def test_a_sign_in_page_that_was_open_for_too_long_says_so_and_keeps_the_address(
    world: World,
) -> None:
    form = {"email": world.email("bob"), "password": "not this", "next": "/queue/5"}
    answer = world.browser().client.post("/login", data=form)
    assert answer.status_code == 400
    assert "open for too long" in one(answer, "#wrong").text()
    assert one(answer, "#email").attributes["value"] == form["email"]
    assert one(answer, "form input[name=next]").attributes["value"] == "/queue/5"


ODD = st.text(st.sampled_from("/\\\t\r\n .:@?#%evil\u2028\uff0f"), max_size=12)


@given(ODD.map(lambda rest: "/" + rest) | ODD | st.text())
def test_where_a_sign_in_leads_is_always_a_page_of_this_desk(wanted: str) -> None:
    place = local_path(wanted)
    assert place in ("", wanted)
    if place:
        as_browsers_read = "".join(c for c in place if c not in "\t\r\n").replace("\\", "/")
        led_to = urlsplit(urljoin("https://desk.example/login", as_browsers_read))
        assert (led_to.scheme, led_to.netloc) == ("https", "desk.example")


@pytest.mark.parametrize(
    "wanted",
    [
        "/\t/evil.example",
        "/\t\\evil.example",
        "/\\evil.example",
        "//evil.example",
        "/login",
        "/logout",
    ],
)
def test_a_page_to_go_on_with_that_leads_away_or_round_is_left_out(wanted: str) -> None:
    assert local_path(wanted) == ""


def test_a_list_that_follows_by_itself_keeps_nobody_signed_in(world: World) -> None:
    browser = world.browser("bob")
    for _ in range(13):
        world.clock.advance(hours=1)
        last = browser.get("/queue", X_Fragment="1", X_By_Itself="1")
    assert last.status_code == 401
    assert world.clock() - NOON == timedelta(hours=13)
