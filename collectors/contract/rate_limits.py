"""How much a platform still takes of us before it refuses: what its answers say about that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

from collectors.contract.waits import bounded_wait_s
from earshot.runtime.metrics import Metrics

_LONGEST = timedelta(days=1)
"""No platform counts over longer. What it says of later is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitHeaders:
    """How a platform's answers tell of one limit: `NAME-remaining`, `NAME-reset`, and its size.

    The size is `NAME-limit`, or what remains and `NAME-used`. The window ends at `NAME-reset`
    seconds since 1970, or in so many seconds. A limit is counted for each route, or for the client.
    """

    name: str
    size: Literal["limit", "used"] = "limit"
    reset: Literal["epoch", "seconds"] = "epoch"
    counted_by: Literal["route", "client"] = "route"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`remaining` of `limit` requests may still be made until `until`, when all may again."""

    remaining: float
    limit: float
    until: datetime

    def at(self, now: datetime) -> RateLimit:
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


class RateLimits:
    """What a platform last said of each of its limits: one for a route, say, or for a day."""

    def __init__(self, headers: Sequence[LimitHeaders] = ()) -> None:
        """`headers` are the ones in which the platform says it."""
        self._headers = headers
        self._told: dict[tuple[str, str], RateLimit] = {}
        self._spent: dict[tuple[str, str], Spent] = {}

    def note(self, route: str, headers: Mapping[str, str], now: datetime) -> None:
        """Take in the headers of an answer; `route` is what was asked."""
        told: dict[tuple[str, str], RateLimit] = {}
        for known in self._headers:
            key = ("" if known.counted_by == "client" else route), known.name
            if (spent := spent_in(known, headers, now)) is not None:
                self._spent[key] = spent
            if (rate_limit := read(known, headers, now)) is not None:
                told[key] = rate_limit
        if told:  # of what has run out meanwhile only that is kept which was just told again
            self._told = {at: a for at, a in self._told.items() if now < a.until} | told

    def wait_s(self, route: str, now: datetime) -> float:
        """How long nothing may be asked of `route`, in seconds; 0.0 when it may be asked now."""
        self._spent = {at: spent for at, spent in self._spent.items() if spent.holds(now)}
        untils = [spent.until for at, spent in self._spent.items() if at[0] in ("", route)]
        return max((until - now for until in untils), default=timedelta()) / timedelta(seconds=1)

    def scarcest(self, now: datetime) -> RateLimit | None:
        """The limit of which the smallest share is left; None when nothing was ever said."""
        now_left = [rate_limit.at(now) for rate_limit in self._told.values()]
        return min(now_left, key=lambda rate_limit: rate_limit.share, default=None)


@runtime_checkable
class RateLimited(Protocol):
    """A source or responder whose platform says how much it still takes."""

    @property
    def rate_limits(self) -> RateLimits: ...


def record(metrics: Metrics, asked: object, of: str, now: datetime) -> None:
    """Set the gauges of the source `of` by what its platform told `asked`: NaN, if nothing."""
    left = asked.rate_limits.scarcest(now) if isinstance(asked, RateLimited) else None
    metrics.set("rate_limit_remaining", left.remaining if left else math.nan, source=of)
    metrics.set("rate_limit_requests", left.limit if left else math.nan, source=of)


def read(known: LimitHeaders, headers: Mapping[str, str], now: datetime) -> RateLimit | None:
    """The limit that the headers tell of; None where they don't, or can't be read. Pure."""
    remaining, size, to_go = _numbers(headers, known.name, "remaining", known.size, "reset")
    limit = size if known.size == "limit" else remaining + size
    seconds = to_go - now.timestamp() if known.reset == "epoch" else to_go
    if not (math.isfinite(remaining) and math.isfinite(limit) and math.isfinite(seconds)):
        return None
    if limit <= 0:
        return None
    until = now + timedelta(seconds=min(max(seconds, 0.0), _LONGEST.total_seconds()))
    return RateLimit(min(max(remaining, 0.0), limit), limit, until)


def spent_in(known: LimitHeaders, headers: Mapping[str, str], now: datetime) -> Spent | None:
    """Until when nothing may be asked; None where the headers don't tell of this limit.

    That is `now` while something is left, and where the end of the window can't be read. Pure.
    """
    remaining, to_go = _numbers(headers, known.name, "remaining", "reset")
    if not math.isfinite(remaining):
        return None
    seconds = to_go - now.timestamp() if known.reset == "epoch" else to_go
    wait_s = bounded_wait_s(seconds) if remaining < 1 else None
    return Spent(now, now + timedelta(seconds=wait_s or 0.0))


def _numbers(headers: Mapping[str, str], name: str, *kinds: str) -> list[float]:
    return [_number(headers.get(f"{name}-{kind}", "")) for kind in kinds]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
