"""How far a reader of the event table has come. Pure.

On PostgreSQL a number is given when a row is written and seen when its transaction commits,
so a smaller number may appear after a greater one. A position is therefore the greatest
number seen and the numbers below it that were missing: with it nothing is read twice, and
what commits late is still read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Range = tuple[int, int]
"""A first and a last number, both in it."""

WRITTEN_HOLES = 40
"""How many holes a written position names (they must fit in a header)."""

_WRITTEN = re.compile(r"([0-9]{1,18})(?:~([0-9]{1,18}-[0-9]{1,18}(?:,[0-9]{1,18}-[0-9]{1,18})*))?")


@dataclass(frozen=True, slots=True)
class EventCursor:
    """All numbers up to `high` are seen, but for `holes`: ranges, ascending and apart."""

    high: int
    holes: tuple[Range, ...] = ()

    def has(self, seq: int) -> bool:
        """Whether the number is seen."""
        return seq <= self.high and not any(low <= seq <= last for low, last in self.holes)

    def after(self, seqs: Iterable[int]) -> EventCursor:
        """The position once `seqs` are seen too."""
        new = sorted(set(seqs))
        high = max([self.high, *new[-1:]])
        ranges = [*self.holes, (self.high + 1, high)] if high > self.high else list(self.holes)
        return EventCursor(high, tuple(_without(ranges, new)))

    def giving_up(self, seq: int) -> EventCursor:
        """The position when numbers up to `seq` that are still missing count as never given.

        A transaction that was rolled back leaves such numbers for good.
        """
        kept = ((max(low, seq + 1), last) for low, last in self.holes if last > seq)
        return EventCursor(self.high, tuple(kept))

    def __str__(self) -> str:
        """As the browser keeps it. With too many holes it steps back below them.

        What lies between is then sent again rather than lost.
        """
        holes = self.holes
        high = self.high
        if len(holes) > WRITTEN_HOLES:
            high = holes[WRITTEN_HOLES][0] - 1
            holes = holes[:WRITTEN_HOLES]
        written = ",".join(f"{low}-{last}" for low, last in holes)
        return f"{high}~{written}" if written else str(high)


def parse(written: str) -> EventCursor | None:
    """The position that was written so; None for anything else (it comes from a browser)."""
    found = _WRITTEN.fullmatch(written)
    if found is None:
        return None
    high, below = int(found[1]), 0
    holes: list[Range] = []
    for part in (found[2] or "").split(",") if found[2] else ():
        low, last = (int(number) for number in part.split("-"))
        if not below < low <= last < high:
            return None
        below = last
        holes.append((low, last))
    return EventCursor(high, tuple(holes)) if len(holes) <= WRITTEN_HOLES else None


def _without(ranges: Sequence[Range], seen: Sequence[int]) -> Iterable[Range]:
    """The ascending `ranges` with the ascending numbers `seen` cut out, in one pass."""
    index = 0
    for low, last in ranges:
        start = low
        while index < len(seen) and seen[index] < start:
            index += 1
        while index < len(seen) and seen[index] <= last:
            if seen[index] > start:
                yield start, seen[index] - 1
            start = seen[index] + 1
            index += 1
        if start <= last:
            yield start, last
