"""The time engine: laws that hold for every calendar, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.time.hours import Calendar, Schedule, add, elapsed

law = settings(deadline=None)  # the machine may be busy with others

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")
NIGHTS = ((0, 150), (165, 200), (1320, 1440))  # hours that the change of clocks cuts through


def a_week(*days: tuple[tuple[int, int], ...]) -> tuple[tuple[tuple[int, int], ...], ...]:
    return days + ((),) * (7 - len(days))


OFFICE = Calendar(
    name="office",
    zone="Europe/Madrid",
    schedules=(Schedule(week=(((480, 1200),),) * 5 + (((600, 840),), ()), holidays=("ES-MD",)),),
)
ALWAYS = Calendar(
    name="always", zone="Europe/Madrid", schedules=(Schedule(week=(((0, 1440),),) * 7),)
)


def madrid(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=MADRID)  # type: ignore[arg-type, misc]  # year, month, day …


@st.composite
def _days(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    cuts = sorted(draw(st.sets(st.integers(0, 1440), max_size=6)))
    return tuple((cuts[i], cuts[i + 1]) for i in range(0, len(cuts) - 1, 2))


def _open_minutes(week: tuple[tuple[tuple[int, int], ...], ...]) -> int:
    return sum(until - begin for day in week for begin, until in day)


_weeks = (
    st.lists(_days(), min_size=7, max_size=7)
    .map(tuple)
    .filter(lambda week: _open_minutes(week) > 300)  # so that a deadline is not years away
)
_dates = st.dates(date(2024, 1, 1), date(2027, 12, 31))
_schedules = st.builds(
    Schedule, week=_weeks, valid_from=_dates, closed=st.frozensets(_dates, max_size=3)
)
calendars = st.builds(
    Calendar,
    name=st.just("drawn"),
    # Lord Howe moves by half an hour, Havana at midnight, Apia skipped a whole day in 2011.
    zone=st.sampled_from(
        ["Europe/Madrid", "UTC", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia"]
    ),
    schedules=st.lists(_schedules, min_size=1, max_size=3).map(tuple),
)
moments = st.one_of(
    st.timedeltas(timedelta(), timedelta(days=1460)).map(lambda age: FIRST + age),
    # Around the changes of clocks, and the day that Samoa never had.
    st.sampled_from([(2025, 3, 30), (2025, 10, 26), (2026, 3, 8), (2011, 12, 30)]).flatmap(
        lambda day: st.timedeltas(timedelta(days=-2), timedelta(days=2)).map(
            lambda shift: datetime(*day, tzinfo=UTC) + shift
        )
    ),
)
shifts = st.timedeltas(timedelta(days=-9), timedelta(days=9))
durations = st.timedeltas(timedelta(), timedelta(hours=30))


@law
@given(calendars, moments, durations)
def test_as_much_open_time_has_passed_at_the_due_time_as_was_promised(
    calendar: Calendar, start: datetime, duration: timedelta
) -> None:
    assert elapsed(calendar, start, add(calendar, start, duration)) == duration


@law
@given(calendars, moments, durations)
def test_a_due_time_is_never_before_the_start_nor_sooner_than_on_a_clock_that_never_stops(
    calendar: Calendar, start: datetime, duration: timedelta
) -> None:
    assert add(calendar, start, duration) >= start + duration


@law
@given(calendars, moments, durations, durations)
def test_a_longer_promise_is_never_due_sooner(
    calendar: Calendar, start: datetime, one: timedelta, other: timedelta
) -> None:
    shorter, longer = sorted((one, other))
    assert add(calendar, start, shorter) <= add(calendar, start, longer)


@law
@given(calendars, moments, shifts, durations)
def test_what_was_published_later_is_never_due_sooner(
    calendar: Calendar, one: datetime, shift: timedelta, duration: timedelta
) -> None:
    earlier, later = sorted((one, one + shift))
    assert add(calendar, earlier, duration) <= add(calendar, later, duration)


@law
@given(calendars, moments, st.tuples(shifts, shifts))
def test_open_time_adds_up_over_any_split(
    calendar: Calendar, a: datetime, others: tuple[timedelta, timedelta]
) -> None:
    b, c = a + others[0], a + others[1]
    assert elapsed(calendar, a, b) + elapsed(calendar, b, c) == elapsed(calendar, a, c)


@law
@given(calendars, moments, durations)
def test_no_more_time_is_open_than_passes(
    calendar: Calendar, start: datetime, duration: timedelta
) -> None:
    assert timedelta() <= elapsed(calendar, start, start + duration) <= duration


@law
@given(moments, durations)
def test_a_calendar_that_never_closes_is_plain_time(start: datetime, duration: timedelta) -> None:
    whole = Schedule(week=(((0, 720), (720, 1440)),) * 7)  # open all day, but in two intervals
    by_intervals = Calendar(name="split", zone="Europe/Madrid", schedules=(whole,))
    assert ALWAYS.always
    assert not by_intervals.always
    assert add(ALWAYS, start, duration) == add(by_intervals, start, duration) == start + duration
    assert elapsed(by_intervals, start, start + duration) == duration


def test_two_hours_on_friday_evening_are_due_on_saturday() -> None:
    due = add(OFFICE, madrid(2026, 6, 12, 19, 30), timedelta(hours=2))
    assert due == madrid(2026, 6, 13, 11, 30)


def test_a_promise_that_fills_the_day_is_due_at_closing_time() -> None:
    assert add(OFFICE, madrid(2026, 6, 10, 18), timedelta(hours=2)) == madrid(2026, 6, 10, 20)


def test_public_holidays_of_the_region_are_closed() -> None:
    # 2 May is the day of the Community of Madrid (a Saturday in 2026), Sunday is closed.
    due = add(OFFICE, madrid(2026, 5, 1, 9), timedelta(hours=1))  # 1 May: closed all over Spain
    assert due == madrid(2026, 5, 4, 9)


def test_clocks_that_go_forward_take_an_hour_out_of_the_night() -> None:
    night = Calendar(name="night", zone="Europe/Madrid", schedules=(Schedule(week=(NIGHTS,) * 7),))
    # 29 March 2026: 02:00 becomes 03:00. 00:00-02:30 ends at the jump; 02:45-03:20 begins there.
    assert night.open_on(date(2026, 3, 29)) == (
        (madrid(2026, 3, 29, 0), madrid(2026, 3, 29, 3)),
        (madrid(2026, 3, 29, 3), madrid(2026, 3, 29, 3, 20)),
        (madrid(2026, 3, 29, 22), madrid(2026, 3, 30, 0)),
    )
    start = madrid(2026, 3, 28, 12)
    assert elapsed(night, start, start + timedelta(days=1)) == timedelta(hours=4, minutes=20)


def test_clocks_that_go_back_give_an_open_night_its_hour_twice() -> None:
    start = madrid(2026, 10, 24, 12)
    due = add(ALWAYS, start, timedelta(days=1))
    assert due == madrid(2026, 10, 25, 11)
    assert elapsed(ALWAYS, start, madrid(2026, 10, 25, 12)) == timedelta(hours=25)


def test_opening_hours_keep_their_wall_clock_over_a_change_of_clocks() -> None:
    before = add(OFFICE, madrid(2026, 3, 27, 21), timedelta(hours=1))
    after = add(OFFICE, madrid(2026, 3, 29, 21), timedelta(hours=1))
    assert (before, after) == (madrid(2026, 3, 28, 11), madrid(2026, 3, 30, 9))
    assert (before.astimezone(UTC).hour, after.astimezone(UTC).hour) == (10, 7)


def test_each_day_counts_by_the_schedule_in_force_on_it() -> None:
    summer = Schedule(week=(((480, 900),),) * 5 + ((), ()), valid_from=date(2026, 7, 1))
    winter = Schedule(week=(((480, 1200),),) * 5 + ((), ()))
    calendar = Calendar(name="office", zone="Europe/Madrid", schedules=(summer, winter))
    start, end = madrid(2026, 6, 30, 0), madrid(2026, 7, 2, 0)
    assert elapsed(calendar, start, end) == timedelta(hours=12 + 7)
    assert calendar.in_force(date(2020, 1, 1)) is winter


@pytest.mark.parametrize(
    ("week", "complaint"),
    [
        (((),) * 7, "open at some time"),
        (a_week(((480, 470),)), "in order"),
        (a_week(((480, 600), (590, 700))), "without overlap"),
        (a_week(((480, 1500),)), "within 00:00-24:00"),
        ((((480, 600),),) * 6, "seven days"),
    ],
)
def test_impossible_hours_are_refused(
    week: tuple[tuple[tuple[int, int], ...], ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Schedule(week=week)


def test_naive_times_and_negative_durations_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        add(ALWAYS, datetime(2026, 1, 1), timedelta())  # noqa: DTZ001 -- the point of the test
    with pytest.raises(ValueError, match="negative"):
        add(ALWAYS, madrid(2026, 1, 1), timedelta(seconds=-1))


def test_a_calendar_that_is_closed_for_good_is_an_error_and_not_an_endless_search() -> None:
    gone = frozenset(date(2026, 1, 1) + timedelta(days=7 * n) for n in range(-10, 600))
    closed = Schedule(week=a_week((), (), (), ((0, 60),)), closed=gone)  # 1 January: a Thursday
    calendar = Calendar(name="gone", zone="UTC", schedules=(closed,))
    with pytest.raises(ValueError, match=r"'gone' has no 1:00:00 of open time"):
        add(calendar, datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1))


@pytest.mark.parametrize("code", ["Spain", "ES-XX", "ZZ"])
def test_an_unknown_country_is_named(code: str) -> None:
    schedule = Schedule(week=(((0, 60),),) * 7, holidays=(code,))
    with pytest.raises(ValueError, match=code):
        schedule.minutes(date(2026, 1, 1))


def test_a_locale_means_its_country() -> None:
    schedule = Schedule(week=(((0, 60),),) * 7, holidays=("es-ES",))
    assert schedule.minutes(date(2026, 12, 25)) == ()
    assert schedule.minutes(date(2026, 12, 23)) == ((0, 60),)
