"""How much memory and processor the system's processes take, seen from outside."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from tests.system import System, cpu_seconds, memory_mb

LOOK_EVERY_S = 1.0


@dataclass
class MemoryWatch:
    """The largest resident memory of a process of each role, in megabytes."""

    system: System
    largest: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            for role, pids in self.system.roles().items():
                here = max(map(memory_mb, pids), default=0.0)
                self.largest[role] = max(self.largest.get(role, 0.0), here)


def idle_percent(system: System, over_s: float) -> dict[str, float]:
    """The share of one core that each role takes, in per cent, over a while."""
    pids = {pid: role for role, pids in system.roles().items() for pid in pids}
    before = {pid: cpu_seconds(pid) for pid in pids}
    began = time.monotonic()
    time.sleep(over_s)
    took = time.monotonic() - began
    shares: dict[str, float] = {}
    for pid, role in pids.items():
        share = 100 * (cpu_seconds(pid) - before[pid]) / took
        shares[role] = max(shares.get(role, 0.0), round(share, 1))
    return shares
