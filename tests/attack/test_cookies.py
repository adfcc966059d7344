"""Cookies: kept from scripts, from other sites, and behind TLS from the open line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.accounts import people
from tests.dashboard.world import PASSWORD, World, make_world


@pytest.fixture(params=[True, False], ids=["https", "http"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A desk behind TLS, then one that is not. Its forms need no token here."""
    made = make_world(tmp_path, secure_cookies=request.param)
    made.app.config["WTF_CSRF_ENABLED"] = False
    with made.sessions.begin() as writing:
        people.set_password(writing, made.people["bob"], PASSWORD)
    yield made
    made.sessions.kw["bind"].dispose()


def a_visit(world: World, base_url: str) -> list[str]:
    """Every cookie that Bob is given: he signs in, changes his password, and signs out."""
    client, given = world.app.test_client(), []
    entry = {"email": world.email("bob"), "password": PASSWORD}
    change = {"present": PASSWORD, "new": "another long password"}
    for method, path, form, status in (
        ("GET", "/login", {}, 200),
        ("POST", "/login", entry, 302),
        ("GET", "/me", {}, 200),
        ("POST", "/me/password", change, 302),
        ("GET", "/me", {}, 200),
        ("POST", "/logout", {}, 302),
        ("GET", "/me", {}, 302),
    ):
        answer = client.open(path, method=method, data=form, base_url=base_url)
        assert answer.status_code == status, (method, path)
        given += answer.headers.getlist("Set-Cookie")
    return given


def test_every_cookie_is_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    secure = world.app.config["SESSION_COOKIE_SECURE"]
    prefix, scheme = ("__Host-", "https") if secure else ("", "http")
    promised = {"HttpOnly", "SameSite=Lax", "Path=/"} | ({"Secure"} if secure else set())
    given = [cookie.split("; ") for cookie in a_visit(world, f"{scheme}://localhost")]
    names = [first.partition("=")[0] for first, *_ in given]
    assert set(names) == {f"{prefix}earshot", f"{prefix}earshot-form"}
    assert names.count(f"{prefix}earshot") == 3, "entering, a new password, leaving"
    for name, (_, *said) in zip(names, given, strict=True):
        assert promised <= set(said), name
        assert not any(word.startswith("Domain") for word in said), name
