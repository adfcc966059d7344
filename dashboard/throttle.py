"""Slows down guessing: after a few failures each further attempt has to wait longer."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

FREE = 5
LONGEST = timedelta(minutes=15)
FORGET = timedelta(hours=1)
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row signing in failed, and when last."""

    count: int
    last: datetime


def wait(failures: Failures | None, now: datetime) -> timedelta:
    """How long the next attempt has to wait: nothing for five failures, then 2, 4, 8 … s."""
    if failures is None or failures.count < FREE or now - failures.last > FORGET:
        return timedelta(0)
    pause = min(LONGEST, timedelta(seconds=2 ** min(failures.count - FREE + 1, 20)))
    return max(timedelta(0), failures.last + pause - now)


class Throttle:
    """Failures by address and account, in the memory of this process, the oldest dropped."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], Failures] = OrderedDict()
        self._lock = Lock()

    def wait(self, address: str, account: str, now: datetime) -> timedelta:
        with self._lock:
            return wait(self._failures.get((address, account)), now)

    def failed(self, address: str, account: str, now: datetime) -> None:
        with self._lock:
            before = self._failures.pop((address, account), None)
            stale = before is None or now - before.last > FORGET
            count = 1 if stale or before is None else before.count + 1
            self._failures[address, account] = Failures(count, now)
            while len(self._failures) > KEPT:
                self._failures.popitem(last=False)

    def succeeded(self, address: str, account: str) -> None:
        with self._lock:
            self._failures.pop((address, account), None)
