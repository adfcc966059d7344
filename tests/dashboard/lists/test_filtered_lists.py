"""Lists under a filter: a field and its opposite share a list out between them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from dashboard.lists.filters import FIELDS, IS
from earshot.domain import ItemFlag, ItemState, Sentiment
from earshot.items.rollups import ClosedClock, close_clock
from tests.builders import NOON
from tests.dashboard.seed import add_item
from tests.dashboard.world import World, one, parsed


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


@pytest.fixture
def items(world: World) -> list[int]:
    """Items that differ in every field, some of them with nothing in it."""
    rows: list[dict[str, Any]] = [
        {},
        {"sentiment": Sentiment.POSITIVE, "topic": "", "lang": "und", "team": ""},
        {"sentiment": Sentiment.NEUTRAL, "topic": "Ärger", "lang": "de", "team": "Second line"},
        {"topic": "Delivery", "platform": "reddit", "source": "Subs", "flags": ItemFlag.UNSURE},
        {
            "flags": ItemFlag.VIP | ItemFlag.HIGH_REACH,
            "reopened": 2,
            "text": "an https://acme.example 10:30",
        },
        {"assignee_id": world.people["mia"]},
        {"assignee_id": world.people["bob"], "reopened": 1, "team": "payments"},
    ]
    with world.sessions.begin() as writing:
        return [add_item(writing, number, **changes) for number, changes in enumerate(rows)]


def listed(world: World, path: str, text: str = "") -> set[int]:
    page = world.browser("mia").get(f"{path}{'&' if '?' in path else '?'}q={quote(text)}")
    assert page.status_code == 200, text
    assert not parsed(page).css("#problems"), text
    return {int(row.attributes["data-id"] or 0) for row in parsed(page).css(".row")}


@pytest.mark.parametrize(
    ("written", "sought"),
    [
        ("so viel ÄRGER damit", "ärger"),
        ("so viel ärger damit", "ÄRGER"),
        ("МОСКВА ждёт", "москва"),  # noqa: RUF001 -- Cyrillic
        ("im cafe\u0301 nebenan", "caf\u00e9"),
        ("im caf\u00e9 nebenan", "CAFE\u0301"),
        ("ΟΔΟΣ ΑΘΗΝΑΣ", "οδος"),
        ("οδος Αθηνας", "ΟΔΟΣ"),
        ("ＡＣＭＥ antwortet nicht", "acme"),  # noqa: RUF001 -- full width
        ("100 % sicher", "100 %"),
        ("a_b", "A_B"),
    ],
)
def test_a_word_is_found_in_any_script_case_and_spelling(
    world: World, written: str, sought: str
) -> None:
    with world.sessions.begin() as writing:
        found = add_item(writing, 1, text=written)
        add_item(writing, 2, text="something else, axb, 100 of them")
    assert listed(world, "/items", f'"{sought}"') == {found}
    assert found not in listed(world, "/items", f'-"{sought}"')


VALUES = {
    "topic": ["checkout", "CHECKOUT", "delivery", "ÄRGER", "nothing"],
    "sentiment": ["negative", "pos", "NEUTRAL"],
    "channel": ["reddit", "Simulator", "x"],
    "lang": ["de", "EN", "und"],
    "team": ["payments", '"second LINE"', "none"],
    "source": ["sim", "subs"],
    "is": list(IS),
}


@pytest.mark.parametrize("name", [*FIELDS, "is"])
@pytest.mark.parametrize("path", ["/triage", "/items"])
def test_a_field_and_its_opposite_partition_the_list(
    world: World, items: list[int], path: str, name: str
) -> None:
    for value in VALUES[name]:
        with_it = listed(world, path, f"{name}:{value}")
        without = listed(world, path, f"-{name}:{value}")
        assert with_it | without == set(items), value
        assert not with_it & without, value


def test_a_word_and_its_opposite_partition_the_list(world: World, items: list[int]) -> None:
    for word in ("failing", '"number 3"', "https://acme.example", "10:30", "nowhere"):
        with_it, without = listed(world, "/triage", word), listed(world, "/triage", f"-{word}")
        assert with_it | without == set(items), word
        assert not with_it & without, word


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("-sentiment:negative", [1, 2]),
        ("topic:delivery topic:ärger", [2, 3]),
        ("-topic:delivery -topic:ärger -topic:checkout", [1]),
        ("Topic:CHECKOUT -is:mine -is:reopened", [0]),
        ("-is:unassigned", [5, 6]),
        ("topic:checkout -topic:checkout", []),
        ('Team:"SECOND line"', [2]),
        ("10:30 https://acme.example", [4]),
    ],
)
def test_wanted_and_unwanted_terms_narrow_together(
    world: World, items: list[int], text: str, numbers: list[int]
) -> None:
    wanted = {items[number] for number in numbers}
    assert listed(world, "/triage", text) == listed(world, "/items", text) == wanted


@pytest.mark.parametrize("path", ["/triage?q=foo:bar", "/items?q=foo:bar"])
def test_a_filter_with_an_unknown_field_lists_nothing_and_says_why(
    world: World, items: list[int], path: str
) -> None:
    page = world.browser("mia").get(path)
    assert not parsed(page).css(".row")
    assert not parsed(page).css(".more")
    said = one(page, "#problems").text()
    assert "foo:" in said
    assert "topic" in said
    assert one(page, "#q").attributes["aria-invalid"] == "true"
    assert "Correct the filter to see items." in page.text


def test_an_export_under_a_filter_that_is_not_understood_is_refused(
    world: World, items: list[int]
) -> None:
    answer = world.browser("mia").get("/items.csv?q=foo:bar")
    assert answer.status_code == 422
    assert "topic" in one(answer, "#problems").text()


def test_what_is_asked_for_by_id_passes_the_filter_too(world: World, items: list[int]) -> None:
    ids = ",".join(map(str, items))
    for text, numbers in (("-sentiment:negative", [1, 2]), ("foo:bar", [])):
        page = world.browser("mia").get(f"/triage/rows?ids={ids}&q={text}", X_Fragment="1")
        shown = {int(row.attributes["data-id"] or 0) for row in parsed(page).css(".row")}
        assert shown == {items[number] for number in numbers}


def test_closed_clocks_are_narrowed_by_the_filter_too(world: World) -> None:
    with world.sessions.begin() as writing:
        rows: list[dict[str, Any]] = [{}, {"sentiment": "positive"}, {"flags": ItemFlag.UNSURE}]
        items = [
            add_item(writing, n, state=ItemState.ANSWERED, **changes)
            for n, changes in enumerate(rows)
        ]
        for item in items:
            close_clock(
                writing,
                ClosedClock(
                    brand="acme",
                    item_id=item,
                    metric="first",
                    team="payments",
                    topic="checkout",
                    platform="simulator",
                    started_at=NOON,
                    due_at=NOON,
                    stopped_at=NOON,
                ),
            )
    everything = "/items?metric=first"
    assert listed(world, everything) == set(items)
    assert listed(world, everything, "-sentiment:positive") == {items[0], items[2]}
    assert listed(world, everything, "is:unsure") == {items[2]}
    assert listed(world, f"{everything}&sentiment=positive") == {items[1]}
