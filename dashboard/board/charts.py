"""Charts as geometry: numbers to coordinates, which templates draw as SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 860
HEIGHT = 220
LEFT = 64
RIGHT = 16
TOP = 10

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
STEPS_S = (
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 4, 6, 12)),
    *(_DAY * n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
)
"""Distances of grid lines: what a clock's reader counts in."""

MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Tick:
    seconds: float
    y: float


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Column:
    """The room of the steps `first` to `last` (both in it), from edge to edge."""

    first: int
    last: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over equal steps. A line is in pieces where it has no value."""

    ticks: tuple[Tick, ...]
    lines: tuple[tuple[tuple[Dot, ...], ...], ...]
    goal_y: float | None
    columns: tuple[Column, ...]


def line_chart(
    lines: Sequence[Sequence[float | None]], goal: float | None = None, *, group: int = 1
) -> LineChart:
    """Lines of seconds, each with a value or None for every step.

    `group` steps share one column, the last column first: so the newest steps are whole.
    """
    steps = len(lines[0])
    known = [value for line in lines for value in line if value is not None]
    ticks = _ticks(max([*known, goal or 0, _MINUTE]))
    top = ticks[-1]
    step_width = WIDTH / max(1, steps)

    def x(index: int) -> float:
        return round(LEFT + step_width * (index + 0.5), 1)

    def y(seconds: float) -> float:
        return round(TOP + HEIGHT * (1 - seconds / top), 1)

    columns = []
    for last in range(steps - 1, -1, -group):
        first = max(0, last - group + 1)
        width = round(step_width * (last - first + 1), 1)
        columns.append(Column(first, last, round(LEFT + step_width * first, 1), width))
    return LineChart(
        ticks=tuple(Tick(seconds, y(seconds)) for seconds in ticks),
        lines=tuple(
            _pieces([None if v is None else Dot(x(n), y(v)) for n, v in enumerate(line)])
            for line in lines
        ),
        goal_y=None if goal is None else y(goal),
        columns=tuple(reversed(columns)),
    )


def _ticks(highest: float) -> list[float]:
    """Grid lines from 0 to `highest` or a little above, at most `MOST_TICKS` above 0."""
    step = next((s for s in STEPS_S if highest <= s * MOST_TICKS), STEPS_S[-1])
    count = max(1, -int(-highest // step))
    return [float(step * n) for n in range(count + 1)]


def _pieces(dots: Sequence[Dot | None]) -> tuple[tuple[Dot, ...], ...]:
    pieces: list[list[Dot]] = [[]]
    for dot in dots:
        if dot is None:
            pieces.append([])
        else:
            pieces[-1].append(dot)
    return tuple(tuple(piece) for piece in pieces if piece)


BAR_WIDTH = 200


def bar_widths(counts: Sequence[int]) -> list[float]:
    """Lengths of horizontal bars, the longest `BAR_WIDTH`; what is not 0 can be seen."""
    longest = max([*counts, 1])
    return [round(max(2, BAR_WIDTH * n / longest), 1) if n else 0 for n in counts]
