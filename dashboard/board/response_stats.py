"""The numbers of the board, from roll-ups alone: `response` and `backlog`, and no item.

Answered clocks are counted by the day on which they started (UTC), and what still waits is
counted in with its age until now: otherwise a day looks good while its slow half is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from earshot.database.tables import SLOT_S, BacklogRow, ClockRow, ResponseRow
from earshot.domain import ItemFlag
from earshot.items.histogram import bucket, merge, quantile_with_waiting, representative
from earshot.items.lifecycle import OPEN, slot_of

FEWEST = 20
"""Below so many items there is no percentile: one item would move it."""

FIRST = "first"
SLOTS_A_DAY = 86_400 // SLOT_S
_PROMISES = 200


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC, both ends in it; the last is today and not over yet."""

    first: date
    last: date

    @classmethod
    def of(cls, days: int, now: datetime) -> Period:
        """The last `days` days, today among them."""
        today = now.astimezone(UTC).date()
        return cls(today - timedelta(days=days - 1), today)

    @property
    def days(self) -> tuple[date, ...]:
        count = (self.last - self.first).days + 1
        return tuple(self.first + timedelta(days=n) for n in range(count))


@dataclass(frozen=True, slots=True)
class Quantile:
    """Seconds; `at_least` when some of what it was taken over still waits."""

    seconds: float
    at_least: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long answers took. `waiting` has present ages, as a histogram like `answered`."""

    answered: Mapping[int, int] = field(default_factory=dict)
    waiting: Mapping[int, int] = field(default_factory=dict)
    kept: int = 0

    @property
    def n_answered(self) -> int:
        return sum(self.answered.values())

    @property
    def n_waiting(self) -> int:
        return sum(self.waiting.values())

    @property
    def n(self) -> int:
        return self.n_answered + self.n_waiting

    @property
    def p50(self) -> Quantile | None:
        return self.quantile(0.5)

    @property
    def p90(self) -> Quantile | None:
        return self.quantile(0.9)

    def quantile(self, q: float) -> Quantile | None:
        """The quantile with the waiting counted in; None below `FEWEST` items."""
        found = quantile_with_waiting(self.answered, self.waiting, q)
        return Quantile(*found) if found and self.n >= FEWEST else None

    @property
    def kept_share(self) -> float | None:
        """The share of answered clocks whose promise was kept; None without any."""
        return self.kept / self.n_answered if self.n_answered else None

    @property
    def values(self) -> tuple[float, ...]:
        """Each answered time in seconds, ascending: what to show instead of a percentile."""
        return tuple(
            representative(number)
            for number, count in sorted(self.answered.items())
            for _ in range(count)
        )


@dataclass(frozen=True, slots=True)
class Backlog:
    """Open items by team and slot. `slots` adds the teams up."""

    cells: Mapping[tuple[str, int], int]

    @property
    def slots(self) -> Counter[int]:
        found: Counter[int] = Counter()
        for (_, slot), n in self.cells.items():
            found[slot] += n
        return found

    @property
    def total(self) -> int:
        return sum(self.cells.values())

    def of_team(self, team: str) -> int:
        return sum(n for (whose, _), n in self.cells.items() if whose == team)


def backlog(session: Session, brand: str) -> Backlog:
    """What is open now and was promised an answer: history has an age, and nobody's delay."""
    rows = session.execute(
        select(BacklogRow.team, BacklogRow.slot, func.sum(BacklogRow.n))
        .where(
            BacklogRow.brand == brand,
            BacklogRow.state.in_(sorted(OPEN)),
            BacklogRow.flags.op("&")(ItemFlag.HISTORY) == 0,
        )
        .group_by(BacklogRow.team, BacklogRow.slot)
    )
    return Backlog({(team, slot): int(n) for team, slot, n in rows if n})


