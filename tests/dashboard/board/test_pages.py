"""The board: its numbers are those of an oracle, each opens a list that counts the same."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard.board import charts
from dashboard.board.durations import duration
from dashboard.board.response_stats import (
    FEWEST,
    SLOTS_A_DAY,
    Period,
    Times,
    ages,
    by_day,
    day_of,
    first_slot,
    open_by_age,
)
from dashboard.frame.deadlines import Level, badge
from dashboard.lists import due
from earshot.database import db
from earshot.database.tables import SLOT_S, Table
from earshot.domain import ItemState
from earshot.items.histogram import RELATIVE_ERROR, bucket
from earshot.items.lifecycle import OPEN, slot_of
from tests.builders import NOON
from tests.dashboard.quarter import Seeded, a_quarter, put
from tests.dashboard.world import World, make_world, parsed


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def seed(world: World, *items: Seeded) -> None:
    with world.sessions.begin() as session:
        put(session, items)


def whole_number(text: str) -> int:
    found = re.search(r"\d[\d,]*", text)
    assert found, f"no number in {text!r}"
    return int(found[0].replace(",", ""))


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    said: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield said
    event.remove(engine, "before_cursor_execute", note)


# ------------------------------------------------------------------ numbers and the lists behind


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A quarter of a year of a brand, with another brand beside it."""
    world = make_world(tmp_path_factory.mktemp("busy"))
    now = world.clock()
    fresh = [
        Seeded(number=100_000 + n, started_at=now - minutes(n * 13), state=ItemState.NEW)
        for n in range(40)
    ]
    seed(world, *a_quarter(now, scale=0.2), *fresh)
    seed(world, *[Seeded(number=n, started_at=now, brand="zen") for n in range(50)])
    yield world
    world.sessions.kw["bind"].dispose()


def links(answer: TestResponse) -> list[tuple[str, int]]:
    """Each number on the page that is a link to a list: the address and the number."""
    found = []
    for anchor in parsed(answer).css('main a[href^="/items?"]'):
        label = anchor.attributes.get("aria-label")
        text = label_count(label) if label else anchor.text()
        found.append((anchor.attributes["href"] or "", whole_number(text)))
    return found


def label_count(label: str) -> str:
    found = re.search(r"([\d,]+) answered", label)
    assert found, label
    return found[1]


@pytest.mark.parametrize("days", [7, 90])
def test_every_number_opens_a_list_that_counts_the_same(busy: World, days: int) -> None:
    mia = busy.browser("mia")
    answer = mia.get(f"/board?days={days}")
    found = dict.fromkeys(links(answer))
    assert len(found) > days  # days, tiles, bars, tables
    for address, number in found:
        count = parsed(mia.get(address)).css_first("#count")
        assert count is not None, address
        assert whole_number(count.text()) == number, address


def listed(world: World, address: str) -> int:
    """How many rows the list really has, page after page."""
    mia, total = world.browser("mia"), 0
    while address:
        page = parsed(mia.get(address))
        total += len(page.css("ul.rows > li"))
        older = page.css_first(".more a")
        address = (older.attributes["href"] or "") if older else ""
    return total


def test_the_lists_really_have_as_many_rows_as_the_numbers_say(busy: World) -> None:
    answer = busy.browser("mia").get("/board?days=7")
    wanted = [pair for pair in dict.fromkeys(links(answer)) if 0 < pair[1] <= 300]
    assert len(wanted) > 10
    for address, number in wanted:
        assert listed(busy, address) == number, address


def test_the_board_reads_roll_ups_and_no_mention_event_or_row_of_items(busy: World) -> None:
    mia = busy.browser("mia")
    with statements(busy.sessions.kw["bind"]) as said:
        assert mia.get("/board?days=90").status_code == 200
    asked = [statement for statement in said if "FROM" in statement]
    tables = [set(re.findall(r"(?:FROM|JOIN) \(?(?:SELECT .*FROM )?(\w+)", s)) for s in asked]
    assert {"response", "backlog"} <= set().union(*tables)
    assert not {"mention", "event", "mention_revision"} & set().union(*tables)
    # The two counts that depend on the time of day stay within the index, and are bounded.
    of_items = [s for s in asked if re.search(r"\bitem\b", s)]
    assert len(of_items) == 2
    assert all("LIMIT" in s and "due_at" in s for s in of_items)


