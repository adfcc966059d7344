"""The pure rules of the desk: filters, deadlines, snoozing, limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.frame.deadlines import Level, badge, duration
from dashboard.lists.filters import FIELDS, IS, Filter, Terms, parse
from dashboard.lists.item_pages import Key
from dashboard.triage.snooze import NoSuchTime, Until, until
from tests.builders import NOON

MADRID = ZoneInfo("Europe/Madrid")


def test_a_filter_reads_fields_signs_words_and_what_must_not_be_there() -> None:
    text = 'topic:billing sentiment:neg channel:Reddit is:unsure "card fails" pay -refund'
    assert parse(text) == Filter(
        wanted=Terms(
            topic=("billing",),
            sentiment=("negative",),
            channel=("reddit",),
            signs=frozenset({"unsure"}),
            words=("card fails", "pay"),
        ),
        unwanted=Terms(words=("refund",)),
    )


def test_a_minus_before_any_field_or_sign_excludes() -> None:
    text = '-topic:billing -Sentiment:NEG -is:VIP -team:"second line" -"card fails"'
    assert parse(text) == Filter(
        unwanted=Terms(
            topic=("billing",),
            sentiment=("negative",),
            team=("second line",),
            signs=frozenset({"vip"}),
            words=("card fails",),
        )
    )


@pytest.mark.parametrize(
    "text",
    ["foo:bar", "-foo:bar", "reach:", "reach:>1000", "Author:ana", 'sla:"at risk"', "тема:x"],
)
def test_an_unknown_field_is_an_error_that_names_it_the_known_ones_and_a_remedy(text: str) -> None:
    found = parse(text)
    (problem,) = found.problems
    assert text.removeprefix("-").partition(":")[0] + ":" in problem
    assert all(name in problem for name in (*FIELDS, "is"))
    assert "quotes" in problem
    assert (found.wanted, found.unwanted) == (Terms(), Terms())


@pytest.mark.parametrize("text", ["topic:", "-topic:", "is:", 'lang:""', "topic: billing"])
def test_a_field_without_a_value_is_an_error_that_names_it(text: str) -> None:
    (problem,) = parse(text).problems
    assert text.removeprefix("-").partition(":")[0] + ":" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://example.org/a:b", ["https://example.org/a:b"]),
        ("10:30", ["10:30"]),
        ('"foo:bar"', ["foo:bar"]),
        ('"topic:billing"', ["topic:billing"]),
        ("r/acme:shop :) @ana:example.org", ["r/acme:shop", ":)", "@ana:example.org"]),
    ],
)
def test_a_colon_in_quotes_in_an_address_or_in_a_time_makes_no_field(
    text: str, words: list[str]
) -> None:
    assert parse(text) == Filter(wanted=Terms(words=tuple(words)))


def test_a_filter_that_can_not_be_read_says_what_it_knows() -> None:
    (problem,) = parse("is:purple").problems
    assert all(sign in problem for sign in IS)
    assert parse("sentiment:n").problems
    assert parse("-sentiment:n").problems
    assert "200" in parse("x" * 201).problems[0]
    assert "8" in parse("a b c d -e -f -g -h -i").problems[0]


@given(st.text(max_size=400))
def test_no_text_is_too_strange_for_a_filter(text: str) -> None:
    found = parse(text)
    assert len(found.wanted.words) <= 8
    assert len(found.unwanted.words) <= 8


@given(st.sampled_from((*FIELDS, "is")), st.sampled_from(["vip", "negative", "a b", "ÄRGER"]))
def test_a_filter_reads_the_same_in_any_case(name: str, value: str) -> None:
    texts = [f'{name}:"{value}"', f'{name.upper()}:"{value.upper()}"', f'{name}:"{value.lower()}"']
    lists = [(f.wanted, f.unwanted, bool(f.problems)) for f in map(parse, texts)]
    assert lists[0] == lists[1] == lists[2]


@pytest.mark.parametrize(
    ("minutes", "target_min", "level"),
    [
        (-0.1, 60, Level.OVERDUE),
        (14, 60, Level.RISK),
        (16, 60, Level.LATER),
        (100, 600, Level.RISK),
        (121, 600, Level.LATER),
    ],
)
def test_at_risk_is_less_than_a_fifth_of_the_target_or_a_quarter_of_an_hour(
    minutes: float, target_min: int, level: Level
) -> None:
    found = badge(NOON + timedelta(minutes=minutes), target_min * 60, NOON)
    assert found is not None
    assert found.level is level


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-252, "4:12"), (599, "9:59"), (720, "12 min"), (7500, "2 h 05"), (273_600, "3 d 4 h")],
)
def test_a_span_is_as_exact_as_it_is_near(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_no_deadline_has_no_badge() -> None:
    assert badge(None, 3600, NOON) is None


@pytest.mark.parametrize(
    ("choice", "on", "back"),
    [
        ("hour", "", "2026-03-27T13:00+00:00"),
        ("tonight", "", "2026-03-27T17:00+00:00"),
        ("tomorrow", "", "2026-03-28T08:00+00:00"),
        ("monday", "", "2026-03-30T07:00+00:00"),  # summer time began on Sunday
        ("date", "2026-04-01", "2026-04-01T07:00+00:00"),
    ],
)
def test_an_item_comes_back_by_the_person_s_wall_clock(choice: str, on: str, back: str) -> None:
    friday = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert until(choice, on, friday, MADRID) == datetime.fromisoformat(back)


@given(
    st.sampled_from([choice for choice in Until if choice != Until.DATE]),
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- Hypothesis adds the zone
)
def test_a_snoozed_item_comes_back_later_but_within_eight_days(
    choice: Until, now: datetime
) -> None:
    assert now < until(choice, "", now, MADRID) <= now + timedelta(days=8)


@pytest.mark.parametrize(
    ("choice", "on"),
    [("date", "2026-03-01"), ("date", "2028-01-01"), ("date", "soon"), ("never", "")],
)
def test_a_time_that_is_past_far_off_or_unknown_is_refused(choice: str, on: str) -> None:
    with pytest.raises(NoSuchTime):
        until(choice, on, NOON, MADRID)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 2**63 - 1))
def test_a_place_in_a_list_survives_its_address(moment: datetime, number: int) -> None:
    key = Key(moment, number)
    assert Key.parse(str(key)) == key


@given(st.text())
def test_no_text_is_too_strange_for_a_place_in_a_list(text: str) -> None:
    Key.parse(text)
