"""Triage: views and their counts, filters, verdicts, undo and conflicts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from dashboard.lists import item_pages
from earshot.database.tables import AssignmentRow, EventRow, ItemRow
from earshot.domain import ItemFlag, ItemState, Sentiment
from earshot.items.lifecycle import Change, move
from tests.builders import NOON
from tests.dashboard.seed import add_item
from tests.dashboard.world import World, one, parsed

SCRIPT = {"X_Fragment": "1"}


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


@pytest.fixture
def items(world: World) -> list[int]:
    with world.sessions.begin() as writing:
        return [
            add_item(writing, 1),
            add_item(writing, 2, sentiment=Sentiment.POSITIVE, flags=ItemFlag.UNSURE),
            add_item(writing, 3, flags=ItemFlag.HIGH_REACH, topic="delivery", lang="de"),
            add_item(writing, 4, state=ItemState.SNOOZED, snoozed_until=NOON + timedelta(days=1)),
            add_item(writing, 5, brand="zen"),
        ]


def shown(world: World, path: str) -> list[int]:
    page = parsed(world.browser("alice").get(path))
    return [int(row.attributes["data-id"] or 0) for row in page.css(".row")]


def item(world: World, number: int) -> ItemRow:
    return world.read(lambda s: s.get(ItemRow, number))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("view", "numbers"),
    [("all", [0, 1, 2]), ("negative", [0, 2]), ("reach", [2]), ("unsure", [1]), ("snoozed", [3])],
)
def test_a_view_shows_its_items_newest_first_and_counts_as_many(
    world: World, items: list[int], view: str, numbers: list[int]
) -> None:
    path = f"/triage?view={view}"
    assert shown(world, path) == [items[number] for number in numbers]
    page = world.browser("alice").get(path)
    assert one(page, ".views a[aria-current] .count").text() == str(len(numbers))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("topic:delivery", [2]),
        ("sentiment:neg", [0, 2]),
        ("lang:DE", [2]),
        ("is:unsure", [1]),
        ("channel:reddit", []),
        ('"number 2"', [1]),
        ("-failing", []),
        ("checkout -number", []),
        ("100%", []),
    ],
)
def test_the_filter_in_the_address_narrows_the_list(
    world: World, items: list[int], text: str, numbers: list[int]
) -> None:
    from urllib.parse import quote

    assert shown(world, f"/triage?q={quote(text)}") == [items[number] for number in numbers]


def test_pages_follow_each_other_by_key_without_gap_or_repeat(world: World) -> None:
    with world.sessions.begin() as writing:
        made = [add_item(writing, number) for number in range(120)]
    browser = world.browser("alice")
    seen: list[int] = []
    path: str | None = "/triage"
    while path:
        page = parsed(browser.get(path))
        seen += [int(row.attributes["data-id"] or 0) for row in page.css(".row")]
        more = page.css_first(".more a")
        path = more.attributes["href"] if more else None
    assert seen == made


def test_a_rare_filter_reads_a_bounded_number_and_says_where_to_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_pages, "SCAN", 10)
    with world.sessions.begin() as writing:
        for number in range(25):
            wanted = add_item(writing, number, topic="delivery" if number == 24 else "checkout")
    browser = world.browser("alice")
    first = browser.get("/triage?q=topic:delivery")
    assert not parsed(first).css(".row")
    second = browser.get(str(one(first, ".more a").attributes["href"]))
    third = browser.get(str(one(second, ".more a").attributes["href"]))
    assert one(third, ".row").attributes["data-id"] == str(wanted)
    assert not parsed(third).css(".more")


@pytest.mark.parametrize(
    ("form", "state", "columns"),
    [
        ({"action": "done"}, ItemState.DISMISSED, {"state_reason": "no reply needed"}),
        ({"action": "not_us"}, ItemState.DISMISSED, {"state_reason": "not us"}),
        (
            {"action": "snooze", "until": "hour"},
            ItemState.SNOOZED,
            {"snoozed_until": NOON + timedelta(hours=1)},
        ),
        ({"action": "assign", "target": "team:payments"}, ItemState.QUEUED, {"team": "payments"}),
    ],
)
def test_a_verdict_moves_the_item_and_undo_moves_it_back(
    world: World,
    items: list[int],
    form: dict[str, str],
    state: ItemState,
    columns: dict[str, object],
) -> None:
    browser = world.browser("alice")
    before = item(world, items[0])
    answer = browser.post("/triage/act", form | {"item": f"{items[0]}:1"}, **SCRIPT)
    assert answer.json == {"done": [{"id": str(items[0]), "version": 2}], "conflicts": []}
    after = item(world, items[0])
    assert after.state == state
    assert {name: getattr(after, name) for name in columns} == columns
    undone = browser.post("/triage/undo", {"item": f"{items[0]}:2"}, **SCRIPT)
    assert undone.status_code == 200
    restored = item(world, items[0])
    same = ("state", "team", "snoozed_until", "state_reason", "assignee_id")
    assert [getattr(restored, name) for name in same] == [getattr(before, name) for name in same]
    assert shown(world, "/triage")[0] == items[0]


def test_assigning_to_a_person_makes_an_assignment_and_undo_ends_it(
    world: World, items: list[int]
) -> None:
    browser, bob = world.browser("alice"), world.people["bob"]
    form = {"action": "assign", "target": f"person:{bob}", "item": f"{items[0]}:1"}
    assert browser.post("/triage/act", form, **SCRIPT).status_code == 200
    assert item(world, items[0]).assignee_id == bob
    states = select(AssignmentRow.state).where(AssignmentRow.item_id == items[0])
    assert world.read(lambda s: s.scalars(states).all()) == ["accepted"]
    browser.post("/triage/undo", {"item": f"{items[0]}:2"}, **SCRIPT)
    assert item(world, items[0]).assignee_id is None
    assert world.read(lambda s: s.scalars(states).all()) == ["ended"]


def test_an_item_is_not_given_to_somebody_who_does_not_answer_for_the_brand(
    world: World, items: list[int]
) -> None:
    for name in ("charlie", "mia"):
        form = {"action": "assign", "target": f"person:{world.people[name]}"}
        answer = world.browser("alice").post(
            "/triage/act", form | {"item": f"{items[0]}:1"}, **SCRIPT
        )
        assert answer.status_code == 422
    assert item(world, items[0]).state == ItemState.NEW


def test_a_conflict_says_who_did_what_and_changes_nothing(world: World, items: list[int]) -> None:
    mia = world.browser("mia")
    assert mia.post("/triage/act", {"action": "done", "item": f"{items[0]}:1"}).status_code == 302
    world.clock.advance(seconds=10)
    late = {"action": "not_us", "item": f"{items[0]}:1"}
    answer = world.browser("alice").post("/triage/act", late, **SCRIPT)
    assert answer.status_code == 409
    assert answer.json is not None
    assert answer.json["conflicts"][0]["words"] == ("Mia dismissed it: no reply needed, just now.")
    page = world.browser("alice").post("/triage/act", late)
    assert page.status_code == 409
    assert "Mia dismissed it" in page.text
    assert item(world, items[0]).state_reason == "no reply needed"


def test_one_conflict_does_not_stop_the_rest_of_a_selection(world: World, items: list[int]) -> None:
    pairs = [f"{items[0]}:1", f"{items[1]}:7", f"{items[2]}:1"]
    answer = world.browser("alice").post("/triage/act", {"action": "done", "item": pairs}, **SCRIPT)
    assert answer.json is not None
    assert [one["id"] for one in answer.json["done"]] == [str(items[0]), str(items[2])]
    assert [one["id"] for one in answer.json["conflicts"]] == [str(items[1])]
    assert item(world, items[1]).state == ItemState.NEW


def test_only_one_s_own_last_verdict_can_be_taken_back_and_only_for_five_minutes(
    world: World, items: list[int]
) -> None:
    alice, mia = world.browser("alice"), world.browser("mia")
    alice.post("/triage/act", {"action": "done", "item": f"{items[0]}:1"})
    assert mia.post("/triage/undo", {"item": f"{items[0]}:2"}, **SCRIPT).status_code == 409
    world.clock.advance(minutes=6)
    assert alice.post("/triage/undo", {"item": f"{items[0]}:2"}, **SCRIPT).status_code == 409
    assert item(world, items[0]).state == ItemState.DISMISSED


def test_a_verdict_that_was_followed_by_something_else_is_not_taken_back(
    world: World, items: list[int]
) -> None:
    alice = world.browser("alice")
    alice.post("/triage/act", {"action": "done", "item": f"{items[0]}:1"})
    with world.sessions.begin() as writing:
        move(
            writing,
            Change(item_id=items[0], brand="acme", actor="role:route", at=NOON, to=ItemState.NEW),
        )
    assert alice.post("/triage/undo", {"item": f"{items[0]}:3"}, **SCRIPT).status_code == 409


def test_without_a_script_a_verdict_leads_to_the_next_item_and_offers_undo(
    world: World, items: list[int]
) -> None:
    browser = world.browser("alice")
    page = browser.get(f"/triage?item={items[0]}")
    assert one(page, ".verdicts input[name=next]").attributes["value"] == str(items[1])
    form = {"action": "done", "item": f"{items[0]}:1", "next": str(items[1])}
    answer = browser.post("/triage/act", form)
    following = browser.get(answer.headers["Location"])
    assert one(following, "#detail [data-item]").attributes["data-item"] == str(items[1])
    token = one(following, "form[action='/triage/undo'] input[name=item]").attributes["value"]
    assert browser.post("/triage/undo", {"item": token}).status_code == 302
    assert item(world, items[0]).state == ItemState.NEW


def test_the_assign_and_snooze_lists_work_as_pages_too(world: World, items: list[int]) -> None:
    browser = world.browser("alice")
    page = browser.get(f"/triage/assign?item={items[0]}:1&suggested=parcels")
    first = parsed(page).css_first("button[name=target]")
    assert first is not None
    assert first.attributes["value"] == "team:parcels"
    names = [button.attributes["value"] for button in parsed(page).css("button[name=target]")]
    assert f"person:{world.people['bob']}" in names
    assert f"person:{world.people['charlie']}" not in names
    assert (
        len(parsed(browser.get(f"/triage/snooze?item={items[0]}:1")).css("button[name=until]")) == 5
    )


def test_new_items_are_asked_for_by_id_as_far_as_the_view_has_them(
    world: World, items: list[int]
) -> None:
    ids = ",".join(map(str, items))
    answer = world.browser("alice").get(f"/triage/rows?view=negative&ids={ids}", **SCRIPT)
    assert [row.attributes["data-id"] for row in parsed(answer).css(".row")] == [
        str(items[0]),
        str(items[2]),
    ]


def test_a_correction_is_stored_with_before_and_after(world: World, items: list[int]) -> None:
    form = {"topic": "delivery", "sentiment": "neutral", "expect": "1"}
    answer = world.browser("alice").post(f"/m/{items[1]}/labels", form)
    assert answer.status_code == 302
    after = item(world, items[1])
    assert (after.topic, after.sentiment, after.flags) == ("delivery", "neutral", 0)
    event = world.read(
        lambda s: s.scalars(select(EventRow).where(EventRow.kind == "label.corrected")).one()
    )
    assert event.before == {
        "topic": "checkout",
        "topic_confidence": 0.8,
        "sentiment": "positive",
        "flags": ItemFlag.UNSURE,
    }
    assert event.why == {"mention": "simulator:2", "model": "test-1"}
    page = world.browser("alice").get(f"/m/{items[1]}")
    assert "corrected a label" in one(page, ".timeline li:first-child").text() or any(
        "corrected a label" in line.text() for line in parsed(page).css(".timeline li")
    )
    counts = world.browser("alice").get("/triage?view=unsure")
    assert one(counts, ".views a[aria-current] .count").text() == "0"


def test_a_correction_of_an_item_that_changed_is_refused(world: World, items: list[int]) -> None:
    form = {"topic": "delivery", "sentiment": "neutral", "expect": "9"}
    assert world.browser("alice").post(f"/m/{items[0]}/labels", form).status_code == 409
    unknown = {"topic": "weather", "sentiment": "neutral", "expect": "1"}
    assert world.browser("alice").post(f"/m/{items[0]}/labels", unknown).status_code == 400


def test_hostile_text_is_shown_as_text(world: World) -> None:
    with world.sessions.begin() as writing:
        number = add_item(
            writing,
            1,
            text="<script>alert(1)</script>" + "x" * 10_000,
            author_name='<img src=x onerror="alert(1)">',
            url="javascript:alert(1)",
        )
    for path in (f"/triage?item={number}", f"/m/{number}", "/items"):
        page = world.browser("alice").get(path)
        assert page.status_code == 200
        assert not parsed(page).css("img, main script")
        assert "javascript:" not in page.text
    assert parsed(world.browser("alice").get(f"/m/{number}")).css("bdi")
