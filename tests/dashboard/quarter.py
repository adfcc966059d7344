"""Items and closed clocks for the board, roll-ups included: some by hand, or three months."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from earshot.domain import ItemState
from earshot.items.lifecycle import OPEN
from earshot.items.rollups import ClosedClock, close_clock
from tests.dashboard.seed import add_item

TEAMS = ("payments", "parcels")
TOPICS = ("checkout", "delivery", "")
PLATFORMS = ("simulator", "reddit")
SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """An item of a test: open since `started_at`, or answered after `took`."""

    number: int
    started_at: datetime
    took: timedelta | None = None
    promised: timedelta | None = timedelta(hours=1)
    state: ItemState = ItemState.QUEUED
    brand: str = "acme"
    team: str = "payments"
    topic: str = "checkout"
    platform: str = "simulator"
    sentiment: str = "negative"
    flags: int = 0

    @property
    def due_at(self) -> datetime | None:
        return None if self.promised is None else self.started_at + self.promised


def put(session: Session, items: Iterable[Seeded]) -> None:
    """Store the items with their backlog, and the closed clocks of those answered."""
    for item in items:
        key = add_item(
            session,
            item.number,
            brand=item.brand,
            state=item.state if item.took is None else ItemState.ANSWERED,
            team=item.team,
            topic=item.topic,
            platform=item.platform,
            sentiment=item.sentiment,
            flags=item.flags,
            clock_started_at=item.started_at,
            due_at=item.due_at if item.took is None else None,
            target_s=int(item.promised.total_seconds()) if item.promised else 0,
            answered_at=None if item.took is None else item.started_at + item.took,
        )
        if item.took is not None:
            close_clock(
                session,
                ClosedClock(
                    brand=item.brand,
                    item_id=key,
                    metric="first",
                    team=item.team,
                    topic=item.topic,
                    platform=item.platform,
                    started_at=item.started_at,
                    due_at=item.due_at,
                    stopped_at=item.started_at + item.took,
                ),
            )


def a_quarter(now: datetime, seed: int = 7, scale: float = 1.0) -> list[Seeded]:
    """Three months of a brand's life: busy weekdays, a slow patch, and what is open now."""
    chance = random.Random(seed)
    found: list[Seeded] = []
    for back in range(89, -1, -1):
        day = (now - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        usual = 24 if day.weekday() < 5 else 8
        slow = 2.5 if 20 <= back <= 26 else 1.0
        for _ in range(int(scale * (usual + chance.randint(0, 20)))):
            started_at = day + timedelta(seconds=chance.randint(0, 86_399))
            if started_at > now:
                continue
            took = timedelta(minutes=slow * chance.lognormvariate(2.9, 0.9))
            waits = started_at + took > now or chance.random() < (0.1 if back < 4 else 0.002)
            found.append(_anyone(chance, len(found), started_at, None if waits else took))
    return found


def _anyone(
    chance: random.Random, number: int, started_at: datetime, took: timedelta | None
) -> Seeded:
    return Seeded(
        number=number,
        started_at=started_at,
        took=took,
        state=chance.choice(sorted(OPEN)),
        team=chance.choice(TEAMS),
        topic=chance.choice(TOPICS),
        platform=chance.choice(PLATFORMS),
        sentiment=chance.choice(SENTIMENTS),
        flags=chance.randint(0, 7),
        promised=timedelta(minutes=chance.choice((30, 60, 240))),
    )