def test_over_due_items_are_counted_within_the_index(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    seed(world, Seeded(number=1, started_at=NOON - minutes(90)))
    plans: list[str] = []

    def count(session: Session) -> int:
        with statements(world.sessions.kw["bind"]) as said:
            n = due.count(session, "acme", Level.OVERDUE, NOON).n
        assert n == 1
        states = [*sorted(OPEN)]
        statement = said[-1]
        rows = session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}",
            ("acme", *states, 2_000_000_000_000_000, due.COUNT_LIMIT + 1, 0),
        )
        plans.extend(row[-1] for row in rows)
        return n

    world.read(count)
    assert any("COVERING INDEX ix_item_brand_state_due_at" in plan for plan in plans), plans
    world.sessions.kw["bind"].dispose()


def test_the_board_of_a_brand_shows_nothing_of_another(busy: World) -> None:
    tile = parsed(busy.browser("charlie").get("/board")).css_first("#tiles")
    assert tile is not None
    assert "50" in tile.text()
    assert "0 answered" in tile.text()


def test_only_who_may_see_the_board_sees_it(busy: World) -> None:
    assert busy.browser("alice").get("/board").status_code == 403
    assert busy.browser("bob").get("/board/tiles").status_code == 403
    assert busy.browser("ada").get("/board/tiles").status_code == 200


@pytest.mark.parametrize("days", ["", "0", "28 ", "9999999", "-7", "x' or 1=1"])
def test_a_period_that_is_not_offered_is_the_usual_one(world: World, days: str) -> None:
    page = parsed(world.browser("mia").get("/board?days=" + days))
    current = page.css_first(".periods a[aria-current]")
    assert current is not None
    assert current.attributes["href"] == "/board?days=28"


def tile(answer: TestResponse, title: str) -> LexborNode:
    for found in parsed(answer).css(".tile"):
        heading = found.css_first("h2")
        if heading and heading.text() == title:
            return found
    raise AssertionError(f"no tile {title!r}")


def words(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())


def test_percentiles_are_those_of_the_times_and_stand_together_with_their_number(
    world: World,
) -> None:
    seed(
        world,
        *[Seeded(number=n, started_at=NOON - minutes(600), took=minutes(n)) for n in range(1, 101)],
    )
    text = words(tile(world.browser("mia").get("/board"), "First response"))
    assert "median 50 min 90th percentile 1 h 30 min" in text
    assert "100 answered , 0 waiting" in text
    assert "≥" not in text


def test_too_few_items_have_no_percentile_but_their_times(world: World) -> None:
    seed(
        world,
        *[Seeded(number=n, started_at=NOON - minutes(600), took=minutes(5 * n)) for n in (1, 2, 9)],
    )
    text = words(tile(world.browser("mia").get("/board"), "First response"))
    assert text.count("too few") == 2
    assert "Answered in: 5 min, 10 min, 45 min" in text


def test_what_still_waits_is_counted_in_and_makes_a_lower_bound(world: World) -> None:
    quick = [Seeded(number=n, started_at=NOON - minutes(600), took=minutes(5)) for n in range(30)]
    slow = [Seeded(number=100 + n, started_at=NOON - minutes(500)) for n in range(30)]
    seed(world, *quick, *slow)
    text = words(tile(world.browser("mia").get("/board"), "First response"))
    assert "30 answered , 30 waiting" in text
    assert re.search(r"median 5 min 90th percentile ≥ at least 8 h \d\d min", text), text


def test_a_promise_is_kept_at_its_due_time_and_broken_after(world: World) -> None:
    seed(
        world,
        Seeded(number=1, started_at=NOON - minutes(600), took=minutes(60)),
        Seeded(number=2, started_at=NOON - minutes(600), took=minutes(61)),
        Seeded(number=3, started_at=NOON - minutes(600), took=minutes(900), promised=None),
    )
    text = words(tile(world.browser("mia").get("/board"), "Within target"))
    assert text == "Within target 66.7 % 2 within target of 3"


def test_open_over_due_and_at_risk_follow_the_clock(world: World) -> None:
    seed(world, Seeded(number=1, started_at=NOON, promised=minutes(100)))
    mia = world.browser("mia")
    assert words(tile(mia.get("/board/tiles"), "Open now")) == "Open now 1 0 overdue 0 at risk"
    world.clock.advance(minutes=80.1)
    assert words(tile(mia.get("/board/tiles"), "Open now")) == "Open now 1 0 overdue 1 at risk"
    world.clock.advance(minutes=20)
    assert words(tile(mia.get("/board/tiles"), "Open now")) == "Open now 1 1 overdue 0 at risk"
    assert "1 h 40 min" in words(tile(mia.get("/board/tiles"), "Oldest unanswered"))


