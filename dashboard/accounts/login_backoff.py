"""How long who failed to sign in has to wait: rules without state. Pure.

Failures are counted for an address at one account, for an account from wherever they come
(many addresses), and for an address at whichever account (one password tried at many).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FORGET = timedelta(hours=1)

AHEAD = timedelta(minutes=1)
"""A failure further in the future is forgotten, too: the clock was set back since."""


class Kind(StrEnum):
    """What failures are counted of."""

    ADDRESS = "address"
    ACCOUNT = "account"
    PAIR = "pair"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How many failures are free, and the longest wait after more."""

    free: int
    longest: timedelta


ONE_AT_ONE = Backoff(5, timedelta(minutes=15))
ANY_AT_ONE = Backoff(20, timedelta(minutes=1))
"""Whoever guesses from many addresses makes the account's owner wait, too: so not for long."""
ONE_AT_ANY = Backoff(50, timedelta(minutes=15))
"""An office may share one address."""

BACKOFFS: Mapping[Kind, Backoff] = {
    Kind.ADDRESS: ONE_AT_ANY,
    Kind.ACCOUNT: ANY_AT_ONE,
    Kind.PAIR: ONE_AT_ONE,
}


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row signing in failed, and when last."""

    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """One address, one account, or both. Only a hash of what was typed, of one length, is kept."""

    kind: Kind
    name: str

    @property
    def hash(self) -> str:
        said = f"{self.kind} {self.name}".encode(errors="backslashreplace")
        return hashlib.sha256(said).hexdigest()


def places(address: str, account: str) -> Sequence[Place]:
    """Where an attempt counts, always in the order of `Kind`: so rows are locked in one order."""
    found = [Place(Kind.ACCOUNT, account), Place(Kind.PAIR, f"{address} {account}")]
    return found if _of_this_machine(address) else [Place(Kind.ADDRESS, address), *found]


def pause(count: int, backoff: Backoff) -> timedelta:
    """How long after so many failures: nothing at first, then 2, 4, 8 … s."""
    if count < backoff.free:
        return timedelta(0)
    over = min(count - backoff.free + 1, 20)
    return min(backoff.longest, timedelta(seconds=2**over))


def wait(failures: Failures | None, backoff: Backoff, now: datetime) -> timedelta:
    """How long the next attempt still has to wait."""
    if failures is None or failures.count < backoff.free:
        return timedelta(0)
    if not -AHEAD <= now - failures.last <= FORGET:
        return timedelta(0)
    return max(timedelta(0), failures.last + pause(failures.count, backoff) - now)


def _of_this_machine(address: str) -> bool:
    """A proxy that `web.proxies` does not count, say: everybody behind it has this address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
