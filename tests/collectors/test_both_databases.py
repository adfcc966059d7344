"""What platforms say wrongly, or ask us to wait for, as it is stored in either database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from collectors.collect import Collector
from collectors.contract.source import Source
from collectors.contract.validation import utc_now
from collectors.matching.matching import compile_queries
from collectors.platforms.bluesky.posts import REPLY_LENGTH
from collectors.platforms.bluesky.source import BlueskySource
from collectors.platforms.reddit.responder import RedditResponder
from collectors.platforms.reddit.source import RedditSource
from collectors.platforms.registry import PLATFORMS
from collectors.platforms.x.responder import XResponder
from collectors.platforms.x.source import XSource
from earshot.database import db
from earshot.database.tables import SourceHealthRow
from earshot.domain import ReplyState
from earshot.items import reply_length
from earshot.log.memory import MemoryLog
from earshot.log.topics import MENTIONS
from earshot.runtime.metrics import Metrics
from tests.builders import ManualClock
from tests.collectors.delivery.outbox_world import a_sender, one_reply, store_replies
from tests.collectors.platforms.bluesky import test_source as test_bluesky
from tests.collectors.platforms.bluesky.server import BlueskyServer
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.reddit import test_source as test_reddit
from tests.collectors.platforms.reddit.server import RedditServer
from tests.collectors.platforms.x import test_source as test_x
from tests.collectors.platforms.x.server import XServer
from tests.rows import database

DAY = timedelta(days=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database(database_url)
    yield made
    made.dispose()


@pytest.fixture
def x() -> Iterator[XServer]:
    with XServer() as server:
        yield server


@pytest.fixture
def reddit() -> Iterator[RedditServer]:
    with RedditServer() as server:
        yield server


def a_collector(source: Source, engine: Engine, clock: ManualClock) -> tuple[Collector, MemoryLog]:
    log = MemoryLog()
    log.create({MENTIONS.name: 1, MENTIONS.dead: 1})
    collector = Collector(
        brand="acme",
        name="sim",
        source=source,
        matcher=compile_queries({"name": "acme"}),
        sessions=db.open_sessions(engine),
        producer=log.producer(),
        metrics=Metrics("collect"),
        clock=clock,
        monotonic=clock.monotonic,
    )
    return collector, log


def health(engine: Engine) -> SourceHealthRow:
    with db.open_sessions(engine).begin() as session:
        return session.scalars(select(SourceHealthRow)).one()


def counts(log: MemoryLog) -> tuple[int, int]:
    """How many mentions and how many dead letters there are."""
    mentions, dead = (len(log.read(name, 0, 0, 99)) for name in (MENTIONS.name, MENTIONS.dead))
    return mentions, dead


def published(log: MemoryLog) -> list[str]:
    records = log.read(MENTIONS.name, 0, 0, 1_000)
    return [MENTIONS.decode(record.value).text for record in records]


def step_until(collector: Collector, clock: ManualClock, done: Callable[[], bool]) -> None:
    """Step at each due time until `done`; fails where that takes a hundred steps."""
    for _ in range(100):
        clock.now = max(clock.now, collector.step())
        if done():
            return
    raise AssertionError("it was not done in a hundred steps")


@pytest.mark.parametrize("key", ["reddit", "x"])
def test_a_source_writes_how_long_a_reply_may_be_there_even_when_it_fails(
    key: str, x: XServer, engine: Engine
) -> None:
    clock = ManualClock(utc_now())
    collector, _ = a_collector(XSource(test_x.config(x), clock), engine, clock)
    collector.reply_length = PLATFORMS[key].reply_length(None)
    x.mishap(Mishap("mentions", reply=Reply(500, {})))
    collector.step()
    collector.step()
    row = health(engine)
    assert reply_length.read(row.reply_length) == collector.reply_length


def test_a_source_that_says_nothing_of_it_leaves_what_was_said(x: XServer, engine: Engine) -> None:
    clock = ManualClock(utc_now())
    for length in (REPLY_LENGTH, None):
        collector, _ = a_collector(XSource(test_x.config(x), clock), engine, clock)
        collector.reply_length = length
        collector.step()
    assert reply_length.read(health(engine).reply_length) == REPLY_LENGTH


ODD_IDS: list[Any] = ["\ud800", "1\x00", None, 7, "abc", "9" * 5_000]


def test_rows_with_odd_ids_are_dead_letters_and_the_next_page_is_read(
    x: XServer, engine: Engine
) -> None:
    clock = ManualClock(utc_now())
    first = x.post("@acme one")
    rows = [x.tweets[first] | {"id": odd} for odd in ODD_IDS]
    page = {"data": [*rows, x.tweets[first]], "meta": {"result_count": 7}}
    x.mishap(Mishap("mentions", reply=Reply(200, page)))
    collector, log = a_collector(XSource(test_x.config(x), clock), engine, clock)
    collector.step()  # the very first poll asks the platform nothing
    clock.now = collector.step()
    assert counts(log) == (1, len(ODD_IDS))
    x.post("@acme two")
    collector, log = a_collector(XSource(test_x.config(x), clock), engine, clock)
    collector.step()
    assert (counts(log), health(engine).state) == ((1, 0), "ok")


def test_things_with_odd_names_are_dead_letters_and_the_next_page_is_read(
    reddit: RedditServer, engine: Engine
) -> None:
    clock = ManualClock(utc_now())
    root = reddit.submit("hm")
    good = reddit.thing(reddit.comment(root, "acme fails"))
    children = [{"kind": "t1", "data": good | {"name": name}} for name in ODD_IDS]
    children.append({"kind": "t1", "data": good})
    page = {"data": {"children": children, "after": None}}
    reddit.mishap(Mishap("/comments/", reply=Reply(200, page)))
    collector, log = a_collector(RedditSource(test_reddit.config(reddit), clock), engine, clock)
    collector.step()  # the very first poll asks the platform nothing
    clock.now = collector.step()
    assert counts(log) == (1, len(ODD_IDS))
    reddit.comment(root, "acme fails again")
    collector, log = a_collector(RedditSource(test_reddit.config(reddit), clock), engine, clock)
    collector.step()
    assert (counts(log), health(engine).state) == ((1, 0), "ok")


@pytest.mark.parametrize("told", ["1000000000", "9" * 18, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_of_years_is_a_day_in_the_health_of_its_source(
    x: XServer, engine: Engine, told: str
) -> None:
    clock = ManualClock(utc_now())
    x.mishap(Mishap("mentions", reply=Reply(429, {}, {"retry-after": told})))
    collector, _ = a_collector(XSource(test_x.config(x), clock), engine, clock)
    collector.step()  # the very first poll asks the platform nothing
    due = collector.step()
    row = health(engine)
    assert due - clock.now == DAY
    assert (row.state, row.next_poll_at) == ("failing", due)
    assert "429" in row.error


@pytest.mark.parametrize("path", ["search", "/2/tweets"])
def test_a_wait_of_years_is_a_day_for_a_reply(x: XServer, engine: Engine, path: str) -> None:
    clock = ManualClock(utc_now())
    store_replies(engine, [x.post("@acme help")])
    responder = XResponder(test_x.config(x), clock)
    sender = replace(a_sender(engine, responder, clock), responders={"sim": responder})
    x.mishap(Mishap(path, reply=Reply(429, {}, {"retry-after": "1000000000"})))
    sender.tick()
    reply = one_reply(engine)
    assert (reply.state, reply.not_before) == (ReplyState.QUEUED, clock.now + DAY)


def test_a_reply_waits_in_the_outbox_for_reddit_s_window_and_not_in_the_client(
    reddit: RedditServer, engine: Engine
) -> None:
    clock = ManualClock(utc_now())
    parent = reddit.comment(reddit.submit("Acme"), "it fails")
    store_replies(engine, [parent])
    responder = RedditResponder(test_reddit.config(reddit), clock)
    sender = replace(a_sender(engine, responder, clock), responders={"sim": responder})
    found: dict[str, Any] = {"data": {"children": [], "after": None}}
    reddit.mishap(Mishap("/api/info", reply=Reply(200, found, test_reddit.spent(reset=95))))
    sender.tick()
    reply = one_reply(engine)
    assert (reply.state, reply.not_before) == (
        ReplyState.QUEUED,
        clock.now + timedelta(seconds=95),
    )
    assert "used up" in reply.error
    assert [request.path for request in reddit.requests][-1] == "/api/info/"


@pytest.mark.parametrize("protocol", ["v2", "v1"])
def test_a_stream_that_brings_nothing_new_is_asked_a_handful_of_times_in_ten_seconds(
    engine: Engine, protocol: str
) -> None:
    clock = ManualClock(utc_now())
    with BlueskyServer() as server:
        server.post("acme is known")
        config = test_bluesky.config(server, protocol=protocol)
        source = BlueskySource(config, clock, wait_s=0.2)
        collector, log = a_collector(source, engine, clock)
        step_until(collector, clock, lambda: counts(log) == (1, 0))
        source.close()
        server.hangs_up, before, end = True, len(server.connects), clock.now + timedelta(seconds=10)
        for _ in range(100):
            due = collector.step()
            if due > clock.now:
                row = health(engine)
                assert (row.state, row.next_poll_at) == ("failing", due)
                assert "closed the connection" in row.error
                clock.now = due
            if clock.now > end:
                break
        assert len(server.connects) - before <= 5
        server.hangs_up = False
        server.post("acme is new")
        step_until(collector, clock, lambda: published(log)[-1] == "acme is new")
        assert health(engine).state == "ok"
        source.close()
