"""Roles that are started again at once, however they end: a supervisor without patience."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.system import ROOT, System


@dataclass
class MortalRoles:
    """Each of `roles` in a process of its own, of one installation, until told to stop.

    `ends` counts how often each role ended, by its exit code.
    """

    system: System
    roles: Sequence[str]
    ends: Counter[tuple[str, int]] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for role in self.roles:
            self._threads.append(threading.Thread(target=self._keep, args=(role,), daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """Ask all to end, and wait for it."""
        self._stop.set()
        for process in list(self._running.values()):
            process.terminate()
        for thread in self._threads:
            thread.join(60)

    def _keep(self, role: str) -> None:
        with (self.system.home / "up.log").open("ab") as output:
            while not self._stop.is_set():
                process = subprocess.Popen(
                    self.system.command(role),
                    cwd=ROOT,
                    env=self.system.variables(),
                    stdout=output,
                    stderr=output,
                )
                self._running[role] = process
                if self._stop.is_set():
                    process.terminate()
                self.ends[role, process.wait()] += 1
