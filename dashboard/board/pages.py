"""The manager's board: how fast we answer, whether we keep our word, and what waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from babel.dates import format_date
from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session

from dashboard.accounts.permissions import Permission, needs
from dashboard.board import charts, durations
from dashboard.board.response_stats import (
    FEWEST,
    Backlog,
    Period,
    Times,
    answered_by,
    backlog,
    by_day,
    open_by_age,
    together,
    usual_promise,
)
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.deadlines import Level
from dashboard.frame.i18n import gettext as _
from dashboard.lists import due
from dashboard.lists.item_links import answered, open_items, waiting
from earshot.database.tables import ResponseRow
from earshot.items.lifecycle import slot_start

pages = Blueprint("board", __name__)

PERIODS = (7, 28, 90)
DEFAULT_DAYS = 28
_WEEKLY_FROM = 45
"""A chart of more days links by week: a day would be too narrow to hit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a table: a day, a topic or a team, with the list behind its numbers."""

    name: str
    times: Times
    answered: str
    kept: str
    waiting: str = ""
    n_open: int = 0
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """The tiles at the top, refreshed while the page is open."""

    times: Times
    answered: str
    kept: str
    waiting: str
    n_open: int
    open: str
    overdue: due.DueCount
    overdue_list: str
    risk: due.DueCount
    risk_list: str
    oldest: datetime | None
    n_oldest: int
    oldest_list: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What is read for the board, once per request."""

    period: Period
    now: datetime
    open: Backlog
    days: Mapping[date, Times]


@pages.get("/board")
@needs(Permission.SEE_BOARD)
def board() -> str:
    days = _days()
    now = app_context().clock()
    brand = viewer().brand
    with app_context().readers.begin() as reading:
        numbers = _numbers(reading, brand, days, now)
        tiles = _tiles(reading, brand, numbers)
        topics = answered_by(reading, brand, numbers.period, ResponseRow.topic)
        teams = answered_by(reading, brand, numbers.period, ResponseRow.team)
        goal = usual_promise(reading, brand, numbers.period)
    lines = [_day_line(day, times, numbers) for day, times in numbers.days.items()]
    chart = charts.line_chart(
        [[_seconds(line.times, q) for line in lines] for q in (0.5, 0.9)],
        goal,
        group=7 if days >= _WEEKLY_FROM else 1,
    )
    bars = open_by_age(numbers.open.slots, now)
    return render_template(
        "board.html",
        days=days,
        periods=PERIODS,
        first_day=_date(numbers.period.first),
        last_day=_date(numbers.period.last),
        tiles=tiles,
        lines=lines,
        chart=chart,
        spots=[_spot(column, numbers) for column in chart.columns],
        goal=goal,
        bars=[
            (bar, width, open_items(slot_from=bar.first, slot_to=bar.end))
            for bar, width in zip(bars, charts.bar_widths([bar.n for bar in bars]), strict=True)
        ],
        topics=_lines(topics, numbers, "topic"),
        teams=_lines(teams, numbers, "team"),
        fewest=FEWEST,
        now=now,
        size=charts,
    )


@pages.get("/board/tiles")
@needs(Permission.SEE_BOARD)
def live_tiles() -> str:
    """The tiles alone, for a page that is open."""
    with app_context().readers.begin() as reading:
        numbers = _numbers(reading, viewer().brand, _days(), app_context().clock())
        tiles = _tiles(reading, viewer().brand, numbers)
    return render_template("_tiles.html", tiles=tiles, fewest=FEWEST, now=numbers.now)


def _days() -> int:
    asked = request.args.get("days", "")
    return int(asked) if asked in map(str, PERIODS) else DEFAULT_DAYS


def _numbers(reading: Session, brand: str, days: int, now: datetime) -> Numbers:
    period = Period.of(days, now)
    standing = backlog(reading, brand)
    done = answered_by(reading, brand, period, ResponseRow.day)
    return Numbers(
        period=period,
        now=now,
        open=standing,
        days=by_day(done, standing.slots, period, now),
    )


def _tiles(reading: Session, brand: str, numbers: Numbers) -> Tiles:
    period = numbers.period
    slots = numbers.open.slots
    oldest = min(slots, default=None)
    return Tiles(
        times=together(numbers.days.values()),
        answered=answered(period.first, period.last),
        kept=answered(period.first, period.last, met=1),
        waiting=waiting(period.first, period.last),
        n_open=numbers.open.total,
        open=open_items(),
        overdue=due.count(reading, brand, Level.OVERDUE, numbers.now),
        overdue_list=open_items(due=Level.OVERDUE),
        risk=due.count(reading, brand, Level.RISK, numbers.now),
        risk_list=open_items(due=Level.RISK),
        oldest=None if oldest is None else slot_start(oldest),
        n_oldest=0 if oldest is None else slots[oldest],
        oldest_list="" if oldest is None else open_items(slot_from=oldest, slot_to=oldest + 1),
    )


def _day_line(day: date, times: Times, numbers: Numbers) -> Line:
    return Line(
        name=_date(day),
        times=times,
        answered=answered(day, day),
        kept=answered(day, day, met=1),
        waiting=waiting(day, day),
        partial=day == numbers.period.last,
    )


def _spot(column: charts.Column, numbers: Numbers) -> tuple[charts.Column, Line]:
    """The link over a column of the chart: a day, or a week of days."""
    days = numbers.period.days[column.first : column.last + 1]
    first, last = days[0], days[-1]
    name = (
        _date(first)
        if first == last
        else _("%(first)s to %(last)s", first=_date(first), last=_date(last))
    )
    return column, Line(
        name=name,
        times=together(numbers.days[day] for day in days),
        answered=answered(first, last),
        kept=answered(first, last, met=1),
        partial=last == numbers.period.last,
    )


def _lines(found: Mapping[str, Times], numbers: Numbers, column: str) -> list[Line]:
    """Rows of a table by topic or team, those with the most answers first."""
    first, last = numbers.period.first, numbers.period.last
    named = {value: times for value, times in found.items() if value}
    if column == "team":
        # A team that only has open items, and answered none, must not be left out.
        named |= {team: Times() for team, _slot in numbers.open.cells if team and team not in named}
    return [
        Line(
            name=value,
            times=times,
            answered=answered(first, last, **{column: value}),
            kept=answered(first, last, met=1, **{column: value}),
            waiting=open_items(team=value) if column == "team" else "",
            n_open=numbers.open.of_team(value) if column == "team" else 0,
        )
        for value, times in sorted(named.items(), key=lambda pair: (-pair[1].n, pair[0]))
    ]


def _seconds(times: Times, q: float) -> float | None:
    found = times.quantile(q)
    return found.seconds if found else None


def _date(day: date) -> str:
    return format_date(day, "d MMM", locale=viewer().locale)


pages.add_app_template_filter(durations.duration, "duration")
pages.add_app_template_filter(durations.age_words, "age_words")
pages.add_app_template_filter(durations.exact_share, "exact_share")
pages.add_app_template_filter(durations.period, "period")
