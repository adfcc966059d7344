"""Sessions that are stolen, planted or outlived, passwords that are guessed, links used twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from dashboard.accounts import passwords, people
from dashboard.accounts.login_backoff import ANY_AT_ONE, ONE_AT_ANY, ONE_AT_ONE
from dashboard.live import pages
from earshot.database.tables import MembershipRow, PersonRow, SignInLinkRow
from earshot.domain import Role
from tests.builders import NOON
from tests.dashboard.accounts.test_throttle import in_memory
from tests.dashboard.world import PASSWORD, Browser, World, make_world

ELSEWHERE = "203.0.113."


@pytest.fixture
def bob(world: World) -> dict[str, str]:
    """What Bob signs in with."""
    with world.sessions.begin() as writing:
        people.set_password(writing, world.people["bob"], PASSWORD)
    return {"email": world.email("bob"), "password": PASSWORD}


def cookie(browser: Browser) -> str:
    found = browser.client.get_cookie("earshot")
    assert found is not None
    return found.value


def with_cookie(world: World, token: str) -> Browser:
    client = world.app.test_client()
    client.set_cookie("earshot", token)
    return Browser(client)


# ---------------------------------------------------------------- sessions


def test_a_planted_session_is_not_the_one_that_signing_in_makes(
    world: World, bob: dict[str, str]
) -> None:
    planted = with_cookie(world, "known-to-the-attacker")
    assert planted.get("/me").status_code == 302
    assert planted.post("/login", bob).status_code == 302
    assert cookie(planted) != "known-to-the-attacker"
    assert with_cookie(world, "known-to-the-attacker").get("/me").status_code == 302


def test_an_attacker_s_own_session_does_not_become_the_victim_s(
    world: World, bob: dict[str, str]
) -> None:
    attacker = world.browser("alice")
    victim = with_cookie(world, cookie(attacker))
    assert victim.post("/login", bob).status_code == 302
    assert cookie(victim) != cookie(attacker)
    assert attacker.get("/me").status_code == 302, "it ended when somebody signed in over it"
    assert "Bob" in victim.get("/me").text


def test_the_form_token_of_before_signing_in_is_worth_nothing_after(
    world: World, bob: dict[str, str]
) -> None:
    browser = world.browser()
    before = browser.token()
    assert browser.post("/login", bob).status_code == 302
    told = browser.client.post("/me/duty", data={"csrf_token": before, "on_duty": "on"})
    assert told.status_code == 400


def sign_out(world: World, browser: Browser) -> None:
    assert browser.post("/logout").status_code == 302


def bar(world: World, browser: Browser) -> None:
    with world.sessions.begin() as writing:
        writing.execute(
            update(PersonRow).where(PersonRow.id == world.people["bob"]).values(active=False)
        )


def expel(world: World, browser: Browser) -> None:
    with world.sessions.begin() as writing:
        writing.execute(delete(MembershipRow).where(MembershipRow.person_id == world.people["bob"]))


def change_password(world: World, browser: Browser) -> None:
    form = {"present": PASSWORD, "new": "another long password"}
    assert world.browser("bob").post("/me/password", form).status_code == 302


def wait_for_long(world: World, browser: Browser) -> None:
    world.clock.advance(hours=13)


ENDINGS = [sign_out, bar, expel, change_password, wait_for_long]


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.usefixtures("bob")
def test_an_old_cookie_is_refused_after(
    world: World, end: Callable[[World, Browser], None]
) -> None:
    browser = world.browser("bob")
    stolen = cookie(browser)
    assert with_cookie(world, stolen).get("/queue").status_code == 200
    end(world, browser)
    assert with_cookie(world, stolen).get("/queue").status_code == 302
    assert with_cookie(world, stolen).client.post("/me/heartbeat").status_code != 204


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.usefixtures("bob")
def test_an_open_stream_ends_with_its_session(
    world: World, end: Callable[[World, Browser], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "HEARTBEAT_S", 0.01)
    browser = world.browser("bob")
    answer = browser.get("/stream")
    stream = iter(answer.response)
    assert [next(stream)[:5] for _ in range(3)] == [b"retry", b": kee", b": kee"]
    end(world, browser)
    assert list(islice(stream, 3)) == []
    answer.close()


def test_a_role_that_was_taken_away_is_gone_with_the_next_request(world: World) -> None:
    browser = world.browser("alice")
    assert browser.get("/triage").status_code == 200
    with world.sessions.begin() as writing:
        people.join(writing, "acme", world.people["alice"], roles=[Role.RESPONDER])
    assert browser.get("/triage").status_code == 403


def test_a_cookie_of_any_shape_is_nobody_s(world: World) -> None:
    odd = ("", "a" * 8_000, "' OR 1=1 --", "../../x", "%00", "\u00e9", people.token_hash("x"))
    for token in odd:
        client = world.app.test_client()
        answer = client.get(
            "/me", headers={"Cookie": f"earshot={token}".encode().decode("latin-1")}
        )
        assert answer.status_code == 302


def test_the_stored_hash_of_a_token_opens_nothing(world: World) -> None:
    token = cookie(world.browser("bob"))
    assert with_cookie(world, people.token_hash(token)).get("/me").status_code == 302


# ---------------------------------------------------------------- guessing


def guess(world: World, email: str, password: str, address: str) -> int:
    client = world.app.test_client()
    world.app.config["WTF_CSRF_ENABLED"] = False
    form = {"email": email, "password": password}
    return client.post("/login", data=form, environ_overrides={"REMOTE_ADDR": address}).status_code


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that costs nothing: what is counted here is attempts."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", cheap)
    passwords._nobody.cache_clear()


@pytest.mark.usefixtures("quick")
def test_one_account_guessed_at_from_many_addresses_slows_down(
    world: World, bob: dict[str, str]
) -> None:
    email = bob["email"]
    said = [guess(world, email, "wrong", f"{ELSEWHERE}{n}") for n in range(ANY_AT_ONE.free + 10)]
    assert said == [422] * ANY_AT_ONE.free + [429] * 10
    world.clock.advance(seconds=ANY_AT_ONE.longest.total_seconds() + 1)
    assert guess(world, email, PASSWORD, f"{ELSEWHERE}200") == 302


@pytest.mark.usefixtures("quick")
def test_one_address_that_tries_a_password_at_many_accounts_slows_down(world: World) -> None:
    said = [guess(world, f"n{n}@x", "Summer2026!", f"{ELSEWHERE}1") for n in range(60)]
    assert said == [422] * ONE_AT_ANY.free + [429] * (60 - ONE_AT_ANY.free)
    assert guess(world, "n1@x", "Summer2026!", f"{ELSEWHERE}2") == 422


@pytest.mark.usefixtures("quick")
def test_an_account_of_one_s_own_does_not_buy_more_guesses(
    world: World, bob: dict[str, str]
) -> None:
    address, said = f"{ELSEWHERE}1", []
    for number in range(ONE_AT_ANY.free + 5):
        said.append(guess(world, f"n{number}@x", "wrong", address))
        guess(world, bob["email"], PASSWORD, address)
    assert said.count(429) >= 5


@pytest.mark.usefixtures("quick")
def test_guesses_at_once_count_like_guesses_in_a_row(world: World, bob: dict[str, str]) -> None:
    together = threading.Barrier(16)

    def one(_: int) -> int:
        together.wait(10)
        return guess(world, bob["email"], "wrong", f"{ELSEWHERE}1")

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(one, range(16)))
    assert said.count(422) == ONE_AT_ONE.free


@pytest.mark.usefixtures("quick")
def test_an_address_can_t_be_made_up(world: World, bob: dict[str, str]) -> None:
    client = world.app.test_client()
    world.app.config["WTF_CSRF_ENABLED"] = False
    form = {**bob, "password": "wrong"}
    said = [
        client.post(
            "/login",
            data=form,
            headers={"X-Forwarded-For": f"{ELSEWHERE}{n}", "Forwarded": f"for={ELSEWHERE}{n}"},
        ).status_code
        for n in range(ONE_AT_ONE.free + 3)
    ]
    assert said[-3:] == [429] * 3


@pytest.mark.usefixtures("quick")
def test_behind_a_proxy_its_word_counts_and_the_visitor_s_does_not(tmp_path: Path) -> None:
    world = make_world(tmp_path, proxies=1)
    world.app.config["WTF_CSRF_ENABLED"] = False

    def ask(number: int, visitor: str) -> int:
        made_up = f"10.0.0.{number}, {visitor}"
        form = {"email": f"n{number}@x", "password": "wrong"}
        client = world.app.test_client()
        return client.post("/login", data=form, headers={"X-Forwarded-For": made_up}).status_code

    said = [ask(n, f"{ELSEWHERE}1") for n in range(ONE_AT_ANY.free + 3)]
    assert said[-3:] == [429] * 3
    assert ask(200, f"{ELSEWHERE}2") == 422
    world.sessions.kw["bind"].dispose()


@pytest.mark.usefixtures("quick")
def test_a_found_browser_does_not_give_away_the_password(world: World, bob: dict[str, str]) -> None:
    browser = world.browser("bob")
    form = {"present": "wrong", "new": "another long password"}
    said = [browser.post("/me/password", form).status_code for _ in range(ONE_AT_ONE.free + 2)]
    assert said == [422] * ONE_AT_ONE.free + [429] * 2


def test_hashing_takes_no_more_memory_than_was_meant(
    world: World, bob: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "TURN_TIMEOUT_S", 0.0)
    for _ in range(passwords.AT_ONCE):
        assert passwords._turns.acquire(timeout=0)
    try:
        client = world.app.test_client()
        world.app.config["WTF_CSRF_ENABLED"] = False
        told = client.post("/login", data=bob)
        assert (told.status_code, told.headers["Retry-After"]) == (503, "5")
    finally:
        for _ in range(passwords.AT_ONCE):
            passwords._turns.release()
    assert passwords.verify(PASSWORD, "") is False


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 30)), max_size=120
    )
)
def test_whatever_the_order_of_guesses_a_pair_gets_no_more_than_its_share(
    tries: list[tuple[str, str, int]],
) -> None:
    now = NOON
    made: dict[tuple[str, str], int] = {}
    with in_memory() as throttle:
        for address, account, seconds in tries:
            now += timedelta(seconds=seconds)
            if not throttle.attempt(address, account, now):
                made[address, account] = made.get((address, account), 0) + 1
    span = (now - NOON).total_seconds()
    # the waits double from 2 s: so many more fit into the time that went by
    more = max(n for n in range(40) if sum(2**k for k in range(1, n + 1)) <= span or n == 0)
    assert all(count <= ONE_AT_ONE.free + more + 1 for count in made.values())


# ---------------------------------------------------------------- one-time links


def a_link(world: World) -> str:
    with world.sessions.begin() as writing:
        return people.sign_in_link(
            writing, world.people["bob"], world.clock(), timedelta(minutes=10)
        )


def test_of_many_at_once_one_follows_a_link(world_on_each_database: World) -> None:
    world = world_on_each_database
    token, together = a_link(world), threading.Barrier(6)

    def follow(_: int) -> bool:
        together.wait(10)
        with world.sessions.begin() as writing:
            return people.use_sign_in_link(writing, token, world.clock()) is not None

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(follow, range(6))) == 1


def test_a_link_is_kept_as_a_hash_that_is_no_link(world: World) -> None:
    a_link(world)
    kept = world.read(lambda s: s.query(SignInLinkRow.token_hash).scalar())
    assert world.browser().post(f"/signin/{kept}").status_code == 410


def test_a_link_of_somebody_who_was_barred_leads_nowhere(world: World) -> None:
    token = a_link(world)
    bar(world, world.browser("bob"))
    browser = world.browser()
    browser.post(f"/signin/{token}")
    assert browser.get("/me").status_code == 302


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/..//evil.example",
        "/%09/evil.example",
        "/@evil.example",
    ],
)
def test_signing_in_leads_to_this_site_only(world: World, wanted: str) -> None:
    answer = world.browser().post(f"/signin/{a_link(world)}", {"next": wanted})
    # as a browser reads it: tabs and line breaks fall away, a backslash is a slash
    place = "".join(c for c in answer.headers["Location"] if c not in "\t\r\n").replace("\\", "/")
    assert place.startswith("/")
    assert not place.startswith("//")
