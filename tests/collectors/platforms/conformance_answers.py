"""The conformance kit's law of answers: whatever a platform answers, its source goes on.

After any answer (status, headers and body drawn at random) nothing but the source's own failure
comes of it, the rest that was told is bounded, health isn't *ok* while something waits, few
requests are made, and the next good answer is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from hypothesis import strategies as st
from sqlalchemy import Engine, select

from collectors.collect import Collector
from collectors.contract.source import Source
from collectors.contract.validation import utc_now
from collectors.matching.matching import compile_queries
from earshot.database import db
from earshot.database.tables import SourceHealthRow
from earshot.log.memory import MemoryLog
from earshot.log.topics import MENTIONS
from earshot.runtime.metrics import Metrics
from tests.builders import ManualClock
from tests.collectors.platforms.damage import JSON
from tests.collectors.platforms.loopback import Reply

DAY = timedelta(days=1)
FEW = 12
"""How many requests may follow one answer, signing in anew for each part included."""

_numbers = itertools.count()


class AnsweringWorld(Protocol):
    """A platform that can be told what to answer next."""

    def source(self, now: Callable[[], datetime] = utc_now) -> Source:
        """A new source on this world, as after a restart."""

    def post(self) -> str:
        """A new post; its native id."""

    def answer_next(self, reply: Reply) -> None:
        """Let the next request for posts be answered so, whatever the truth is."""

    def asked(self) -> int:
        """How many requests and connections were made until now."""

    def close(self) -> None: ...


_REMAINING = ["0", "0.0", "5", "-1", "nan", "many", ""]
_WHEN = [
    "0",
    "5",
    "2.5",
    "-7",
    "soon",
    "nan",
    "1e400",
    "9" * 400,
    "1000000000",
    "32503680000",
    "Mon, 02 Mar 2026 12:00:10 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "",
]
_HEADERS = {
    "Retry-After": _WHEN,
    **{
        f"{name}-{kind}": values
        for name in ("x-rate-limit", "x-ratelimit", "ratelimit", "x-user-limit-24hour")
        for kind, values in (
            ("limit", _REMAINING),
            ("remaining", _REMAINING),
            ("used", _REMAINING),
            ("reset", _WHEN),
        )
    },
}
_STATUSES = [200, 201, 202, 204, 301, 302, 307, 400, 402, 403, 404, 408, 409, 410, 418, 429]
_STATUSES += [451, 500, 502, 503, 504, 520, 529]
_SAID: list[Any] = [
    b"",
    b"{",
    b"\xff\xfe",
    b"<html>busy</html>",
    b"[" * 5_000,
    b"null",
    {"error": "invalid_grant"},
    {"error": "RateLimitExceeded", "message": "<b>slow down</b>"},
    {"errors": [{"title": "UsageCapExceeded", "type": "about:blank"}]},
    {"errors": [{"message": 5}], "detail": []},
    {"message": "Too Many Requests", "error": 429},
    {"kind": "Listing"},
    {"data": None},
    {"$type": "error", "error": "ConsumerTooSlow"},
]


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """An answer of a platform, or of what stands in front of it."""
    names = draw(st.lists(st.sampled_from(sorted(_HEADERS)), max_size=5, unique=True))
    headers = {name: draw(st.sampled_from(_HEADERS[name])) for name in names}
    status = draw(st.sampled_from(_STATUSES))
    body = b"" if status == 204 else draw(st.sampled_from(_SAID) | JSON)
    return Reply(status, body, headers)


@dataclass
class Watched:
    """A source in its shell, on a clock that only rests move."""

    world: AnsweringWorld
    engine: Engine
    clock: ManualClock = field(default_factory=lambda: ManualClock(utc_now()))
    name: str = field(default_factory=lambda: f"source-{next(_numbers)}")

    def __post_init__(self) -> None:
        self.log = MemoryLog()
        self.log.create({MENTIONS.name: 1, MENTIONS.dead: 1})
        self.source = self.world.source(self.clock)
        self.collector = Collector(
            brand="acme",
            name=self.name,
            source=self.source,
            matcher=compile_queries({"all": "number"}),
            sessions=db.open_sessions(self.engine),
            producer=self.log.producer(),
            metrics=Metrics("collect"),
            clock=self.clock,
            monotonic=self.clock.monotonic,
        )

    def step(self) -> datetime:
        """Step until the source rests; when the last of its parts is due again."""
        for _ in range(20):
            if self.collector.step() > self.clock.now or self.published():
                break
        return max(part.due_at or self.clock.now for part in self.collector.parts.values())

    def published(self) -> set[str]:
        records = self.log.read(MENTIONS.name, 0, 0, 100_000)
        return {MENTIONS.decode(record.value).native_id for record in records}

    def state(self) -> str:
        with db.open_sessions(self.engine).begin() as session:
            query = select(SourceHealthRow.state).where(SourceHealthRow.source == self.name)
            return session.scalars(query).one()

    def settle(self, wanted: str) -> timedelta:
        """Step at each due time until `wanted` is published; how long that took."""
        begun = self.clock.now
        for _ in range(6):
            due = self.step()
            if wanted in self.published():
                return self.clock.now - begun
            assert due <= self.clock.now + DAY, "a rest of more than a day"
            self.clock.now = max(due, self.clock.now)
        troubles = {name: part.trouble for name, part in self.collector.parts.items()}
        raise AssertionError(f"{wanted} never came; the source is {self.state()}: {troubles}")


def any_answer_is_survived(world: AnsweringWorld, engine: Engine, reply: Reply) -> None:
    """Whatever the platform answers once, the next good answer is taken within the told wait."""
    early = world.post()
    watched = Watched(world, engine)
    watched.settle(early)
    watched.source.close()
    late = world.post()
    world.answer_next(reply)
    again = Watched(world, engine, clock=watched.clock, name=watched.name)
    before = world.asked()
    due = again.step()
    assert world.asked() - before <= FEW, "too many requests behind one answer"
    if late not in again.published():
        assert again.state() != "ok", f"ok, though {late} waits"
        assert due > again.clock.now, "no rest at all"
        assert due <= again.clock.now + DAY, "a rest of more than a day"
        again.clock.now = due
    assert again.settle(late) <= DAY
    assert again.state() == "ok"
    again.source.close()
