"""The health page says how each source fares, what was lost, and how far the stages lag."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from earshot.database.tables import SourceHealthRow
from earshot.items.events import EventKind
from earshot.items.lifecycle import record
from tests.builders import NOON
from tests.dashboard.world import World, one, parsed


def add_source(world: World, name: str, **changes: Any) -> None:
    row = {
        "brand": "acme",
        "source": name,
        "platform": "simulator",
        "state": "ok",
        "error": "",
        "failing_since": None,
        "polled_at": NOON,
        "last_post_at": NOON - timedelta(minutes=4),
        "next_poll_at": NOON + timedelta(minutes=1),
        "collected": 1_234,
    } | changes
    with world.sessions.begin() as session:
        session.execute(insert(SourceHealthRow).values(row))


def test_a_source_in_trouble_stands_first_with_its_error_and_since_when(world: World) -> None:
    add_source(world, "a-fine")
    add_source(
        world,
        "z-broken",
        state="failing",
        error="401 <b>Unauthorized</b>",
        failing_since=NOON - timedelta(minutes=9),
    )
    add_source(world, "other", brand="zen")
    rows = parsed(world.browser("alice").get("/admin/health")).css("tbody tr")
    assert len(rows) == 2
    first, second = (" ".join(row.text(separator=" ").split()) for row in rows)
    assert first.startswith("z-broken simulator Failing 9 min ago")
    assert "401 <b>Unauthorized</b>" in first
    assert "a-fine simulator Working 4 min ago just now" in second
    assert "1,234" in second


def test_a_source_that_was_polled_in_the_future_does_not_deliver(world: World) -> None:
    add_source(world, "a-near", polled_at=NOON + timedelta(seconds=9))
    add_source(world, "z-ahead", polled_at=NOON + timedelta(hours=1))
    rows = parsed(world.browser("alice").get("/admin/health")).css("tbody tr")
    first, second = (" ".join(row.text(separator=" ").split()) for row in rows)
    assert first.startswith("z-ahead simulator Failing")
    assert "The last poll is in the future: the clock was set back." in first
    assert second.startswith("a-near simulator Working")


def test_gaps_are_listed_the_newest_first(world: World) -> None:
    with world.sessions.begin() as session:
        for n in (1, 2):
            gap = {
                "subject": "reddit",
                "after": {"part": f"r/{n}", "since": "10:00", "until": "10:05"},
                "why": {"reason": "more than 1,000 posts since the last visit"},
            }
            record(session, "acme", NOON, "role:collect", EventKind.SOURCE_GAP, [gap])
    answer = world.browser("mia").get("/admin/health")
    assert [row.text() for row in parsed(answer).css("tbody th")] == ["reddit r/2", "reddit r/1"]
    assert "more than 1,000 posts" in answer.text


def test_without_sources_the_page_says_what_to_do(world: World) -> None:
    answer = world.browser("ada").get("/admin/health")
    assert "No source has reported yet." in one(answer, ".empty").text()


def test_the_lag_of_the_log_is_shown_where_the_process_knows_it(world: World) -> None:
    assert "Waiting to be processed" not in world.browser("ada").get("/admin/health").text
    world.app.extensions["earshot_lag"] = lambda: {"mentions": 12_345}
    assert "12,345" in world.browser("ada").get("/admin/health").text


def test_responders_do_not_see_the_health_of_sources(world: World) -> None:
    assert world.browser("bob").get("/admin/health").status_code == 403
