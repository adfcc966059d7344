"""`earshot up`: every role on one machine, started, started again, and stopped in order.

A role that ends is started again after a rest that doubles with each failure and is short
again once it has run for a while. On SIGTERM and SIGINT the roles are told to stop one after
the other, what takes in first, each with time to finish its batch; who does not is killed.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

FIRST_REST_S = 0.5
LONGEST_REST_S = 30.0
STEADY_S = 30.0
"""A role that ran this long before it ended starts again after the first rest."""

GRACE_S = 15.0
"""How long a role may take to finish what it has in hand."""


@dataclass
class Child:
    """One role: how to start it, and how it fares."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    rest_s: float = FIRST_REST_S
    due_at: float = 0.0

    def start(self, now: float) -> None:
        # in a session of its own: Ctrl-C reaches the supervisor, which stops all in order
        self.process = subprocess.Popen(self.command, start_new_session=True)  # noqa: S603 -- our own command line
        self.started_at = now

    def watch(self, now: float) -> None:
        """Start the role when it is due, and note its end."""
        if self.process is None:
            if now >= self.due_at:
                self.start(now)
            return
        code = self.process.poll()
        if code is None:
            return
        if now - self.started_at > STEADY_S:
            self.rest_s = FIRST_REST_S
        logger.warning(
            "role ended, starting it again",
            extra={"role": self.name, "code": code, "in_s": self.rest_s},
        )
        self.process = None
        self.due_at = now + self.rest_s
        self.rest_s = min(LONGEST_REST_S, self.rest_s * 2)

    def stop(self, grace_s: float) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            logger.warning("role did not stop in time, killing it", extra={"role": self.name})
            # with the processes that it has started: the group is its own, see `start`
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Supervisor:
    """All roles of one machine, in the order in which they are to be stopped."""

    children: Sequence[Child]
    grace_s: float = GRACE_S
    every_s: float = 0.2
    stopped: bool = field(default=False, init=False)

    def run(self, stop: threading.Event) -> None:
        """Keep the roles running until `stop` is set, then stop them in order."""
        try:
            while not stop.is_set():
                now = time.monotonic()
                for child in self.children:
                    child.watch(now)
                stop.wait(self.every_s)
        finally:
            self.shut_down()

    def shut_down(self) -> None:
        for child in self.children:
            child.stop(self.grace_s)
        self.stopped = True
