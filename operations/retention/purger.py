"""The part of a role that purges: a little at each tick, until nothing is past its retention."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot.database.db import Sessions
from earshot.database.tables import SourceHealthRow
from earshot.settings import Retention
from operations.retention import purge
from operations.retention.purge import Reach

EVERY_S = 3_600.0
"""How long it rests when nothing is left to do, whatever the clock shows meanwhile."""

ACTOR = "role:maintain"

Step = Callable[[Session, Reach, str, datetime], int]
STEPS: tuple[Step, ...] = (purge.purge_items, purge.purge_letters)


def shortest_s(retention: Retention) -> float:
    """The shortest retention in seconds: the log must not keep words for longer. Infinite: none."""
    days = [retention.days, *retention.brands.values(), *retention.sources.values()]
    return min((n * 86_400.0 for n in days if n), default=math.inf)


@dataclass
class Purger:
    """Works off what is past `retention`, one transaction a tick. Any number may run at once."""

    retention: Retention
    sessions: Sessions
    left: list[tuple[Step, Reach]] = field(default_factory=list)
    monotonic: Callable[[], float] = time.monotonic
    due_s: float = -math.inf

    def tick(self, now: datetime) -> None:
        """Take out one batch, if it is time. Raises what the database raises."""
        if not self.left:
            if self.monotonic() < self.due_s:
                return
            self.due_s = self.monotonic() + EVERY_S
            self.left = self._round(now)
        if self.left:
            step, reach = self.left[-1]
            with self.sessions.begin() as session:
                if step(session, reach, ACTOR, now) < purge.BATCH:
                    self.left.pop()

    def _round(self, now: datetime) -> list[tuple[Step, Reach]]:
        if math.isinf(shortest_s(self.retention)):
            return []
        with self.sessions.begin() as session:
            rows = session.execute(select(SourceHealthRow.brand, SourceHealthRow.source))
            sources = [(row.brand, row.source) for row in rows]
        return [
            (step, reach) for reach in purge.due(self.retention, sources, now) for step in STEPS
        ]
