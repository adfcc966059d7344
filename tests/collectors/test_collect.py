"""Collecting: what a source gives is durable before its cursor moves, whatever dies when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from collectors.collect import BACKOFF_S, Collector
from collectors.contract.source import Batch, Cursor, Gap, Limit, PlatformError, Post, Rejected
from collectors.intake.receipts import Receipt, write_receipts
from collectors.matching.addressed import IN_THREAD
from collectors.matching.matching import compile_queries
from collectors.platforms.recorded.config import RecordedConfig
from collectors.platforms.recorded.source import RecordedSource
from earshot.database import db
from earshot.database.tables import CursorRow, EventRow, ReceiptRow, SourceHealthRow
from earshot.domain import TEXT_LIMIT, TOMBSTONE, Mention, Op
from earshot.log.contract import Log, Producer
from earshot.log.memory import MemoryLog
from earshot.log.spool.spooling import Backlog
from earshot.log.sqlite.log import SqliteLog
from earshot.log.topics import MENTIONS
from earshot.runtime.metrics import Metrics
from tests.builders import NOON, ManualClock, an_author
from tests.exposition import told
from tests.rows import a_mention_row, a_person, a_reply, add_item, an_item, database


def a_post(native_id: str, **changes: Any) -> Post:
    columns: dict[str, Any] = {
        "native_id": native_id,
        "thread": native_id,
        "author": an_author(),
        "text": "acme is broken",
        "url": "",
        "published_at": NOON,
    }
    return Post(**columns | changes)


@dataclass
class Script:
    """A source that plays what it is given; the cursor counts the batches it has shown."""

    batches: dict[str, list[Batch | PlatformError]]
    everything: bool = False
    account: str = "acme-care"
    platform: str = "simulator"
    limits: Sequence[Limit] = ()
    poll_every_s: float = 5.0
    keeps_history: bool = True
    asked: list[tuple[str, Cursor | None]] = field(default_factory=list)
    closed: bool = False

    def parts(self) -> Sequence[str]:
        return tuple(self.batches)

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        self.asked.append((part, cursor))
        at = cursor["at"] if cursor else 0
        script = self.batches[part]
        if at >= len(script):
            return Batch(posts=(), cursor=cursor or {"at": 0})
        now = script[at]
        if isinstance(now, PlatformError):
            script.pop(at)
            raise now
        return Batch(
            posts=now.posts,
            cursor={"at": at + 1},
            more=at + 1 < len(script),
            gap=now.gap,
            rejected=now.rejected,
        )

    def close(self) -> None:
        self.closed = True


def posts(*all_posts: Post, **rest: Any) -> Batch:
    return Batch(posts=all_posts, cursor={}, **rest)


class Crash(Exception):
    """The collector's process ended here."""


@dataclass
class Mortal:
    """Counts the steps of a collector and ends it at the step numbered `at`."""

    at: int = -1
    step: int = 0

    def pass_by(self) -> None:
        self.step += 1
        if self.step - 1 == self.at:
            raise Crash


@dataclass
class MortalProducer:
    inner: Producer
    mortal: Mortal

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self.mortal.pass_by()
        self.inner.send(topic, key, value, headers)

    def flush(self, timeout_s: float = 30.0) -> None:
        self.mortal.pass_by()
        self.inner.flush(timeout_s)
        self.mortal.pass_by()

    def close(self) -> None:
        self.inner.close()


class MortalSessions(sessionmaker[Session]):
    def __init__(self, engine: Engine, mortal: Mortal) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._mortal = mortal

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self._mortal.pass_by()
        with super().begin() as session:
            yield session
            self._mortal.pass_by()
        self._mortal.pass_by()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    made: Log = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log", "NORMAL")
    made.create({MENTIONS.name: 1, MENTIONS.dead: 1})
    yield made
    made.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(f"sqlite:///{tmp_path / 'e.db'}")
    yield made
    made.dispose()


Make = Callable[..., Collector]


@pytest.fixture
def collector(engine: Engine, log: Log, clock: ManualClock) -> Make:
    def make(source: Script, mortal: Mortal | None = None, **changes: Any) -> Collector:
        mortal = mortal or Mortal()
        columns: dict[str, Any] = {
            "brand": "acme",
            "name": "sim",
            "source": source,
            "matcher": compile_queries({"name": "acme"}),
            "sessions": MortalSessions(engine, mortal),
            "producer": MortalProducer(log.producer(), mortal),
            "metrics": Metrics("collect"),
            "clock": clock,
            "monotonic": clock.monotonic,
        }
        return Collector(**columns | changes)

    return make


