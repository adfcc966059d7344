"""What the metrics say of the desk: its answers, and who tried to sign in."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.accounts.login_backoff import ONE_AT_ONE
from dashboard.frame.app_context import EXTENSION
from tests.dashboard.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def told(world: World) -> str:
    text: str = world.app.extensions[EXTENSION].metrics.text().decode()
    return text


def line(name: str, value: int, **labels: str) -> str:
    given = ",".join(
        f'{label}="{said}"' for label, said in sorted({"role": "serve", **labels}.items())
    )
    return f"earshot_{name}{{{given}}} {value}.0"


def test_a_desk_that_nobody_asked_has_counted_nothing(world: World) -> None:
    for status in ("2xx", "3xx", "4xx", "5xx"):
        assert line("requests_total", 0, status=status) in told(world)


def test_answers_are_counted_by_the_class_of_their_status_and_timed(world: World) -> None:
    browser = world.browser()
    browser.get("/login")
    browser.get("/queue")
    browser.get("/nowhere")
    assert line("requests_total", 1, status="2xx") in told(world)
    assert line("requests_total", 1, status="3xx") in told(world)
    assert line("requests_total", 1, status="4xx") in told(world)
    assert line("request_seconds_count", 3) in told(world)


def test_guessing_a_password_is_seen(world: World) -> None:
    browser = world.browser()
    guess = {"email": world.email("alice"), "password": "wrong"}
    for _ in range(ONE_AT_ONE.free + 2):
        browser.post("/login", guess)
    assert line("sign_ins_total", ONE_AT_ONE.free, outcome="wrong") in told(world)
    assert line("sign_ins_total", 2, outcome="throttled") in told(world)
    assert line("sign_ins_total", 0, outcome="right") in told(world)
