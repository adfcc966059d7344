"""The explorer counts what the roll-ups count, and its CSV runs nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.lists import spreadsheet
from dashboard.lists.item_questions import Question, question
from earshot.domain import ItemFlag, ItemState, Sentiment
from earshot.items.lifecycle import slot_of
from earshot.items.rollups import ClosedClock, close_clock
from tests.builders import NOON
from tests.dashboard.seed import add_item
from tests.dashboard.world import World, one, parsed


@pytest.fixture
def world(world_on_each_database: World) -> World:
    return world_on_each_database


@pytest.fixture
def items(world: World) -> list[int]:
    with world.sessions.begin() as writing:
        made = [
            add_item(writing, 1, team="payments", state=ItemState.QUEUED),
            add_item(writing, 2, team="payments", sentiment=Sentiment.POSITIVE),
            add_item(writing, 3, flags=ItemFlag.UNSURE, clock_started_at=NOON - timedelta(days=2)),
            add_item(writing, 4, state=ItemState.ANSWERED, platform="reddit"),
            add_item(writing, 5, state=ItemState.DISMISSED),
        ]
        for number, (minutes, met) in enumerate([(10, True), (10, True), (90, False)]):
            close_clock(
                writing,
                ClosedClock(
                    brand="acme",
                    item_id=made[number],
                    metric="first",
                    team="payments",
                    topic="checkout",
                    platform="simulator",
                    started_at=NOON,
                    due_at=NOON + timedelta(hours=1),
                    stopped_at=NOON + timedelta(minutes=minutes),
                ),
            )
            assert met == (minutes <= 60)
        return made


SLOT = slot_of(NOON - timedelta(days=2))


@pytest.mark.parametrize(
    ("address", "n"),
    [
        ("", 3),
        ("?state=new", 2),
        ("?state=queued&team=payments", 1),
        ("?team=payments", 2),
        ("?sentiment=negative", 2),
        ("?flag=unsure", 1),
        (f"?slot_from={SLOT}&slot_to={SLOT + 1}", 1),
        (f"?slot_from={SLOT + 1}", 2),
        ("?metric=first", 3),
        ("?metric=first&met=0", 1),
        ("?metric=first&met=1&day=2026-03-02", 2),
        ("?metric=first&day_from=2026-03-03", 0),
        ("?metric=first&team=payments&topic=checkout&platform=simulator", 3),
        ("?metric=first&bucket_from=400", 1),
        ("?due=overdue", 1),
        ("?due=risk", 0),
    ],
)
def test_the_count_of_the_roll_up_is_the_length_of_the_list(
    world: World, items: list[int], address: str, n: int
) -> None:
    page = world.browser("mia").get(f"/items{address}")
    assert one(page, "#count").text() == str(n)
    assert len(parsed(page).css(".row")) == n


@pytest.mark.parametrize(
    ("address", "heading"),
    [
        ("day_from=2026-03-01&day_to=2026-03-28", "First responses, Mar 1"),
        ("day=2026-03-02&met=1", "First responses, Mar 2, within target"),
        ("day_from=2026-03-02&met=0", "First responses, from Mar 2, late"),
        ("day_to=2026-03-02", "First responses, until Mar 2"),
    ],
)
def test_a_list_of_first_responses_names_its_period(
    world: World, items: list[int], address: str, heading: str
) -> None:
    page = world.browser("mia").get(f"/items?metric=first&{address}")
    assert heading in " ".join(page.text.split())


@pytest.mark.parametrize("address", ["?platform=reddit&state=answered", "?q=number", "?topic=x"])
def test_what_no_roll_up_knows_has_no_count(world: World, items: list[int], address: str) -> None:
    assert not parsed(world.browser("mia").get(f"/items{address}")).css("#count")


def test_ended_items_are_listed_too(world: World, items: list[int]) -> None:
    page = world.browser("mia").get("/items?state=answered")
    assert one(page, ".row").attributes["data-id"] == str(items[3])


def test_the_export_has_every_item_of_the_question_over_many_pages(world: World) -> None:
    with world.sessions.begin() as writing:
        made = [add_item(writing, number) for number in range(1_100)]
    answer = world.browser("mia").get("/items.csv?state=new")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [int(row["id"]) for row in rows] == made


def test_the_export_of_clocks_has_their_items(world: World, items: list[int]) -> None:
    answer = world.browser("mia").get("/items.csv?metric=first&met=0")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [int(row["id"]) for row in rows] == [items[2]]


def test_a_formula_in_a_post_is_text_in_the_export(world: World) -> None:
    with world.sessions.begin() as writing:
        add_item(writing, 1, text='=HYPERLINK("https://evil.example","x")', author_name="@SUM(A1)")
    answer = world.browser("mia").get("/items.csv")
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert row["preview"].startswith("'=HYPERLINK")
    assert row["author_name"] == "'@SUM(A1)"


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]))))
def test_no_cell_begins_with_what_a_spreadsheet_runs_and_all_text_is_kept(
    cells: list[str],
) -> None:
    lines = list(spreadsheet.lines(["a"], [cells]))
    read = next(csv.reader(io.StringIO(lines[1], newline=""))) if cells else []
    for cell, text in zip(read, cells, strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell.removeprefix("'") == text.removeprefix("'") or cell == text


@given(
    st.builds(
        Question,
        states=st.lists(st.sampled_from(ItemState), min_size=1, unique=True).map(tuple),
        team=st.sampled_from(["", "payments"]),
        slot_from=st.none() | st.integers(0, 10**9),
        metric=st.sampled_from(["", "first", "next"]),
        bucket_to=st.none() | st.integers(-1, 2000),
        met=st.sampled_from([None, True, False]),
        due=st.sampled_from(["", "overdue", "risk"]),
        q=st.text(max_size=30).map(str.strip),
    )
)
def test_a_question_survives_its_address(asked: Question) -> None:
    pairs = asked.parameters()
    values = {name: value for name, value in pairs if name != "state"}
    again = question(values, [value for name, value in pairs if name == "state"])
    assert set(again.states) == set(asked.states)
    assert {**vars_of(again), "states": ()} == {**vars_of(asked), "states": ()}


def vars_of(asked: Question) -> dict[str, object]:
    return {name: getattr(asked, name) for name in Question.__dataclass_fields__}


@given(st.dictionaries(st.sampled_from(sorted(Question.__dataclass_fields__)), st.text()))
def test_no_address_is_too_strange_to_be_read(values: dict[str, str]) -> None:
    question(values, list(values.values()))
