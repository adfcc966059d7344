"""Signing in: what lets a person in, what keeps others out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from dashboard.accounts import people
from earshot.database.tables import MembershipRow, PersonRow, SessionRow
from tests.dashboard.world import PASSWORD, World, one, parsed


@pytest.fixture
def bob_has_a_password(world: World) -> None:
    with world.sessions.begin() as writing:
        people.set_password(writing, world.people["bob"], PASSWORD)


def credentials(world: World, **changes: str) -> dict[str, str]:
    return {"email": world.email("bob"), "password": PASSWORD, **changes}


@pytest.mark.usefixtures("bob_has_a_password")
def test_the_right_password_leads_to_the_role_s_home(world: World) -> None:
    browser = world.browser()
    entered = browser.post("/login", credentials(world))
    assert entered.status_code == 302
    assert browser.get("/").headers["Location"] == "/queue"


@pytest.mark.usefixtures("bob_has_a_password")
def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(world: World) -> None:
    wrong = world.browser().post("/login", credentials(world, password="something else"))
    unknown = world.browser().post("/login", credentials(world, email="nobody@acme.example"))
    assert wrong.status_code == unknown.status_code == 422
    assert one(wrong, "#wrong").text() == one(unknown, "#wrong").text()
    assert "autofocus" in one(wrong, "#password").attributes


@pytest.mark.usefixtures("bob_has_a_password")
def test_after_five_failures_even_the_right_password_has_to_wait(world: World) -> None:
    browser = world.browser()
    for _ in range(5):
        browser.post("/login", credentials(world, password="something else"))
    assert browser.post("/login", credentials(world)).status_code == 429
    world.clock.advance(seconds=3)
    assert browser.post("/login", credentials(world)).status_code == 302


@pytest.mark.usefixtures("bob_has_a_password")
def test_failures_at_a_time_that_is_yet_to_come_keep_nobody_out(world: World) -> None:
    browser = world.browser()
    world.clock.advance(days=400)
    for _ in range(5):
        browser.post("/login", credentials(world, password="something else"))
    assert browser.post("/login", credentials(world)).status_code == 429
    world.clock.advance(days=-400)
    assert browser.post("/login", credentials(world)).status_code == 302


def test_a_session_from_before_the_clock_was_set_back_is_over(world: World) -> None:
    world.clock.advance(days=400)
    browser = world.browser("bob")
    assert browser.get("/me").status_code == 200
    world.clock.advance(minutes=-4)  # as machines differ
    assert browser.get("/me").status_code == 200
    world.clock.advance(days=-400)
    assert browser.get("/me").status_code == 302


def test_who_acts_is_there_also_after_the_clock_was_set_back(world: World) -> None:
    bob = world.people["bob"]
    browser = world.browser("bob")
    world.clock.advance(minutes=-4)
    assert browser.get("/queue").status_code == 200
    seen_at = world.read(lambda s: s.get_one(MembershipRow, ("acme", bob)).seen_at)
    assert seen_at == world.clock()


@pytest.mark.usefixtures("bob_has_a_password")
def test_a_person_who_was_barred_is_out_at_once(world: World) -> None:
    browser = world.browser("bob")
    assert browser.get("/me").status_code == 200
    with world.sessions.begin() as writing:
        writing.execute(
            update(PersonRow).where(PersonRow.id == world.people["bob"]).values(active=False)
        )
    assert browser.get("/me").status_code == 302
    assert browser.post("/login", credentials(world)).status_code == 422


def a_link(world: World, name: str = "bob") -> str:
    with world.sessions.begin() as writing:
        token = people.sign_in_link(
            writing, world.people[name], world.clock(), timedelta(minutes=10)
        )
    return f"/signin/{token}"


def test_looking_at_a_sign_in_link_does_not_use_it_up(world: World) -> None:
    link = a_link(world)
    assert world.browser().get(link).status_code == 200
    assert world.browser().post(link).status_code == 302


def test_a_sign_in_link_works_once_and_in_time(world: World) -> None:
    link = a_link(world)
    assert world.browser().post(link).status_code == 302
    assert world.browser().post(link).status_code == 410
    late = a_link(world)
    world.clock.advance(minutes=11)
    assert world.browser().post(late).status_code == 410


def test_signing_in_gives_a_new_token_and_ends_the_old(world: World) -> None:
    browser = world.browser("bob")
    before = world.read(lambda s: list(s.scalars(select(SessionRow.token_hash))))
    browser.post(a_link(world))
    after = world.read(lambda s: list(s.scalars(select(SessionRow.token_hash))))
    assert len(after) == 1
    assert after != before


@pytest.mark.parametrize("idle", [{"hours": 13}, {"days": 15}])
def test_a_session_ends_when_idle_for_half_a_day_and_after_two_weeks(
    world: World, idle: dict[str, float]
) -> None:
    browser = world.browser("bob")
    world.clock.advance(**idle)
    assert browser.get("/me").status_code == 302


def test_a_session_in_use_still_ends_after_two_weeks(world: World) -> None:
    browser = world.browser("bob")
    for _ in range(27):
        world.clock.advance(hours=11)
        assert browser.get("/me").status_code == 200
    for _ in range(4):
        world.clock.advance(hours=11)
    assert browser.get("/me").status_code == 302


def test_a_heartbeat_shows_presence_but_keeps_nobody_signed_in(world: World) -> None:
    browser = world.browser("bob")
    browser.token()
    for _ in range(13):
        world.clock.advance(hours=1)
        last = browser.post("/me/heartbeat")
    assert last.status_code == 401
    seen = world.read(
        lambda s: s.scalar(
            select(MembershipRow.seen_at).where(MembershipRow.person_id == world.people["bob"])
        )
    )
    assert seen == world.clock() - timedelta(hours=2)


def test_a_form_without_its_token_is_refused(world: World) -> None:
    browser = world.browser("bob")
    assert browser.client.post("/logout").status_code == 400
    assert browser.get("/me").status_code == 200
    assert browser.post("/logout").status_code == 302
    assert browser.get("/me").status_code == 302


def test_a_script_whose_session_is_over_is_told_to_sign_in(world: World) -> None:
    answer = world.browser().get("/me", HX_Request="true")
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login"


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(world: World, wanted: str) -> None:
    entered = world.browser().post(a_link(world), {"next": wanted})
    assert entered.headers["Location"] == "/"


def test_only_a_hash_of_a_token_is_kept(world: World) -> None:
    link = a_link(world)
    browser = world.browser()
    browser.post(link)
    cookie = browser.client.get_cookie("earshot")
    assert cookie is not None
    assert cookie.http_only
    kept = world.read(lambda s: s.scalar(select(SessionRow.token_hash)))
    assert kept == people.token_hash(cookie.value)


def test_one_s_other_browser_can_be_signed_out_and_nobody_else_s(world: World) -> None:
    here, there, other = world.browser("bob"), world.browser("bob"), world.browser("alice")
    keys = [
        form.attributes["action"]
        for form in parsed(here.get("/me")).css("form[action^='/me/sessions/']")
    ]
    assert len(keys) == 1
    assert other.post(str(keys[0])).status_code == 404
    assert there.get("/me").status_code == 200
    assert here.post(str(keys[0])).status_code == 302
    assert there.get("/me").status_code == 302
    assert here.get("/me").status_code == 200


def test_a_new_password_signs_out_every_other_browser(world: World) -> None:
    here, there = world.browser("bob"), world.browser("bob")
    short = here.post("/me/password", {"new": "short"})
    assert short.status_code == 422
    assert here.post("/me/password", {"new": PASSWORD}).status_code == 302
    assert here.get("/me").status_code == 200
    assert there.get("/me").status_code == 302
    assert here.post("/me/password", {"new": PASSWORD, "present": "no"}).status_code in {400, 422}
