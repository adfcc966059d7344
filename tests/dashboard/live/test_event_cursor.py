"""A reader of the event table misses nothing and reads nothing twice, whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.live.event_cursor import WRITTEN_HOLES, EventCursor, parse

numbers = st.lists(st.integers(1, 60), unique=True, min_size=1)


@given(numbers, st.data())
def test_a_position_has_exactly_what_was_seen(seen: list[int], data: st.DataObject) -> None:
    position = EventCursor(0)
    rest = list(seen)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        position = position.after(rest[:size])
        rest = rest[size:]
    assert position.high == max(seen)
    assert {seq for seq in range(1, 62) if position.has(seq)} == set(seen)


@given(numbers)
def test_holes_are_ascending_and_apart(seen: list[int]) -> None:
    edges = [edge for hole in EventCursor(0).after(seen).holes for edge in hole]
    assert edges == sorted(edges)
    lasts, firsts = edges[1:-1:2], edges[2::2]
    assert all(first - last > 1 for last, first in zip(lasts, firsts, strict=True))


@given(numbers)
def test_the_order_in_which_numbers_are_seen_does_not_matter(seen: list[int]) -> None:
    at_once = EventCursor(0).after(seen)
    one_by_one = EventCursor(0)
    for seq in seen:
        one_by_one = one_by_one.after([seq])
    assert one_by_one == at_once


@given(numbers, st.integers(0, 70))
def test_giving_up_forgets_only_the_missing_up_to_there(seen: list[int], edge: int) -> None:
    before = EventCursor(0).after(seen)
    after = before.giving_up(edge)
    for seq in range(1, before.high + 1):
        assert after.has(seq) == (before.has(seq) or seq <= edge)


@given(st.sets(st.integers(1, 400), min_size=1))
def test_a_written_position_never_claims_more_than_was_seen(seen: set[int]) -> None:
    position = EventCursor(0).after(seen)
    read = parse(str(position))
    assert read is not None
    assert all(position.has(seq) for seq in range(1, 402) if read.has(seq))
    if len(position.holes) <= WRITTEN_HOLES:
        assert read == position


@given(st.text(alphabet="0123456789~-, x", max_size=30))
def test_whatever_a_browser_sends_is_a_position_or_nothing(text: str) -> None:
    read = parse(text)
    assert read is None or parse(str(read)) == read


def test_a_position_of_a_browser_is_bounded() -> None:
    assert parse("9" * 40) is None
    assert parse("5~9-7") is None
    assert parse("\u0663") is None
    assert parse("0~" + ",".join(f"{n}-{n}" for n in range(1, 200, 2))) is None
