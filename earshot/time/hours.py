"""The one time engine for business hours: deadlines, reports and exports count with it. Pure.

A calendar is weekly opening hours on the wall clock of a zone, less holidays, with the
schedule that was in force on each day. A wall time that the clocks skip in spring means the
moment of the jump; one that occurs twice in autumn means its first occurrence. So the way
from wall time to UTC never runs backwards, and open intervals never overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from earshot.domain import aware
from earshot.time.holiday_dates import public_holidays

DAY_MINUTES = 24 * 60
HORIZON_DAYS = 3660
"""How far a deadline is sought: ten years. Beyond it a calendar is as good as closed."""
PROMISE_DAYS = HORIZON_DAYS // 2
"""The farthest that a promise may fall due, so that one is found whenever its clock starts."""
_ANY_START = datetime(2026, 1, 1, tzinfo=UTC)

_ZERO = timedelta()
_ONE_DAY = timedelta(days=1)

Minutes = tuple[int, int]
"""From, to: minutes after midnight on the wall clock, 0..1440."""

Interval = tuple[datetime, datetime]
"""From, to (excluded), in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Opening hours in force from the local day `valid_from` on, until the next schedule.

    `week` has seven entries, Monday first. On `closed` days and on the public holidays of
    `holidays` (codes as in `earshot.time.holiday_dates`) nothing is open.
    """

    week: tuple[tuple[Minutes, ...], ...]
    valid_from: date = date.min
    closed: frozenset[date] = frozenset()
    holidays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.week) != 7:  # noqa: PLR2004 -- days of a week
            raise ValueError(f"a week has seven days, got {len(self.week)}")
        if not any(self.week):
            raise ValueError("a schedule must be open at some time of the week")
        for day in self.week:
            end = 0
            for begin, until in day:
                if not end <= begin < until <= DAY_MINUTES:
                    raise ValueError(
                        "opening hours must lie within 00:00-24:00, in order and without overlap"
                    )
                end = until

    def minutes(self, day: date) -> tuple[Minutes, ...]:
        """The opening hours of a local day."""
        hours = self.week[day.weekday()]
        if not hours or day in self.closed:
            return ()
        for code in self.holidays:
            if day in public_holidays(code, day.year):
                return ()
        return hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Named business hours: `schedules` on the wall clock of `zone` (an IANA name).

    Before the first schedule's `valid_from` that first one counts.
    """

    name: str
    zone: str
    schedules: tuple[Schedule, ...]
    always: bool = field(init=False, repr=False, compare=False, default=False)
    _tz: ZoneInfo = field(init=False, repr=False, compare=False)
    _days: dict[date, tuple[Interval, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _weeks: dict[int, tuple[Interval, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        if not self.schedules:
            raise ValueError(f"calendar {self.name!r} has no schedule")
        in_order = sorted(self.schedules, key=lambda schedule: schedule.valid_from)
        object.__setattr__(self, "schedules", tuple(in_order))
        object.__setattr__(self, "_tz", ZoneInfo(self.zone))
        object.__setattr__(self, "always", all(map(_never_closed, in_order)))

    def in_force(self, day: date) -> Schedule:
        """The schedule that counts on a local day."""
        found = self.schedules[0]
        for schedule in self.schedules[1:]:
            if schedule.valid_from > day:
                break
            found = schedule
        return found

    def open_on(self, day: date) -> tuple[Interval, ...]:
        """The open intervals of a local day in UTC, in order."""
        known = self._days.get(day)
        if known is None:
            walls = ((_at(day, a), _at(day, b)) for a, b in self.in_force(day).minutes(day))
            spans = ((_utc(a, self._tz), _utc(b, self._tz)) for a, b in walls)
            known = self._days[day] = tuple(span for span in spans if span[0] < span[1])
        return known

    def open_around(self, start: datetime) -> tuple[Interval, ...]:
        """The open intervals of the eleven local days around `start`, in UTC and in order.

        `start` is in UTC. Nearly every promise ends within them.
        """
        number = start.toordinal()
        known = self._weeks.get(number)
        if known is None:
            # A local date is at most a day off, and one day earlier it may still be open.
            days = (start.date() + timedelta(days=off) for off in range(-2, 9))
            known = tuple(span for day in days for span in self.open_on(day))
            self._weeks[number] = known
        return known

    def open_from(self, start: datetime) -> Iterator[Interval]:
        """The open intervals that end after `start`, in order, for the next ten years."""
        # A day early: where clocks go back over midnight, yesterday's date comes twice.
        day = start.astimezone(self._tz).date() - _ONE_DAY
        for _ in range(HORIZON_DAYS):
            for span in self.open_on(day):
                if span[1] > start:
                    yield span
            day += _ONE_DAY


def add(calendar: Calendar, start: datetime, duration: timedelta) -> datetime:
    """When `duration` of open time has passed since `start`, in UTC; never before `start`.

    The earliest such moment: a promise that fills the day to its last minute is due at
    closing time, not at the next opening. Raises ValueError for a naive start, a negative
    duration, and a calendar that has not that much open time in ten years.
    """
    # Python subtracts two times of one zone by their wall clocks: only UTC is safe to count in.
    if start.tzinfo is not UTC:
        aware(start, "start")
        start = start.astimezone(UTC)
    if duration < _ZERO:
        raise ValueError(f"a duration must not be negative, got {duration}")
    if calendar.always or not duration:
        return start + duration
    left = duration
    for begin, end in calendar.open_around(start):
        if end <= start:
            continue
        begin = max(begin, start)  # noqa: PLW2901 -- the part of the interval that counts
        if end - begin >= left:
            return begin + left
        left -= end - begin
    return _much_later(calendar, start, duration)


def fits(calendar: Calendar, duration: timedelta) -> bool:
    """Whether `duration` of open time is over within `PROMISE_DAYS`, whenever it starts.

    Each of the calendar's schedules is asked as if it were in force for ever.
    """
    for schedule in calendar.schedules:
        alone = Calendar(name=calendar.name, zone=calendar.zone, schedules=(schedule,))
        try:
            due = add(alone, _ANY_START, duration)
        except (ValueError, OverflowError):
            return False
        if due - _ANY_START > timedelta(days=PROMISE_DAYS):
            return False
    return True


def _much_later(calendar: Calendar, start: datetime, duration: timedelta) -> datetime:
    left = duration
    for begin, end in calendar.open_from(start):
        begin = max(begin, start)  # noqa: PLW2901 -- the part of the interval that counts
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise ValueError(
        f"calendar {calendar.name!r} has no {duration} of open time within ten years of "
        f"{start.isoformat()}; check its hours and holidays"
    )


def elapsed(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """How much open time lies between `start` and `end`; negative when `end` is earlier.

    Raises ValueError for naive times.
    """
    aware(start, "start")
    aware(end, "end")
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if end < start:
        return -elapsed(calendar, end, start)
    if calendar.always:
        return end - start
    total = _ZERO
    last = end.astimezone(calendar._tz).date() + _ONE_DAY  # noqa: SLF001 -- this module's own
    day = start.astimezone(calendar._tz).date() - _ONE_DAY  # noqa: SLF001 -- this module's own
    while day <= last:
        for begin, until in calendar.open_on(day):
            if until > start and begin < end:
                total += min(until, end) - max(begin, start)
        day += _ONE_DAY
    return total


def _never_closed(schedule: Schedule) -> bool:
    whole = ((0, DAY_MINUTES),)
    return (
        all(day == whole for day in schedule.week) and not schedule.closed and not schedule.holidays
    )


def _at(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)


def _utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which the clocks of `zone` show `wall`, or jump over it."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # Skipped: the jump lies between the two readings of this wall time.
    low, high = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(zone).replace(tzinfo=None) >= wall:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)
