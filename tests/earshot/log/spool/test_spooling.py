"""A producer with a spool: whatever the log does, what was flushed arrives, in order."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.log.contract import LogError, Producer, PublishFailed, Record
from earshot.log.memory import MemoryLog
from earshot.log.spool.spool import Spool
from earshot.log.spool.spooling import LARGEST, RETRY_S, SpoolingProducer
from tests.earshot.log.log_members import by_key


class Moody:
    """A log that may be away; of a flush that fails it may have taken any part."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.log.create({"t": 2})
        self.away = False
        self.takes = 0
        self.connections = 0

    def connect(self) -> Producer:
        self._answer()
        self.connections += 1
        return MoodyProducer(self)

    def _answer(self) -> None:
        if self.away:
            raise LogError("nobody answers at k:1")

    def records(self) -> list[Record]:
        return [r for number in range(2) for r in self.log.read("t", number, 0, 10_000)]


class MoodyProducer:
    def __init__(self, moody: Moody) -> None:
        self._moody = moody
        self._inner = moody.log.producer()
        self._sent: list[tuple[str, bytes, bytes, Mapping[str, str] | None]] = []

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self._sent.append((topic, key, value, headers))

    def flush(self, timeout_s: float = 30.0) -> None:
        taken = self._sent[: self._moody.takes] if self._moody.away else self._sent
        for message in taken:
            self._inner.send(*message)
        self._inner.flush()
        self._sent = []
        if self._moody.away:
            raise PublishFailed("no answer")

    def close(self) -> None:
        self._inner.close()


class Run:
    """A collector's producer on a moody log, with a clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 0.0
        self.moody = Moody()
        self.sent: list[tuple[bytes, bytes]] = []
        self.durable = 0
        self.producer = self.started()

    def started(self) -> SpoolingProducer:
        spool = Spool(self.folder / "s.spool")
        return SpoolingProducer(self.moody.connect, spool, 1_000, monotonic=lambda: self.now)

    def send(self, key: int, count: int) -> None:
        for _ in range(count):
            message = (b"k%d" % key, b"%d" % len(self.sent))
            self.sent.append(message)
            self.producer.send("t", *message)

    def flush(self) -> None:
        self.producer.flush()
        self.durable = len(self.sent)

    def drain(self) -> None:
        self.now += RETRY_S
        self.producer.drain()

    def leave(self, takes: int) -> None:
        self.moody.away, self.moody.takes = True, takes

    def come_back(self) -> None:
        self.moody.away = False

    def crash(self) -> None:
        """What was not flushed is lost, and sent again: the cursor was not saved."""
        self.producer.close()
        del self.sent[self.durable :]
        self.producer = self.started()

    def finish(self) -> None:
        self.come_back()
        self.flush()
        self.drain()
        self.flush()
        assert self.producer.backlog() is None


STEP = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 3), st.integers(1, 5)),
    st.tuples(st.just("flush")),
    st.tuples(st.just("flush")),
    st.tuples(st.just("drain")),
    st.tuples(st.just("drain")),
    st.tuples(st.just("leave"), st.integers(0, 6)),
    st.tuples(st.just("come_back")),
    st.tuples(st.just("crash")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_what_was_flushed_arrives_and_never_overtakes(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        for name, *arguments in steps:
            getattr(run, name)(*arguments)
        run.finish()
        run.producer.close()
    arrived, wanted = by_key(run.moody.records()), by_key(run.sent)
    for key, values in wanted.items():
        # a value may come twice, and again with those behind it; its last coming is in order
        last = list(dict.fromkeys(reversed(arrived[key])))[::-1]
        assert [value for value in last if value in values] == values


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_log_that_answers_gets_all_at_once_and_the_spool_nothing(run: Run) -> None:
    run.producer.drain()
    run.send(0, 10)
    run.flush()
    assert len(run.moody.records()) == 10
    assert run.producer.backlog() is None
    assert not (run.folder / "s.spool").exists()


def test_what_waits_is_told_with_the_reason_and_the_share_of_the_limit(run: Run) -> None:
    run.leave(0)
    run.producer.drain()
    run.send(0, 4)
    run.flush()
    backlog = run.producer.backlog()
    assert backlog is not None
    assert (backlog.messages, backlog.share) == (4, 12 / 1_000)
    assert "nobody answers" in backlog.reason


def test_new_records_wait_behind_the_spooled_ones(run: Run) -> None:
    run.leave(0)
    run.send(1, 5)
    run.flush()
    run.come_back()
    run.send(1, 5)
    run.flush()  # the log answers, but what waits goes first
    assert not run.moody.records()
    run.drain()
    run.send(1, 5)
    run.flush()
    assert [int(r.value) for r in run.moody.records()] == list(range(15))


def test_a_log_that_is_away_is_asked_now_and_then_and_by_a_new_client(run: Run) -> None:
    run.producer.drain()
    assert run.moody.connections == 1
    run.leave(0)
    run.send(0, 1)
    run.flush()
    run.come_back()
    run.producer.drain()
    assert run.producer.backlog() is not None  # too soon
    run.drain()
    assert run.producer.backlog() is None
    assert run.moody.connections == 2


def test_a_record_that_no_log_takes_is_refused_at_once(run: Run) -> None:
    with pytest.raises(PublishFailed, match=str(LARGEST)):
        run.producer.send("t", b"k", b"x" * (LARGEST + 1))
    run.flush()
    assert not (run.folder / "s.spool").exists()