def settle(collector: Collector, clock: ManualClock, steps: int = 12) -> None:
    """Step until the source has shown all it has."""
    for _ in range(steps):
        clock.now = max(clock.now, collector.step())


def published(log: Log) -> list[Mention]:
    return [MENTIONS.decode(r.value) for r in log.read(MENTIONS.name, 0, 0, 10_000)]


def rows(engine: Engine, table: Any) -> list[Any]:
    with db.open_sessions(engine).begin() as session:
        return list(session.scalars(select(table)))


# ---------------------------------------------------------------- never lost, never twice


def test_a_crash_at_any_step_loses_nothing_and_repeats_no_receipt(
    tmp_path: Path, clock: ManualClock
) -> None:
    for at in range(60):
        folder = tmp_path / str(at)
        folder.mkdir()
        engine, log, mortal = database(f"sqlite:///{folder / 'e.db'}"), MemoryLog(), Mortal(at)
        log.create({MENTIONS.name: 1, MENTIONS.dead: 1})
        source = Script(
            {
                "p": [
                    posts(a_post("1"), a_post("2")),
                    posts(a_post("1", op=Op.EDIT, revision=1), a_post("3", text="other")),
                    posts(rejected=[Rejected(raw=b"{", reason="not JSON")]),
                    posts(a_post("2", op=Op.DELETE, revision=TOMBSTONE, text="", thread="")),
                ]
            }
        )

        def make(mortal: Mortal, log: Log = log, engine: Engine = engine) -> Collector:
            return Collector(
                brand="acme",
                name="sim",
                source=source,  # noqa: B023 -- called within the turn
                matcher=compile_queries({"name": "acme"}),
                sessions=MortalSessions(engine, mortal),
                producer=MortalProducer(log.producer(), mortal),
                metrics=Metrics("collect"),
                clock=clock,
            )

        try:
            settle(make(mortal), clock)
        except Crash:
            settle(make(Mortal()), clock)
        found = {(m.native_id, m.revision) for m in published(log)}
        assert found == {("1", 0), ("2", 0), ("1", 1), ("2", TOMBSTONE)}, at
        receipts = [(r.mention_id, r.revision) for r in rows(engine, ReceiptRow)]
        assert len(receipts) == len(set(receipts)) == 5, at
        assert rows(engine, CursorRow)[0].cursor == {"at": 4}
        assert {r.value for r in log.read(MENTIONS.dead, 0, 0, 99)} == {b"{"}
        engine.dispose()
        if mortal.step <= at:
            break
    assert mortal.step <= at, "there are more steps than were tried"
    assert at > 15


