"""Measuring from outside: what is stored, how old it is when it can be read, and who worked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError

from bench.installation import Installation
from earshot.database import db
from earshot.database.tables import EventRow, MentionRow, VolumeRow
from earshot.items.events import EventKind
from earshot.runtime.role import ROLES

LOOK_EVERY_S, LOOK_EVERY_BUSY_S = 0.02, 0.05
"""How often to look for new events; and while many come at once, where looking costs the most."""
BUSY = 100
"""So many new events at a look are many."""
SAMPLE_EVERY_S = 0.5
SAMPLES_PER_LOOK = 5
PARTS = len(ROLES) - len(("serve", "crew")) + 1
"""The roles that run without the desk and the demo's agents, and the supervisor."""
MOST_S = 900.0
"""The longest that a run may take, in seconds."""
REST_S = 5.0
"""How long nothing must move for the world to count as told."""
IDLE_CORES = 0.4
"""What all parts together take while nothing happens: less than this."""

Cpu = Mapping[str, float]
"""CPU of each part, in seconds."""


def start_up(installation: Installation, world: str) -> Cpu:
    """What it costs to start all parts and stop them, where `world` has nothing new to tell."""
    before = installation.cpu_s()
    installation.start(world)
    until, there, busy = time.monotonic() + MOST_S, before, True
    while (busy or len(there) < PARTS) and time.monotonic() < until:
        time.sleep(1.0)
        installation.check()
        now = installation.cpu_s()
        busy = sum(now.values()) - sum(there.values()) > IDLE_CORES
        there = now
    installation.stop()
    return _less(there, before)


def _less(cpu: Cpu, before: Cpu) -> Cpu:
    return {part: used - before.get(part, 0.0) for part, used in cpu.items()}


@dataclass
class Watch:
    """What was seen of one run."""

    installation: Installation
    start_up: Cpu
    latencies_ms: list[float] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._engine = db.connect(self.installation.database_url)
        self._sessions = db.open_readers(self._engine)
        self._first_at: float | None = None
        self._last_at = 0.0
        self._before = self._cpu = self.installation.cpu_s()
        self._stored_before = self._stored()
        self._seq = self._number(select(func.max(EventRow.seq)))

    def run(self, most_s: float, *, from_the_first: bool = False) -> None:
        """Look until nothing moves any more, or for `most_s` seconds.

        `from_the_first` counts these from the first stored mention on.
        """
        until = time.monotonic() + (MOST_S if from_the_first else most_s)
        sampled_at = 0.0
        while (now := time.monotonic()) < until:
            fresh = self._look()
            if fresh and from_the_first:
                until, from_the_first = now + most_s, False
            if self._first_at is not None and now - self._last_at > REST_S:
                return
            if now - sampled_at > SAMPLE_EVERY_S:
                sampled_at = now
                self.installation.check()
                self._cpu = self.installation.cpu_s()
                for name, mb in self.installation.memory_mb().items():
                    self.memory_mb[name] = max(self.memory_mb.get(name, 0.0), mb)
            time.sleep(LOOK_EVERY_BUSY_S if fresh > BUSY else LOOK_EVERY_S)

    def close(self) -> None:
        self._engine.dispose()

    def figures(self) -> dict[str, Any]:
        """The run in numbers. What the start of the processes took is taken off."""
        stored = self._stored() - self._stored_before
        if self._first_at is None or not stored:
            raise RuntimeError("nothing was stored: see the log of the system")
        seconds = self._last_at - self._first_at
        used = _less(_less(self._cpu, self._before), self.start_up)
        cpu_us = {part: round(max(0.0, s) / stored * 1e6, 1) for part, s in used.items()}
        ordered = sorted(self.latencies_ms)
        return {
            "stored": stored,
            "seconds": round(seconds, 2),
            "mentions_per_s": round(stored / seconds) if seconds else 0,
            "cpu_us_per_mention": cpu_us | {"all": round(sum(cpu_us.values()), 1)},
            "latency_ms": {
                "p50": quantile(ordered, 0.5),
                "p99": quantile(ordered, 0.99),
                "samples": len(ordered),
            },
            "memory_mb": {name: round(mb) for name, mb in self.memory_mb.items()},
        }

    def _look(self) -> int:
        """Note how old some of the events are that can be read now; how many are new."""
        newest = self._number(select(func.max(EventRow.seq)))
        if newest == self._seq:
            return 0
        fresh = range(self._seq + 1, newest + 1)
        chosen = fresh[:: max(1, len(fresh) // SAMPLES_PER_LOOK)]
        same = (EventRow.brand == MentionRow.brand) & (EventRow.subject == MentionRow.id)
        with self._sessions.begin() as session:
            collected = session.scalars(
                select(MentionRow.collected_at)
                .join(EventRow, same)
                .where(EventRow.seq.in_(chosen), EventRow.kind == EventKind.MENTION_NEW)
            ).all()
        wall = datetime.now(UTC)
        self.latencies_ms += [(wall - at).total_seconds() * 1_000 for at in collected]
        self._seq, self._last_at = newest, time.monotonic()
        self._first_at = self._first_at or self._last_at
        return len(fresh)

    def _stored(self) -> int:
        """How many mentions arrived, by the roll-up: counting rows would be work itself."""
        return self._number(select(func.sum(VolumeRow.n)))

    def _number(self, query: Select[tuple[int | None]]) -> int:
        try:
            with self._sessions.begin() as session:
                return session.scalar(query) or 0
        except DBAPIError:
            if self._first_at is not None:
                raise
            return 0  # the tables are not made yet


def quantile(ordered: Sequence[float], q: float) -> float | None:
    """The `q`-quantile of sorted values by the nearest rank; None without any."""
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 1) if ordered else None
