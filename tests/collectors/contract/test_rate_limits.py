"""What platforms say about their rate limits is told, as it stands at the moment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from collectors.collect import Collector
from collectors.contract.rate_limits import RateLimit, RateLimits, read, record
from collectors.contract.source import Source
from collectors.contract.validation import utc_now
from collectors.matching.matching import compile_queries
from collectors.platforms.bluesky.responder import BlueskyResponder
from collectors.platforms.reddit.source import RedditSource
from collectors.platforms.registry import PLATFORMS
from collectors.platforms.x.responder import XResponder
from collectors.platforms.x.source import XSource
from earshot.database import db
from earshot.log.memory import MemoryLog
from earshot.log.topics import MENTIONS
from earshot.runtime.metrics import Metrics
from tests.builders import NOON, ManualClock
from tests.collectors.delivery.outbox_world import a_sender, store_replies
from tests.collectors.platforms.bluesky import test_source as test_bluesky
from tests.collectors.platforms.bluesky.server import SIGN_INS, BlueskyServer
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.reddit import test_source as test_reddit
from tests.collectors.platforms.reddit.server import RedditServer
from tests.collectors.platforms.x import server as x_server
from tests.collectors.platforms.x import test_source as test_x
from tests.collectors.platforms.x.server import XServer
from tests.exposition import told
from tests.rows import database

QUARTER = timedelta(minutes=15)
LATER = NOON + QUARTER


def epoch(at: datetime) -> str:
    return str(int(at.timestamp()))


def x_says(remaining: object, limit: object = 450, until: datetime = LATER) -> dict[str, str]:
    return {
        "x-rate-limit-limit": str(limit),
        "x-rate-limit-remaining": str(remaining),
        "x-rate-limit-reset": epoch(until),
    }


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, []),
        (x_says(449), [RateLimit(449, 450, LATER)]),
        (
            {"ratelimit-limit": "3000", "ratelimit-remaining": "2990"}
            | {"ratelimit-reset": epoch(LATER), "ratelimit-policy": "3000;w=300"},
            [RateLimit(2990, 3000, LATER)],
        ),
        (
            {"x-ratelimit-remaining": "996.0", "x-ratelimit-used": "4", "x-ratelimit-reset": "900"},
            [RateLimit(996, 1000, LATER)],
        ),
        (
            x_says(199, 200)
            | {"x-user-limit-24hour-limit": "17", "x-user-limit-24hour-remaining": "3"}
            | {"x-user-limit-24hour-reset": epoch(LATER)},
            [RateLimit(199, 200, LATER), RateLimit(3, 17, LATER)],
        ),
        (x_says(500), [RateLimit(450, 450, LATER)]),
        (x_says(-1), [RateLimit(0, 450, LATER)]),
        (x_says(0, 0), []),
        (x_says("many"), []),
        (x_says("nan"), []),
        (x_says(1, "1e999"), []),
        ({"x-rate-limit-remaining": "5"}, []),
        (x_says(1, until=NOON - QUARTER), [RateLimit(1, 450, NOON)]),
        (x_says(1, until=NOON + timedelta(900)), [RateLimit(1, 450, NOON + timedelta(1))]),
    ],
)
def test_each_platform_s_headers_are_read(headers: dict[str, str], found: list[RateLimit]) -> None:
    read_by_its_platform = [
        [one for known in PLATFORMS[key].limit_headers if (one := read(known, headers, NOON))]
        for key in PLATFORMS
    ]
    assert [limits for limits in read_by_its_platform if limits] == ([found] if found else [])


EVERY = [known for platform in PLATFORMS.values() for known in platform.limit_headers]
NAMES = [*x_says(0), "x-ratelimit-remaining", "x-ratelimit-used", "x-ratelimit-reset"]


@given(st.dictionaries(st.sampled_from(NAMES), st.floats().map(str) | st.text()))
def test_whatever_a_platform_says_a_share_is_between_nothing_and_all(
    headers: dict[str, str],
) -> None:
    for known in EVERY:
        rate_limit = read(known, headers, NOON)
        assert rate_limit is None or 0 <= rate_limit.share <= 1
        assert rate_limit is None or NOON <= rate_limit.until <= NOON + timedelta(days=1)


def test_of_several_limits_the_scarcest_counts_until_it_starts_anew() -> None:
    rate_limits = RateLimits(EVERY)
    assert rate_limits.scarcest(NOON) is None
    rate_limits.note("GET /mentions", x_says(440), NOON)
    rate_limits.note("POST /tweets", x_says(2, 100, NOON + QUARTER / 3), NOON)
    rate_limits.note("GET /mentions", {}, NOON)
    assert rate_limits.scarcest(NOON) == RateLimit(2, 100, NOON + QUARTER / 3)
    assert rate_limits.scarcest(NOON + QUARTER / 2) == RateLimit(440, 450, LATER)
    assert rate_limits.scarcest(LATER) == RateLimit(450, 450, LATER)


def test_what_is_over_is_not_kept() -> None:
    rate_limits, now = RateLimits(EVERY), NOON
    for number in range(100):
        rate_limits.note(f"GET /thread/{number}", x_says(1, until=now + QUARTER), now)
        now += QUARTER
    assert len(rate_limits._told) == 1


def gauges(metrics: Metrics, of: str) -> tuple[float, float]:
    names = ("earshot_rate_limit_remaining", "earshot_rate_limit_requests")
    remaining, limit = (told(metrics, name)[of] for name in names)
    return remaining, limit


def test_who_is_told_nothing_is_not_a_number() -> None:
    metrics = Metrics("collect")
    record(metrics, object(), "sim", NOON)
    assert all(map(math.isnan, gauges(metrics, "sim")))


@pytest.fixture
def x() -> Iterator[XServer]:
    with XServer() as server:
        yield server


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(f"sqlite:///{tmp_path / 'earshot.db'}")
    yield made
    made.dispose()


def collector(source: Source, engine: Engine) -> Collector:
    log = MemoryLog()
    log.create({MENTIONS.name: 1, MENTIONS.dead: 1})
    return Collector(
        brand="acme",
        name="x-mentions",
        source=source,
        matcher=compile_queries({"name": "acme"}),
        sessions=db.open_sessions(engine),
        producer=log.producer(),
        metrics=Metrics("collect"),
        clock=utc_now,
    )


def test_a_collector_tells_what_x_still_takes_of_it_also_when_that_is_nothing(
    x: XServer, engine: Engine
) -> None:
    source = XSource(test_x.config(x))
    made = collector(source, engine)
    assert all(map(math.isnan, gauges(made.metrics, "x-mentions")))
    made.step()  # the very first poll asks the platform nothing
    made.step()
    assert gauges(made.metrics, "x-mentions") == (x_server.ALLOWED - 1, x_server.ALLOWED)
    spent = x_says(0, x_server.ALLOWED, utc_now() + QUARTER)
    x.mishap(Mishap("mentions", reply=Reply(429, {}, spent)))
    made.parts["mentions"].due_at = None
    made.step()
    assert gauges(made.metrics, "x-mentions") == (0, x_server.ALLOWED)
    source.close()


def test_a_sender_tells_what_x_still_takes_of_its_scarcest_route(
    x: XServer, engine: Engine
) -> None:
    clock = ManualClock(utc_now())
    store_replies(engine, [x.post("@acme help")])
    responder = XResponder(test_x.config(x))
    sender = replace(a_sender(engine, responder, clock), responders={"sim": responder})
    assert all(map(math.isnan, gauges(sender.metrics, "sim")))
    assert sender.tick() == 1
    assert gauges(sender.metrics, "sim") == (
        x_server.ALLOWED - max(x.spent.values()),
        x_server.ALLOWED,
    )
    responder.close()


def test_what_praw_s_answers_say_is_known() -> None:
    with RedditServer() as server:
        source = RedditSource(test_reddit.config(server))
        now = utc_now()
        source.poll("comments", {"v": 1, "seen": []})
        left = source.rate_limits.scarcest(now)
        assert left is not None
        assert (left.remaining, left.limit) == (990, 1000)
        source.close()


def test_what_bluesky_s_answers_say_is_known() -> None:
    with BlueskyServer() as server:
        responder = BlueskyResponder(test_bluesky.config(server))
        responder.send(test_bluesky.answer(server, server.post("Acme is down")))
        left = responder.rate_limits.scarcest(utc_now())
        assert left is not None
        assert (left.remaining, left.limit) == (SIGN_INS - 1, SIGN_INS)
        responder.close()
