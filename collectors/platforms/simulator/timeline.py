"""When the event at an index happens, over pauses and changes of speed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

ENDLESS = sys.maxsize


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From the event `first` on: it happens at `origin`, each further one `step_s` later."""

    first: int
    origin: datetime
    step_s: float

    def moment(self, index: int) -> datetime:
        """When `index` happens; before `first` this counts backwards."""
        return self.origin + timedelta(seconds=(index - self.first) * self.step_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A part's stretches in order, at least one. `total` is how many events there are in all.

    Without `paced` every event has happened already, whatever its moment says.
    """

    stretches: Sequence[Stretch]
    total: int = ENDLESS
    paced: bool = True

    def moment(self, index: int) -> datetime:
        """When the event at `index` happens (aware UTC)."""
        for stretch in reversed(self.stretches):
            if index >= stretch.first:
                return stretch.moment(index)
        return self.stretches[0].moment(index)

    def reached(self, now: datetime) -> int:
        """How many events have happened at `now`: the index of the next one."""
        if not self.paced:
            return self.total
        last = self.stretches[-1]
        elapsed_s = (now - last.origin).total_seconds()
        if elapsed_s < 0:
            return min(self.total, last.first)
        return min(self.total, last.first + int(elapsed_s / last.step_s) + 1)


def resumed(
    timeline: Timeline, *, head: int, now: datetime, step_s: float, catch_up_s: float
) -> Stretch | None:
    """The new stretch that begins at `head`, the first event not handed out yet, if one must.

    A changed speed begins one now. A pause longer than `catch_up_s` begins one that long ago,
    so that hours away are not replayed at once. What was handed out keeps its moment.
    """
    if head >= timeline.total:
        return None
    if timeline.stretches[-1].step_s != step_s:
        return Stretch(first=head, origin=now, step_s=step_s)
    oldest = now - timedelta(seconds=catch_up_s)
    if timeline.moment(head) < oldest:
        return Stretch(first=head, origin=oldest, step_s=step_s)
    return None
