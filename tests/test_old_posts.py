"""Old posts on the whole way: from a platform over the log into items, and to whom they go.

The platforms are servers on loopback, read by tweepy, praw and the Jetstream reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import select

from classifier.classify import classified
from classifier.model.load import RULES, load_classifier
from collectors.collect import Collector
from collectors.contract.source import Source
from collectors.matching.matching import compile_queries
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.source import BlueskySource
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.source import RedditSource
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.source import XSource
from earshot.brand import Brand, TopicText
from earshot.database import db
from earshot.database.db import Sessions
from earshot.database.tables import EventRow, ItemRow, MentionRow, Table, VolumeRow
from earshot.domain import ItemFlag
from earshot.log.memory import MemoryLog
from earshot.log.topics import CLASSIFIED, MENTIONS
from earshot.runtime.metrics import Metrics
from router import sweep
from router.intake.opening import OLD
from router.route import Router
from tests.collectors.platforms.bluesky.server import BlueskyServer
from tests.collectors.platforms.reddit.server import ACCOUNT, USERNAME, RedditServer
from tests.collectors.platforms.x.server import BEARER, HANDLE, US, XServer
from tests.router.people import current, hire
from tests.router.policies import a_policy

BRAND = Brand(
    name="Acme",
    slug="acme",
    queries={"name": "acme"},
    topics={"outage": TopicText(description="outage, offline", examples=("the login is offline",))},
)
POLICY = a_policy()
QUESTION = "@acme how do I change my address?"
OUTAGE = "@acme the login is offline, is it an outage?"


def now() -> datetime:
    return datetime.now(UTC)


def ago(days: float) -> datetime:
    return now() - timedelta(days=days)


@dataclass
class Line:
    """Collector, classifier and router of one brand, in one process."""

    sessions: Sessions
    log: MemoryLog
    done: int = 0

    def collect(self, source: Source, name: str) -> None:
        for _ in range(8):  # each poll by a process of its own, from the saved cursor
            Collector(
                brand="acme",
                name=name,
                source=source,
                matcher=compile_queries(BRAND.queries),
                sessions=self.sessions,
                producer=self.log.producer(),
                metrics=Metrics("collect"),
                clock=now,
            ).step()
        source.close()
        self.route()

    def route(self) -> None:
        """Everything that was collected since, through the bytes of both topics."""
        records = self.log.read(MENTIONS.name, 0, self.done, 10_000)
        self.done += len(records)
        classifier = load_classifier(RULES, {"acme": BRAND})
        judged = classified([MENTIONS.decode(record.value) for record in records], classifier)
        batch = [CLASSIFIED.decode(CLASSIFIED.encode(one)) for one in judged]
        Router(self.sessions, {"acme": POLICY}, now).handle(batch)

    def items(self) -> Sequence[ItemRow]:
        with self.sessions() as session:
            return session.scalars(select(ItemRow).order_by(ItemRow.clock_started_at)).all()


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    engine = db.connect(database_url)
    Table.metadata.create_all(engine)
    log = MemoryLog()
    log.create({MENTIONS.name: 1, MENTIONS.dead: 1})
    yield Line(db.open_sessions(engine), log)
    engine.dispose()


def x_source(server: XServer, **changes: float) -> XSource:
    return XSource(
        msgspec.convert(
            {
                "account": HANDLE,
                "account_id": US,
                "bearer_token": BEARER,
                "endpoint": server.url,
                **changes,
            },
            XConfig,
        )
    )


def inbox(server: RedditServer) -> RedditSource:
    settings = {**ACCOUNT, "endpoint": server.url, "inbox": True}
    return RedditSource(msgspec.convert(settings, RedditConfig))


def test_posts_of_250_days_ago_on_x_never_go_before_three_outages_of_now(line: Line) -> None:
    hire(line.sessions, 1, 2, 3, teams=["tech"])
    with XServer() as server:
        for number in range(40):
            server.post(QUESTION, author=str(5_000 + number), at=ago(250))
        outages = [server.post(OUTAGE, author=str(6_000 + n)) for n in range(3)]
        line.collect(x_source(server), "x-mentions")
    assert [item.mention_id for item in line.items()] == [f"x:{one}" for one in outages]
    assert {item.priority for item in line.items()} == {"P1"}
    assert sweep.tick(line.sessions, {"acme": POLICY}, now()).offered == 3


def test_things_of_250_days_ago_on_reddit_are_history_and_never_go_before_three_outages(
    line: Line,
) -> None:
    hire(line.sessions, 1, 2, 3, teams=["tech"])
    with RedditServer() as server:
        for number in range(40):
            root = server.submit("Acme?")
            server.comment(root, f"u/{USERNAME} {QUESTION}", author=f"a{number}", at=ago(250))
        for number in range(3):
            server.comment(server.submit("Acme!"), f"u/{USERNAME} {OUTAGE}", author=f"o{number}")
        line.collect(inbox(server), "reddit-inbox")
    items = line.items()
    past, fresh = items[:40], items[40:]
    assert len(fresh) == 3
    for item in past:
        assert (item.state, item.state_reason) == ("new", OLD)
        assert (item.due_at, item.target, item.target_s) == (None, "", 0)
        assert item.flags & ItemFlag.HISTORY
    assert sweep.tick(line.sessions, {"acme": POLICY}, now()).offered == 3
    with line.sessions() as session:
        assert {one.item_id for one in current(session)} == {item.id for item in fresh}


def test_a_post_of_today_that_dates_itself_ten_years_back_is_of_today(line: Line) -> None:
    begun = now()
    with BlueskyServer() as server:
        source = BlueskySource(BlueskyConfig(endpoint=server.stream_url), wait_s=0.5)
        server.post("acme, how do I change my address?", at=ago(3_650))
        line.collect(source, "jetstream")
    [item] = line.items()
    assert begun <= item.clock_started_at <= now()
    assert item.due_at is not None
    assert item.due_at > begun
    assert (item.state, item.flags & ItemFlag.HISTORY) == ("queued", 0)
    with line.sessions() as session:
        mention = session.scalars(select(MentionRow)).one()
        assert mention.received_at == item.clock_started_at
        assert mention.published_at < ago(3_649)
        hour = session.scalars(select(VolumeRow.hour)).one()
        assert hour == int(item.clock_started_at.timestamp()) // 3600


def test_a_longer_first_stretch_is_work_with_the_promise_of_its_time(line: Line) -> None:
    with XServer() as server:
        made = ago(20).replace(microsecond=0)
        server.post(QUESTION, at=made)
        line.collect(x_source(server, first_days=30), "x-mentions")
    [item] = line.items()
    assert (item.state, item.clock_started_at) == ("queued", made)
    assert item.due_at is not None


def test_who_writes_again_in_a_thread_of_history_is_promised_an_answer(line: Line) -> None:
    with RedditServer() as server:
        source = inbox(server)
        root = server.submit("Acme?")
        first = server.comment(root, f"u/{USERNAME} {QUESTION}", at=ago(250))
        line.collect(source, "reddit-inbox")
        [past] = line.items()
        server.comment(first, f"u/{USERNAME} hello? {QUESTION}")
        line.collect(inbox(server), "reddit-inbox")
    [item] = line.items()
    assert (past.state, past.due_at) == ("new", None)
    assert (item.id, item.state, item.mentions) == (past.id, "queued", 2)
    assert item.clock_started_at > ago(0.01)
    assert item.due_at is not None
    with line.sessions() as session:
        kinds = list(session.scalars(select(EventRow.kind).where(EventRow.item_id == item.id)))
    assert kinds == ["mention.new", "mention.new"]
