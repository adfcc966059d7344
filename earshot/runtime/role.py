"""What every role of the system is run with: a stop flag, metrics, probes, and a clock."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from earshot.runtime.metrics import Metrics
from earshot.runtime.telemetry import HealthServer, Probe, set_up_logging
from earshot.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

ROLES = ("collect", "classify", "route", "sweep", "send", "serve", "crew", "maintain")
"""Every role, in the order of their health ports: a new one goes at the end."""

GC_THRESHOLDS = (100_000, 20, 50)
"""When Python looks for cycles. A batch makes ten thousands of values and no cycle among them:
at the default of 700 the search costs a stage a tenth of its time and finds nothing."""

STUCK_EXIT_CODE = 70
"""What a role ends with that has finished no step for too long (EX_SOFTWARE of sysexits.h)."""

_LOOK_EVERY_S = 1.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Running:
    """One role while it runs. `stop` is set by SIGTERM and SIGINT.

    `clock_offset` is how wrong this role's clock is: nothing, but in a test of faults.
    """

    name: str
    stop: threading.Event
    probe: Probe
    metrics: Metrics
    clock_offset: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.clock_offset


@contextmanager
def running(
    settings: Settings,
    name: str,
    *,
    supervised: bool = False,
    clock_offset: timedelta = timedelta(),
) -> Iterator[Running]:
    """Set up logs, signals, probes and metrics of the role `name`, and take them down."""
    set_up_logging(name, style=settings.telemetry.format, level=settings.telemetry.level)
    if supervised:
        die_with_parent()
    gc.set_threshold(*GC_THRESHOLDS)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    metrics, probe = Metrics(name), Probe(time.monotonic)
    metrics.follow("last_step_timestamp_seconds", lambda: time.time() - probe.idle_s())
    metrics.follow_disk(settings.home_path)
    port = settings.telemetry.port and settings.telemetry.port + ROLES.index(name)
    try:
        server = HealthServer(settings.telemetry.host, port, probe, metrics)
    except OSError as error:
        raise SettingsError(
            f"telemetry.host is {settings.telemetry.host!r}, where no port can be opened "
            f"({error.strerror}); write an address of this machine"
        ) from error
    threading.Thread(
        target=end_when_stuck, args=(probe, stop, os._exit), name="watchdog", daemon=True
    ).start()
    logger.info("started", extra={"port": server.port})
    try:
        yield Running(name, stop, probe, metrics, clock_offset)
    finally:
        server.close()
        logger.info("stopped")


def end_when_stuck(
    probe: Probe, stop: threading.Event, end: Callable[[int], None], every_s: float = _LOOK_EVERY_S
) -> None:
    """Call `end` once the probe says that the role does not live, unless `stop` is set first.

    A connection that stays open while nobody answers holds its role up for ever; whoever
    supervises it only sees processes that end. What was in hand is done again.
    """
    while not stop.wait(every_s):
        if not probe.alive():
            logger.error("no step was finished for too long, ending so as to be started again")
            end(STUCK_EXIT_CODE)
            return


def die_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the supervisor is gone, however it went.

    Linux only (prctl(2), PR_SET_PDEATHSIG); elsewhere an orphan goes on until it is stopped.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