def test_a_crash_at_any_step_of_a_first_connection_changes_nothing_about_what_is_history(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "posts.jsonl"
    ages = [timedelta(days=2, hours=hours) for hours in (-30, -2, 0, 2, 30)]
    lines = [a_post(str(n), published_at=NOON - age) for n, age in enumerate(ages)]
    path.write_bytes(b"".join(msgspec.json.encode(post) + b"\n" for post in lines))
    for at in range(14):
        clock.now = NOON
        folder = tmp_path / str(at)
        folder.mkdir()
        engine, log = database(f"sqlite:///{folder / 'e.db'}"), MemoryLog()
        log.create({MENTIONS.name: 1, MENTIONS.dead: 1})

        def make(mortal: Mortal, log: Log = log, engine: Engine = engine) -> Collector:
            return Collector(
                brand="acme",
                name="file",
                source=RecordedSource(RecordedConfig(path=str(path)), now=clock),
                matcher=compile_queries({"name": "acme"}),
                sessions=MortalSessions(engine, mortal),
                producer=MortalProducer(log.producer(), mortal),
                metrics=Metrics("collect"),
                clock=clock,
            )

        try:
            settle(make(Mortal(at)), clock)
        except Crash:
            clock.advance(3 * 3_600)
            settle(make(Mortal()), clock)
        said = {(mention.native_id, mention.history) for mention in published(log)}
        assert len(said) == len(lines), f"crash at step {at}: {sorted(said)}"
        engine.dispose()


def test_what_the_platform_says_of_its_own_times_travels_with_the_mention(
    collector: Make, log: Log, clock: ManualClock
) -> None:
    times = {"received_at": NOON + timedelta(seconds=1), "edited_at": NOON + timedelta(minutes=1)}
    edit = a_post("1", op=Op.EDIT, revision=1, history=True, **times)
    settle(collector(Script({"p": [posts(edit)]})), clock)
    [mention] = published(log)
    assert (mention.received_at, mention.edited_at) == tuple(times.values())
    assert mention.history


def test_the_cursor_moves_only_when_the_log_has_it(
    collector: Make, engine: Engine, log: Log
) -> None:
    source = Script({"p": [posts(a_post("1"))]})
    with pytest.raises(Crash):
        collector(source, Mortal(1)).step()  # the flush
    assert rows(engine, CursorRow) == rows(engine, ReceiptRow) == published(log) == []


def test_a_new_process_goes_on_where_the_cursor_stands(collector: Make, clock: ManualClock) -> None:
    source = Script({"p": [posts(a_post("1")), posts(a_post("2"))]})
    collector(source).step()
    collector(source).step()
    assert source.asked == [("p", None), ("p", {"at": 1})]


def test_every_part_has_a_cursor_of_its_own(
    collector: Make, engine: Engine, log: Log, clock: ManualClock
) -> None:
    source = Script({"a": [posts(a_post("1"))], "b": [posts(a_post("2")), posts(a_post("3"))]})
    settle(collector(source), clock)
    assert {r.part: r.cursor["at"] for r in rows(engine, CursorRow)} == {"a": 1, "b": 2}
    assert [m.native_id for m in published(log)] == ["1", "2", "3"]


# ---------------------------------------------------------------- what is kept


def test_only_what_matches_becomes_a_mention(
    collector: Make, log: Log, engine: Engine, clock: ManualClock
) -> None:
    source = Script({"p": [posts(a_post("1"), a_post("2", text="something else"))]})
    settle(collector(source), clock)
    (mention,) = published(log)
    assert (mention.native_id, mention.queries, mention.matched) == ("1", ("name",), ("acme",))
    assert (mention.brand, mention.source, mention.collected_at) == ("acme", "sim", NOON)
    assert [r.mention_id for r in rows(engine, ReceiptRow)] == ["simulator:1"]


def test_a_source_that_asks_for_mentions_itself_needs_no_match(
    collector: Make, log: Log, clock: ManualClock
) -> None:
    source = Script({"p": [posts(a_post("1", text="x" * (TEXT_LIMIT + 9)))]}, everything=True)
    settle(collector(source), clock)
    (mention,) = published(log)
    assert (mention.queries, len(mention.text)) == (("sim",), TEXT_LIMIT)


def test_changes_of_what_is_known_pass_and_of_what_is_not_do_not(
    collector: Make, log: Log, clock: ManualClock
) -> None:
    gone = {"op": Op.DELETE, "revision": TOMBSTONE, "text": "", "thread": ""}
    source = Script(
        {
            "p": [
                posts(a_post("1", thread="t"), a_post("2")),
                posts(
                    a_post("1", op=Op.EDIT, revision=1, text="never mind", thread="t"),
                    a_post("9", op=Op.EDIT, revision=1, text="never mind"),
                    a_post("8", op=Op.EDIT, revision=1, text="now about acme"),
                ),
                posts(a_post("1", **gone), a_post("7", **gone)),
                posts(a_post("5", thread="u"), a_post("5", **gone)),
            ]
        }
    )
    settle(collector(source), clock)
    found = [(m.native_id, m.op, m.thread, m.queries) for m in published(log)]
    assert found == [
        ("1", Op.CREATE, "t", ("name",)),
        ("2", Op.CREATE, "2", ("name",)),
        ("1", Op.EDIT, "t", ()),
        ("8", Op.EDIT, "8", ("name",)),
        ("1", Op.DELETE, "t", ()),
        ("5", Op.CREATE, "u", ("name",)),
        ("5", Op.DELETE, "u", ()),
    ]


def test_an_answer_to_a_reply_of_ours_is_kept_whatever_it_says(
    collector: Make, log: Log, engine: Engine, clock: ManualClock
) -> None:
    with db.open_sessions(engine).begin() as session:
        session.add(a_person())
        session.flush()
        add_item(session, an_item())
        session.add(a_reply(native_id="1", state="confirmed"))
        session.flush()
        session.scalars(select(a_reply().__class__)).one().native_id = "ours"
    answers = [
        a_post("5", parent="ours", text="thanks!"),
        a_post("6", parent="theirs", text="thanks!"),
    ]
    settle(collector(Script({"p": [posts(*answers)]})), clock)
    assert [(m.native_id, m.queries, m.addressed) for m in published(log)] == [
        ("5", (IN_THREAD,), True)
    ]


@pytest.mark.parametrize("state", ["sending", "unknown", "failed"])
def test_an_answer_to_a_reply_whose_name_is_not_known_yet_is_kept(
    state: str, collector: Make, log: Log, engine: Engine, clock: ManualClock
) -> None:
    with db.open_sessions(engine).begin() as session:
        session.add(a_person())
        session.flush()
        add_item(session, an_item())
        session.add(a_reply(native_id="1", state=state, attempts=1))
    answers = [
        a_post("5", thread="1", parent="not known yet", text="thanks!"),
        a_post("6", thread="1", text="by the way"),
        a_post("7", thread="2", parent="not known yet", text="thanks!"),
    ]
    settle(collector(Script({"p": [posts(*answers)]})), clock)
    assert [(m.native_id, m.queries, m.addressed) for m in published(log)] == [
        ("5", (IN_THREAD,), True)
    ]


def test_what_could_not_be_parsed_is_a_dead_letter_with_a_receipt(
    collector: Make, log: Log, engine: Engine, clock: ManualClock
) -> None:
    rejected = [
        Rejected(raw=b"\xff{", reason="no id"),
        Rejected(raw=b"{}", reason="no text", native_id="7"),
    ]
    settle(collector(Script({"p": [posts(rejected=rejected)]})), clock)
    letters = log.read(MENTIONS.dead, 0, 0, 10)
    assert [(r.value, r.headers["reason"]) for r in letters] == [
        (b"\xff{", "no id"),
        (b"{}", "no text"),
    ]
    assert {r.headers["mention"] for r in letters} == {
        r.mention_id for r in rows(engine, ReceiptRow)
    }
    assert {(r.headers["brand"], r.headers["source"]) for r in letters} == {("acme", "sim")}
    assert letters[1].headers["mention"] == "simulator:7"


def test_two_brands_of_one_platform_do_not_see_each_other(
    collector: Make, log: Log, engine: Engine, clock: ManualClock
) -> None:
    gone = a_post("1", op=Op.DELETE, revision=TOMBSTONE, text="", thread="")
    settle(collector(Script({"p": [posts(a_post("1"))]})), clock)
    settle(collector(Script({"p": [posts(gone)]}), brand="zen"), clock)
    assert [(m.brand, m.op) for m in published(log)] == [("acme", Op.CREATE)]
    assert {r.brand for r in rows(engine, CursorRow)} == {"acme", "zen"}
    assert {r.brand for r in rows(engine, ReceiptRow)} == {"acme"}


# ---------------------------------------------------------------- how it fares


def health(engine: Engine) -> SourceHealthRow:
    (row,) = rows(engine, SourceHealthRow)
    assert isinstance(row, SourceHealthRow)
    return row


def test_health_tells_what_was_collected_and_when(
    collector: Make, engine: Engine, clock: ManualClock
) -> None:
    settle(collector(Script({"p": [posts(a_post("1")), posts(a_post("2"))]})), clock)
    row = health(engine)
    assert (row.state, row.error, row.collected, row.last_post_at) == ("ok", "", 2, NOON)
    assert row.next_poll_at is not None
    assert row.polled_at is not None
    assert row.next_poll_at - row.polled_at == timedelta(seconds=5)


def test_a_failing_source_rests_longer_each_time_and_recovers(
    collector: Make, engine: Engine, clock: ManualClock
) -> None:
    down = [PlatformError("the platform is down; wait") for _ in range(4)]
    made = collector(Script({"p": [*down, posts(a_post("1"))]}))
    rests = []
    for _ in range(4):
        due = made.step()
        rests.append((due - clock.now).total_seconds())
        row = health(engine)
        assert (row.state, row.error) == ("failing", "the platform is down; wait")
        assert (row.failing_since, row.next_poll_at) == (NOON, due)
        clock.now = due
    assert rests == [1, 2, 4, 8]
    made.step()
    row = health(engine)
    assert (row.state, row.error, row.failing_since) == ("ok", "", None)
    events = [(e.kind, e.after["state"]) for e in rows(engine, EventRow)]
    assert events == [("source.health", "failing"), ("source.health", "ok")]


def test_an_idle_source_that_recovers_says_so_at_once(
    collector: Make, engine: Engine, clock: ManualClock
) -> None:
    source = Script({"p": [posts(a_post("1"))]})
    made = collector(source)
    settle(made, clock, 2)
    source.batches["p"].append(PlatformError("down"))
    clock.now = made.step()
    assert health(engine).state == "failing"
    made.step()
    assert health(engine).state == "ok"


@dataclass
class Faulty(Script):
    """A source with a mistake in it: what the platform said is too much for it."""

    fault: Exception = field(default_factory=lambda: ValueError("invalid literal: 'ana said'"))

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        if part == "faulty":
            raise self.fault
        return super().poll(part, cursor)


@pytest.mark.parametrize(
    "fault", [ValueError("ana said"), KeyError("ana said"), RecursionError("ana said")]
)
def test_a_mistake_in_one_source_is_its_own_failure_and_ends_nothing_else(
    collector: Make, engine: Engine, log: Log, clock: ManualClock, fault: Exception
) -> None:
    made = collector(Faulty({"faulty": [], "p": [posts(a_post("1"))]}, fault=fault))
    due = made.step()
    assert due == clock.now + timedelta(seconds=BACKOFF_S[0])
    assert [mention.native_id for mention in published(log)] == ["1"]
    row = health(engine)
    assert row.state == "failing"
    assert type(fault).__name__ in row.error
    assert "ana said" not in row.error


@pytest.mark.parametrize(
    ("error", "rest_s", "state"),
    [
        (PlatformError("slow down", retry_after_s=77), 77, "failing"),
        (PlatformError("slow down", retry_after_s=1e12), 86_400, "failing"),
        (PlatformError("wrong token", permanent=True), BACKOFF_S[1], "stopped"),
    ],
)
def test_the_platforms_word_and_a_lasting_fault_decide_the_rest(
    collector: Make, engine: Engine, clock: ManualClock, error: PlatformError, rest_s: float,
    state: str,
) -> None:  # fmt: skip
    due = collector(Script({"p": [error]})).step()
    assert (due - clock.now).total_seconds() == rest_s
    row = health(engine)
    assert (row.state, row.next_poll_at) == (state, due)


def test_a_part_that_is_well_does_not_hide_one_that_is_not(
    collector: Make, engine: Engine, clock: ManualClock
) -> None:
    bad = [PlatformError("wrong token", permanent=True) for _ in range(9)]
    source = Script({"bad": list(bad), "good": [posts(a_post(str(n))) for n in range(5)]})
    settle(collector(source), clock, 4)
    row = health(engine)
    assert (row.state, row.error, row.failing_since) == ("stopped", "wrong token", NOON)
    assert row.collected > 0


def test_a_gap_is_an_event_with_its_reason(
    collector: Make, engine: Engine, clock: ManualClock
) -> None:
    gap = Gap(reason="the window was overrun", since=NOON, until=NOON + timedelta(hours=1))
    settle(collector(Script({"p": [posts(gap=gap)]})), clock)
    (event,) = rows(engine, EventRow)
    assert (event.kind, event.subject, event.why) == (
        "source.gap",
        "sim",
        {"reason": "the window was overrun"},
    )
    assert event.after["part"] == "p"


def test_the_metrics_tell_when_a_source_was_last_well_and_how_often_it_lost(
    collector: Make, clock: ManualClock
) -> None:
    metrics = Metrics("collect")
    script = Script({"p": [posts(gap=Gap(reason="overrun")), PlatformError("down")]})
    made = collector(script, metrics=metrics)
    begun = clock.now
    clock.advance(60)
    made.step()
    well = clock.now
    clock.advance(60)
    made.step()
    assert begun < well < clock.now
    polled_at = well.timestamp()
    assert told(metrics, "earshot_source_polled_timestamp_seconds") == {"sim": polled_at}
    assert told(metrics, "earshot_source_gaps_total") == {"sim": 1}
    assert told(metrics, "earshot_source_errors_total") == {"sim": 1}
    assert told(metrics, "earshot_posts_rejected_total") == {"sim": 0}


def test_an_idle_source_does_not_write_at_every_poll(
    collector: Make, engine: Engine, clock: ManualClock
) -> None:
    mortal = Mortal()
    made = collector(Script({"p": [posts(a_post("1"))]}), mortal)
    settle(made, clock, 1)
    before = mortal.step
    made.step()
    assert mortal.step == before
    clock.advance(11)
    made.step()
    assert mortal.step > before


@pytest.mark.parametrize("hours", [1, 400 * 24, -1])
def test_a_step_of_the_clock_stops_no_source_and_hurries_none(
    collector: Make, engine: Engine, clock: ManualClock, hours: float
) -> None:
    source = Script({"ok": [posts(a_post("1"))], "ill": [PlatformError("down") for _ in range(9)]})
    made = collector(source)

    def polls_in(seconds: int) -> list[str]:
        before = len(source.asked)
        for _ in range(seconds):
            made.step()
            clock.advance(1)
            assert made.rest_s() <= BACKOFF_S[1]
        return [part for part, _ in source.asked[before:]]

    polls_in(1)
    made.step()
    clock.jump(hours=hours)
    ahead = polls_in(60)
    clock.jump(hours=-hours)
    back = polls_in(60)
    for polled in (ahead, back):
        assert 11 <= polled.count("ok") <= 13  # every five seconds
        assert 1 <= polled.count("ill") <= 5  # after one, two, four, eight … seconds
    row = health(engine)
    assert row.polled_at is not None
    assert abs(row.polled_at - clock()) <= timedelta(seconds=15)


def test_a_post_of_our_own_account_is_marked_as_such(collector: Make, log: Log) -> None:
    ours = an_author(id="acme-care", handle="acme_care")
    collector(Script({"p": [posts(a_post("1", author=ours), a_post("2"))]})).step()
    assert [mention.own for mention in published(log)] == [True, False]


def test_release_0_1_finds_our_own_post_where_it_looks(collector: Make, log: Log) -> None:
    ours = an_author(id="acme-care", handle="acme_care")
    collector(Script({"p": [posts(a_post("1", author=ours), a_post("2"))]})).step()
    assert [mention.address.get("own") for mention in published(log)] == ["1", None]


def test_a_closed_account_deletes_every_mention_of_its_author(
    collector: Make, log: Log, engine: Engine
) -> None:
    with db.open_sessions(engine).begin() as session:
        for native_id, thread, author in (("1", "t", "gone"), ("2", "t", "gone"), ("3", "u", "u")):
            session.add(a_mention_row(native_id, thread=thread, author_id=author))
    closed = a_post("gone", author=an_author(id="gone"), op=Op.DELETE, revision=TOMBSTONE, text="")
    source = Script({"p": [posts(closed)]})
    with db.open_sessions(engine).begin() as session:
        for native_id in ("1", "2", "3"):
            receipts = [Receipt(mention_id=f"simulator:{native_id}", revision=0, thread="t")]
            write_receipts(session, "acme", "sim", receipts, NOON)
    collector(source).step()
    assert sorted((m.native_id, m.thread, m.op) for m in published(log)) == [
        ("1", "t", Op.DELETE),
        ("2", "t", Op.DELETE),
    ]


# ---------------------------------------------------------------- while the log is away


@pytest.mark.parametrize(("keeps_history", "share"), [(True, 0.5), (False, 1.0)])
def test_a_source_waits_while_there_is_no_room_and_goes_on_where_it_was(
    collector: Make,
    engine: Engine,
    log: Log,
    clock: ManualClock,
    *,
    keeps_history: bool,
    share: float,
) -> None:
    backlog: Backlog | None = Backlog(700, share - 0.01, "nobody answers at k:9092")
    batches: list[Batch | PlatformError] = [posts(a_post("1")), posts(a_post("2"))]
    source = Script({"main": batches}, keeps_history=keeps_history)
    made = collector(source, backlog=lambda: backlog)
    made.step()
    assert [m.native_id for m in published(log)] == ["1"]
    assert health(engine).state == "delayed"
    backlog = Backlog(1_400, share, "nobody answers at k:9092")
    for _ in range(20):
        clock.now = max(clock.now, made.step())
    assert len(source.asked) == 1
    told = health(engine)
    assert told.state == "delayed"
    assert told.error.startswith("not read until there is room again: 1400 records")
    backlog = None
    settle(made, clock)
    assert [m.native_id for m in published(log)] == ["1", "2"]
    assert (health(engine).state, health(engine).error) == ("ok", "")
