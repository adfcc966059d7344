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

from earshot.metrics import Metrics

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


class Allowances:
    """What a platform last said of each of its limits: one for a route, say, or for a day."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Allowance] = {}

    def note(self, route: str, headers: Mapping[str, str], now: datetime) -> None:
        """Take in the headers of an answer; `route` is what was asked."""
        told = {(route, name): allowance for name, allowance in read(headers, now)}
        if told:  # of what has run out meanwhile only that is kept which was just told again
            self._told = {at: a for at, a in self._told.items() if now < a.until} | told

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
    metrics.set("rate_limit_remaining", left.remaining if left else math.nan, of=of)
    metrics.set("rate_limit_requests", left.limit if left else math.nan, of=of)


def read(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[str, Allowance]]:
    """Every limit that the headers tell of, by its name. What can't be read is left out. Pure."""
    for name in _BY_EPOCH:
        remaining, limit, reset = _numbers(headers, name, "remaining", "limit", "reset")
        yield from _sound(name, remaining, limit, reset - now.timestamp(), now)
    remaining, used, to_go = _numbers(headers, _BY_SECONDS, "remaining", "used", "reset")
    yield from _sound(_BY_SECONDS, remaining, remaining + used, to_go, now)


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
