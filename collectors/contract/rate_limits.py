"""How much a platform still takes of us before it refuses: what its answers say about that.

X        x-rate-limit-limit, -remaining, -reset (epoch); for posts also those of a day
Reddit   x-ratelimit-remaining, -used, -reset (seconds to go)
Bluesky  ratelimit-limit, -remaining, -reset (epoch)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from collectors.contract.waits import bounded_wait_s
from earshot.runtime.metrics import Metrics

_LONGEST = timedelta(days=1)
"""No platform counts over longer. What it says of later is not believed."""

_BY_EPOCH = (
    "x-rate-limit",
    "x-app-limit-24hour",
    "x-user-limit-24hour",
    "ratelimit",
)
_BY_SECONDS = "x-ratelimit"


@dataclass(frozen=True, slots=True)
class Allowance:
    """`remaining` of `limit` requests may still be made until `until`, when all may again."""

    remaining: float
    limit: float
    until: datetime

    def at(self, now: datetime) -> Allowance:
        """The same as it is by `now`."""
        return self if now < self.until else replace(self, remaining=self.limit)

    @property
    def share(self) -> float:
        return self.remaining / self.limit


@dataclass(frozen=True, slots=True)
class Spent:
    """A limit of which nothing is left from `since` to `until`; nothing to wait for if equal."""

    since: datetime
    until: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it still counts. A clock that went back would make it last for longer."""
        return self.since <= now < self.until


class Allowances:
    """What a platform last said of each of its limits: one for a route, say, or for a day."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Allowance] = {}
        self._spent: dict[tuple[str, str], Spent] = {}

    def note(self, route: str, headers: Mapping[str, str], now: datetime) -> None:
        """Take in the headers of an answer; `route` is what was asked."""
        for name, spent in spent_in(headers, now):
            self._spent[_key(route, name)] = spent
        told = {_key(route, name): allowance for name, allowance in read(headers, now)}
        if told:  # of what has run out meanwhile only that is kept which was just told again
            self._told = {at: a for at, a in self._told.items() if now < a.until} | told

    def wait_s(self, route: str, now: datetime) -> float:
        """How long nothing may be asked of `route`, in seconds; 0.0 when it may be asked now."""
        self._spent = {at: spent for at, spent in self._spent.items() if spent.holds(now)}
        untils = [spent.until for at, spent in self._spent.items() if at == _key(route, at[1])]
        return max((until - now for until in untils), default=timedelta()) / timedelta(seconds=1)

    def scarcest(self, now: datetime) -> Allowance | None:
        """The limit of which the smallest share is left; None when nothing was ever said."""
        now_left = [allowance.at(now) for allowance in self._told.values()]
        return min(now_left, key=lambda allowance: allowance.share, default=None)


@runtime_checkable
class Rationed(Protocol):
    """A source or responder whose platform says how much it still takes."""

    @property
    def allowances(self) -> Allowances: ...


def tell(metrics: Metrics, asked: object, of: str, now: datetime) -> None:
    """Set the gauges of the source `of` by what its platform told `asked`: NaN, if nothing."""
    left = asked.allowances.scarcest(now) if isinstance(asked, Rationed) else None
    metrics.set("rate_limit_remaining", left.remaining if left else math.nan, source=of)
    metrics.set("rate_limit_requests", left.limit if left else math.nan, source=of)


def read(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[str, Allowance]]:
    """Every limit that the headers tell of, by its name. What can't be read is left out. Pure."""
    for name in _BY_EPOCH:
        remaining, limit, reset = _numbers(headers, name, "remaining", "limit", "reset")
        yield from _sound(name, remaining, limit, reset - now.timestamp(), now)
    remaining, used, to_go = _numbers(headers, _BY_SECONDS, "remaining", "used", "reset")
    yield from _sound(_BY_SECONDS, remaining, remaining + used, to_go, now)


def spent_in(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[str, Spent]]:
    """For each limit in the headers, until when nothing may be asked.

    That is `now` while something is left, and where the end of the window can't be read. Pure.
    """
    for name in (*_BY_EPOCH, _BY_SECONDS):
        remaining, to_go = _numbers(headers, name, "remaining", "reset")
        if name != _BY_SECONDS:
            to_go -= now.timestamp()
        if math.isfinite(remaining):
            wait_s = bounded_wait_s(to_go) if remaining < 1 else None
            yield name, Spent(now, now + timedelta(seconds=wait_s or 0.0))


def _key(route: str, name: str) -> tuple[str, str]:
    """What a limit is counted for: with Reddit the client, whatever it asks; else the route."""
    return ("" if name == _BY_SECONDS else route), name


def _numbers(headers: Mapping[str, str], name: str, *kinds: str) -> list[float]:
    return [_number(headers.get(f"{name}-{kind}", "")) for kind in kinds]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _sound(
    name: str, remaining: float, limit: float, seconds: float, now: datetime
) -> Iterator[tuple[str, Allowance]]:
    if not (math.isfinite(remaining) and math.isfinite(limit) and math.isfinite(seconds)):
        return
    if limit > 0:
        until = now + timedelta(seconds=min(max(seconds, 0.0), _LONGEST.total_seconds()))
        yield name, Allowance(min(max(remaining, 0.0), limit), limit, until)