def test_an_empty_brand_has_a_board_in_words(world: World) -> None:
    answer = world.browser("mia").get("/board")
    text = words(parsed(answer).css_first("main"))  # type: ignore[arg-type]  # there is one
    assert "No answered items in this period." in text
    assert "Oldest unanswered none" in text
    assert "none answered" in text
    assert "What the numbers mean" in text


def test_outside_names_are_escaped(world: World) -> None:
    evil = '<script>alert(1)</script>"'
    seed(world, Seeded(number=1, started_at=NOON, took=minutes(1), topic=evil, team=evil))
    answer = world.browser("mia").get("/board")
    assert "<script>alert" not in answer.text
    assert "%3Cscript%3E" in answer.text


def test_no_element_has_a_style_attribute_which_the_policy_forbids(busy: World) -> None:
    page = LexborHTMLParser(busy.browser("mia").get("/board").text)
    assert page.css("[style]") == []
    assert page.css("[onclick]") == []


# ------------------------------------------------------------------ laws


durations = st.lists(st.floats(1, 10**6), min_size=FEWEST, max_size=200)


@given(durations, st.sampled_from([0.5, 0.9]))
def test_a_percentile_is_within_one_per_cent_of_the_nearest_rank(
    seconds: list[float], q: float
) -> None:
    histogram: dict[int, int] = {}
    for value in seconds:
        histogram[bucket(value)] = histogram.get(bucket(value), 0) + 1
    found = Times(answered=histogram).quantile(q)
    oracle = sorted(seconds)[math.ceil(q * len(seconds)) - 1]
    assert found is not None
    assert not found.at_least
    assert found.seconds == pytest.approx(oracle, rel=RELATIVE_ERROR * 1.01)


def test_the_median_agrees_with_the_standard_library() -> None:
    seconds = [float(n) for n in range(60, 60 + 101)]
    histogram = {bucket(value): 0 for value in seconds}
    for value in seconds:
        histogram[bucket(value)] += 1
    found = Times(answered=histogram).p50
    assert found is not None
    assert found.seconds == pytest.approx(statistics.median(seconds), rel=RELATIVE_ERROR * 1.01)


slot_counts = st.dictionaries(st.integers(-5, 3_000), st.integers(1, 9), max_size=60)


@given(slot_counts, st.integers(0, SLOT_S - 1))
def test_age_bars_cover_every_open_item_exactly_once(back: dict[int, int], offset: int) -> None:
    now = NOON + timedelta(seconds=offset)
    slots = {slot_of(now) - n: count for n, count in back.items()}
    bars = open_by_age(slots, now)
    assert sum(bar.n for bar in bars) == sum(slots.values())
    assert bars[0].end is None
    assert bars[-1].first is None
    assert [bar.first for bar in bars[:-1]] == [bar.end for bar in bars[1:]]


@given(st.integers(0, 86_400 * 5), st.integers(0, SLOT_S - 1))
def test_an_item_stands_in_the_bar_of_its_age_within_one_slot(age: int, offset: int) -> None:
    now = NOON + timedelta(seconds=offset)
    started = now - timedelta(seconds=age)
    (bar,) = [bar for bar in open_by_age({slot_of(started): 1}, now) if bar.n]
    assert bar.from_s - SLOT_S <= age
    assert bar.to_s is None or age < bar.to_s + SLOT_S


@given(slot_counts)
def test_days_take_in_all_that_waits_and_began_within_them(back: dict[int, int]) -> None:
    slots = {slot_of(NOON) - n: count for n, count in back.items()}
    period = Period.of(7, NOON)
    days = by_day({}, slots, period, NOON)
    first, end = first_slot(period.first), first_slot(period.last) + SLOTS_A_DAY
    inside = sum(n for slot, n in slots.items() if first <= slot < end)
    assert sum(times.n_waiting for times in days.values()) == inside
    assert all(period.first <= day_of(slot) <= period.last for slot in range(first, end, 97))


