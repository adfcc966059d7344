"""Slows down guessing: after a few failures each further attempt has to wait longer.

Failures are counted for an address at one account, for an account from wherever they come
(many addresses), and for an address at whichever account (one password tried at many).
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

FORGET = timedelta(hours=1)
KEPT = 10_000
"""How many counts of each kind are kept."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures are free, and the longest wait after more."""

    free: int
    longest: timedelta


ONE_AT_ONE = Patience(5, timedelta(minutes=15))
ANY_AT_ONE = Patience(20, timedelta(minutes=1))
"""Whoever guesses from many addresses makes the account's owner wait, too: so not for long."""
ONE_AT_ANY = Patience(50, timedelta(minutes=15))
"""An office may share one address."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row signing in failed, and when last."""

    count: int
    last: datetime


def wait(failures: Failures | None, patience: Patience, now: datetime) -> timedelta:
    """How long the next attempt has to wait: nothing at first, then 2, 4, 8 … s."""
    if failures is None or failures.count < patience.free or now - failures.last > FORGET:
        return timedelta(0)
    over = min(failures.count - patience.free + 1, 20)
    pause = min(patience.longest, timedelta(seconds=2**over))
    return max(timedelta(0), failures.last + pause - now)


class Counts:
    """Failures by whatever is counted, the oldest dropped. Not thread-safe by itself."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._failures: OrderedDict[str, Failures] = OrderedDict()

    def wait(self, of: str, now: datetime) -> timedelta:
        return wait(self._failures.get(of), self.patience, now)

    def add(self, of: str, now: datetime) -> None:
        before = self._failures.pop(of, None)
        fresh = before is not None and now - before.last <= FORGET
        self._failures[of] = Failures(before.count + 1 if before and fresh else 1, now)
        while len(self._failures) > KEPT:
            self._failures.popitem(last=False)

    def take_back(self, of: str) -> None:
        """Forget the last failure."""
        if before := self._failures.get(of):
            self._failures[of] = Failures(max(0, before.count - 1), before.last)

    def clear(self, of: str) -> None:
        self._failures.pop(of, None)


class Throttle:
    """Attempts to sign in, in the memory of this process."""

    def __init__(self) -> None:
        self._pairs, self._accounts = Counts(ONE_AT_ONE), Counts(ANY_AT_ONE)
        self._addresses = Counts(ONE_AT_ANY)
        self._lock = Lock()

    def attempt(self, address: str, account: str, now: datetime) -> timedelta:
        """How long to wait; nothing: the attempt may be made.

        It counts as failed until it succeeds, so that a hundred at once are a hundred failures.
        """
        places = self._places(address, account)
        with self._lock:
            pause = max(counts.wait(of, now) for counts, of in places)
            if not pause:
                for counts, of in places:
                    counts.add(of, now)
        return pause

    def succeeded(self, address: str, account: str) -> None:
        """Forget the failures at this account.

        Of the address only this attempt is taken back: who has an account of their own could
        clear it between two guesses at others.
        """
        with self._lock:
            self._pairs.clear(_pair(address, account))
            self._accounts.clear(account)
            self._addresses.take_back(address)

    def _places(self, address: str, account: str) -> list[tuple[Counts, str]]:
        places = [(self._pairs, _pair(address, account)), (self._accounts, account)]
        if not _of_this_machine(address):
            places.append((self._addresses, address))
        return places


def _pair(address: str, account: str) -> str:
    return f"{address} {account}"


def _of_this_machine(address: str) -> bool:
    """A proxy that `web.proxies` does not tell of, say: it stands for everybody behind it."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