def answered_by(
    session: Session, brand: str, period: Period, column: InstrumentedAttribute[str]
) -> dict[str, Times]:
    """First responses to what arrived in the period, by a column of `response`."""
    rows = session.execute(
        select(column, ResponseRow.bucket, ResponseRow.met, func.sum(ResponseRow.n))
        .where(
            ResponseRow.brand == brand,
            ResponseRow.day.between(period.first.isoformat(), period.last.isoformat()),
            ResponseRow.metric == FIRST,
        )
        .group_by(column, ResponseRow.bucket, ResponseRow.met)
    )
    histograms: dict[str, Counter[int]] = {}
    kept: Counter[str] = Counter()
    for value, number, met, n in rows:
        histograms.setdefault(value, Counter())[number] += int(n)
        kept[value] += int(n) if met else 0
    return {
        value: Times(answered=histogram, kept=kept[value])
        for value, histogram in histograms.items()
    }


def usual_promise(session: Session, brand: str, period: Period) -> float | None:
    """The median promise, in calendar seconds, of the last clocks closed in the period.

    It is read from at most 200 lines of `clock`; None when none had a due time.
    """
    rows = session.execute(
        select(ClockRow.started_at, ClockRow.due_at)
        .where(
            ClockRow.brand == brand,
            ClockRow.metric == FIRST,
            ClockRow.day >= period.first.isoformat(),
            ClockRow.due_at.is_not(None),
        )
        .order_by(ClockRow.day.desc(), ClockRow.id.desc())
        .limit(_PROMISES)
    )
    targets_s = sorted((row.due_at - row.started_at).total_seconds() for row in rows)
    return targets_s[len(targets_s) // 2] if targets_s else None


def ages(slots: Mapping[int, int], now: datetime) -> dict[int, int]:
    """A histogram of present ages. An item counts as young as its slot allows."""
    here = now.timestamp()
    found: dict[int, int] = {}
    for slot, n in slots.items():
        number = bucket(here - (slot + 1) * SLOT_S)
        found[number] = found.get(number, 0) + n
    return found


def day_of(slot: int) -> date:
    """The day in UTC in which a slot lies: 300 seconds divide a day evenly."""
    return datetime.fromtimestamp(slot * SLOT_S, UTC).date()


def first_slot(day: date) -> int:
    """The slot that begins with the day."""
    return slot_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


def by_day(
    answered: Mapping[str, Times], slots: Mapping[int, int], period: Period, now: datetime
) -> dict[date, Times]:
    """Every day of the period, with what arrived on it and still waits."""
    waiting: dict[date, dict[int, int]] = {day: {} for day in period.days}
    for slot, n in slots.items():
        if (day := day_of(slot)) in waiting:
            waiting[day][slot] = n
    found = {}
    for day in period.days:
        done = answered.get(day.isoformat(), Times())
        found[day] = Times(answered=done.answered, waiting=ages(waiting[day], now), kept=done.kept)
    return found


def together(times: Iterable[Times]) -> Times:
    """All of them as one: histograms add up."""
    all_of_them = list(times)
    return Times(
        answered=merge(*(one.answered for one in all_of_them)),
        waiting=merge(*(one.waiting for one in all_of_them)),
        kept=sum(one.kept for one in all_of_them),
    )


@dataclass(frozen=True, slots=True)
class AgeBar:
    """Open items with an age in [`from_s`, `to_s`), cut where slots begin.

    The slots run from `first` up to but without `end`; None is open.
    """

    from_s: int
    to_s: int | None
    first: int | None
    end: int | None
    n: int


AGE_EDGES_S = (0, 15 * 60, 3_600, 4 * 3_600, 24 * 3_600, 3 * 86_400)


def open_by_age(slots: Mapping[int, int], now: datetime) -> list[AgeBar]:
    """Open items by age. The edges are slots, so that a list behind a bar counts the same.

    An age is thus cut to five minutes: the youngest bar begins two to three slots ago.
    """
    here = slot_of(now)
    bars = []
    for index, from_s in enumerate(AGE_EDGES_S):
        to_s = AGE_EDGES_S[index + 1] if index + 1 < len(AGE_EDGES_S) else None
        first = here - to_s // SLOT_S + 1 if to_s is not None else None
        # What a platform dates in the future is young: the first bar has no end.
        end = here - from_s // SLOT_S + 1 if from_s else None
        n = sum(
            count
            for slot, count in slots.items()
            if (first is None or slot >= first) and (end is None or slot < end)
        )
        bars.append(AgeBar(from_s, to_s, first, end, n))
    return bars