@given(st.integers(0, 10**7), st.integers(0, SLOT_S - 1))
def test_an_age_that_is_counted_in_is_never_above_the_true_one(age: int, offset: int) -> None:
    now = NOON + timedelta(seconds=offset)
    started = now - timedelta(seconds=age)
    ((number, n),) = ages({slot_of(started): 1}, now).items()
    assert n == 1
    assert number <= bucket(age)


@given(
    st.integers(60, 10 * 86_400),
    st.integers(-3 * 86_400, 3 * 86_400),
    st.integers(0, 999_999),
)
@settings(deadline=None, max_examples=60)
def test_sql_and_the_badge_agree_on_who_is_at_risk(
    target_s: int, left_s: int, microseconds: int
) -> None:
    due_at = NOON + timedelta(seconds=left_s, microseconds=microseconds)
    promised = timedelta(seconds=target_s)
    item = Seeded(number=1, started_at=due_at - promised, promised=promised)
    found = badge(due_at, target_s, NOON)
    assert found is not None
    with memory() as session:
        put(session, [item])
        for level in (Level.OVERDUE, Level.RISK):
            assert due.count(session, "acme", level, NOON).n == int(found.level is level)


@contextmanager
def memory() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Table.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.mark.services
def test_at_risk_is_the_same_on_postgresql(database_url: str) -> None:
    engine = db.connect(database_url)
    Table.metadata.create_all(engine)
    with db.open_sessions(engine).begin() as session:
        put(session, _around_the_edges(NOON))
        expected = dict.fromkeys((Level.OVERDUE, Level.RISK), 0)
        for item in _around_the_edges(NOON):
            assert item.promised is not None
            found = badge(item.due_at, int(item.promised.total_seconds()), NOON)
            if found and found.level in expected:
                expected[found.level] += 1
        for level, n in expected.items():
            assert n > 0
            assert due.count(session, "acme", level, NOON).n == n
    engine.dispose()


def _around_the_edges(now: datetime) -> Iterator[Seeded]:
    number = 0
    for target in (10, 75, 76, 600, 6_000):
        for left in (-1, 0, 1, 899, 900, 901, target * 12 - 1, target * 12, target * 12 + 1):
            number += 1
            promised = minutes(target)
            started = now + timedelta(seconds=left) - promised
            yield Seeded(number=number, started_at=started, promised=promised)


# ------------------------------------------------------------------ drawing


values = st.one_of(st.none(), st.floats(0, 10**7))


@given(st.integers(1, 90).flatmap(lambda n: st.lists(values, min_size=n, max_size=n)), values)
def test_every_point_lies_inside_the_drawing(line: list[float | None], goal: float | None) -> None:
    chart = charts.line_chart([line, line], goal, group=7 if len(line) > 45 else 1)
    dots = [dot for pieces in chart.lines for piece in pieces for dot in piece]
    assert len(dots) == 2 * sum(value is not None for value in line)
    for dot in dots:
        assert charts.LEFT <= dot.x <= charts.LEFT + charts.WIDTH
        assert charts.TOP <= dot.y <= charts.TOP + charts.HEIGHT
    assert chart.goal_y is None or charts.TOP <= chart.goal_y <= charts.TOP + charts.HEIGHT
    covered = [n for c in chart.columns for n in range(c.first, c.last + 1)]
    assert covered == list(range(len(line)))


def test_a_line_breaks_where_there_is_no_value() -> None:
    chart = charts.line_chart([[60, None, 120, 180]])
    assert [len(piece) for piece in chart.lines[0]] == [1, 2]


@given(st.lists(st.integers(0, 10**6), max_size=8))
def test_bars_are_as_long_as_their_counts_and_any_can_be_seen(counts: list[int]) -> None:
    widths = charts.bar_widths(counts)
    assert all((width > 0) == (n > 0) for n, width in zip(counts, widths, strict=True))
    assert all(width <= charts.BAR_WIDTH for width in widths)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 min"),
        (20, "under 1 min"),
        (14 * 60, "14 min"),
        (3_600, "1 h"),
        (7_500, "2 h 05 min"),
        (86_400, "24 h"),
        (3 * 86_400 + 4 * 3_600, "3 d 4 h"),
        (3 * 86_400, "3 d"),
    ],
)
def test_spans_in_words(world: World, seconds: float, text: str) -> None:
    with world.app.test_request_context():
        assert duration(seconds) == text
