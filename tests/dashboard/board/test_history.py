"""What is older than a source's first days, and what is dated back, as people see it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from dashboard.board import response_stats
from earshot.database.tables import MentionRow
from earshot.domain import ItemFlag, ItemState
from earshot.items import rollups
from tests.builders import NOON
from tests.dashboard.board.test_pages import links
from tests.dashboard.seed import add_item, add_reply
from tests.dashboard.world import World, one, parsed

LONG_AGO = NOON - timedelta(days=20)
PAST: dict[str, Any] = {
    "clock_started_at": LONG_AGO,
    "flags": ItemFlag.HISTORY,
    "target": "",
    "target_s": 0,
    "due_at": None,
    "team": "payments",
}


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


def words(text: str) -> str:
    return " ".join(text.split())


def test_history_is_marked_with_its_reason_and_has_no_badge(world: World) -> None:
    with world.sessions.begin() as writing:
        past, now = add_item(writing, 1, **PAST), add_item(writing, 2)
    alice = world.browser("alice")
    rows = {row.attributes["data-id"]: row for row in parsed(alice.get("/triage")).css(".row")}
    chips = {key: [chip.text() for chip in row.css(".chip")] for key, row in rows.items()}
    assert "History" in chips[str(past)]
    assert "History" not in chips[str(now)]
    assert not rows[str(past)].css(".sla")
    assert rows[str(now)].css(".sla")
    for path in (f"/triage?item={past}", f"/m/{past}"):
        assert "there is no target for it." in alice.get(path).text
    assert "there is no target for it." not in alice.get(f"/m/{now}").text


def test_who_holds_history_sees_that_nothing_is_promised(world: World) -> None:
    with world.sessions.begin() as writing:
        columns = PAST | {"state": ItemState.ASSIGNED, "assignee_id": world.people["bob"]}
        past = add_item(writing, 1, **columns)
    page = world.browser("bob").get(f"/queue/{past}")
    assert "there is no target for it." in page.text
    assert not parsed(page).css("[data-due]")
    assert "response" not in words(one(page, f'article[data-item="{past}"]').text())


def test_taking_the_next_item_takes_history_last(world: World) -> None:
    with world.sessions.begin() as writing:
        past = add_item(writing, 1, state=ItemState.QUEUED, **PAST)
        lost = add_item(
            writing, 2, state=ItemState.QUEUED, team="payments", due_at=NOON - timedelta(hours=9)
        )
        fresh = add_item(writing, 3, state=ItemState.QUEUED, team="payments")
    bob = world.browser("bob")
    taken = [bob.post("/queue/next").headers["Location"] for _ in range(3)]
    assert taken[-1] == f"/queue/{past}"
    assert set(taken) == {f"/queue/{number}" for number in (past, lost, fresh)}


def test_the_board_leaves_history_out_and_every_number_still_opens_its_list(world: World) -> None:
    with world.sessions.begin() as writing:
        for number in range(1, 31):
            add_item(writing, number, **PAST)
        made = [add_item(writing, number, team="payments") for number in range(31, 34)]
    mia = world.browser("mia")
    board = mia.get("/board")
    assert "Posts from before a source was connected are not counted." in words(board.text)
    numbers = links(board)
    assert ("/items?state=open&flag=promised", 3) in numbers
    for address, number in numbers:
        assert int(one(mia.get(address), "#count").text()) == number <= len(made), address
    assert one(mia.get("/items?state=open"), "#count").text() == "33"
    assert one(mia.get("/items?flag=history"), "#count").text() == "30"
    assert one(mia.get("/items?flag=promised"), "#count").text() == "3"
    assert len(parsed(mia.get("/items?flag=promised")).css(".row")) == 3
    backlog = world.read(lambda session: response_stats.backlog(session, "acme"))
    assert backlog.total == 3
    assert backlog.of_team("payments") == 3


def test_history_is_found_by_its_words_and_by_its_mark(world: World) -> None:
    with world.sessions.begin() as writing:
        past = add_item(writing, 1, text="the violet kettle", **PAST)
        add_item(writing, 2, flags=ItemFlag.UNSURE)
    alice = world.browser("alice")
    for query in ("violet", "is:history"):
        rows = parsed(alice.get(f"/triage?q={query}")).css(".row")
        assert [row.attributes["data-id"] for row in rows] == [str(past)], query


def test_a_post_that_is_dated_back_says_both_times(world: World) -> None:
    with world.sessions.begin() as writing:
        back, plain = add_item(writing, 1), add_item(writing, 2)
        for native_id, claimed in (("1", timedelta(days=3_650)), ("2", timedelta(minutes=9))):
            received = NOON - timedelta(minutes=1)
            writing.execute(
                update(MentionRow)
                .where(MentionRow.native_id == native_id)
                .values(received_at=received, published_at=received - claimed)
            )
    alice = world.browser("alice")
    said = words(one(alice.get(f"/m/{back}"), ".post").text())
    assert "The author dated this post 4 Mar 2016, 11:59 UTC." in said
    assert "1 min ago" in said
    assert "The author dated this post" not in alice.get(f"/m/{plain}").text


def test_a_reply_answers_what_came_last_and_not_what_names_the_latest_date(world: World) -> None:
    with world.sessions.begin() as writing:
        held: dict[str, Any] = {"state": ItemState.ASSIGNED, "assignee_id": world.people["bob"]}
        item = add_item(writing, 1, **held)
        other = add_item(writing, 2, state=ItemState.DISMISSED)
        add_reply(writing, item, world.people["bob"], confirmed_at=NOON - timedelta(seconds=50))
        writing.execute(
            update(MentionRow)
            .where(MentionRow.item_id == other)
            .values(
                item_id=item,
                text="And what about this?",
                published_at=NOON - timedelta(days=3_650),
                received_at=NOON - timedelta(seconds=5),
            )
        )
    page = world.browser("bob").get(f"/queue/{item}")
    shown = [words(post.text()) for post in parsed(page).css(".post .said")]
    assert shown[-1] == "And what about this?", "in the order in which they came"
    assert one(page, "#composer input[name=mention]").attributes["value"] == "simulator:2"


def test_history_that_is_answered_is_in_no_figure(world: World) -> None:
    with world.sessions.begin() as writing:
        item = add_item(writing, 1, state=ItemState.ANSWERED, **PAST)
        rollups.close_clock(
            writing,
            rollups.ClosedClock(
                brand="acme",
                item_id=item,
                metric="first",
                team="payments",
                topic="checkout",
                platform="simulator",
                started_at=LONG_AGO,
                due_at=None,
                stopped_at=NOON,
                history=True,
            ),
        )
    mia = world.browser("mia")
    assert one(mia.get("/items?metric=first"), "#count").text() == "0"
    assert "none answered" in mia.get("/board").text
