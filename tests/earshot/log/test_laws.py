"""The law of a log: whatever members do or suffer, accepted work is exactly what was sent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earshot.log.contract import Consumer, Log, Record
from earshot.log.memory import MemoryLog
from earshot.log.sqlite.consumer import SqliteConsumer
from earshot.log.sqlite.log import SqliteLog
from tests.earshot.log.log_members import Sent, Worker, by_key

SLOTS = 3
LEASE_S = 5.0


Steps = list[tuple[str, *tuple[int, ...]]]
"""Names of methods of `Run`, each with its arguments."""


class Run:
    """A log with one topic, a clock that a test moves, and places for three members."""

    def __init__(self, log: Log, die: Callable[[Consumer], None], tick: list[float]) -> None:
        self.log = log
        self.die = die
        self.tick = tick
        self.sent: list[Sent] = []
        self.done: list[Record] = []
        self.members: list[Worker | None] = [None] * SLOTS
        self.producer = log.producer()

    def send(self, key: int, count: int) -> None:
        for _ in range(count):
            record = (b"k%d" % key, b"%d" % len(self.sent))
            self.sent.append(record)
            self.producer.send("t", *record)
        self.producer.flush()

    def member(self, slot: int) -> Worker:
        found = self.members[slot]
        if found is None:
            found = self.members[slot] = Worker(self.log.consumer("t", "g"), self.done)
        return found

    def poll(self, slot: int, limit: int) -> None:
        self.member(slot).poll(limit, 0)

    def commit(self, slot: int) -> None:
        self.member(slot).commit()

    def leave(self, slot: int) -> None:
        self.member(slot).consumer.close()
        self.members[slot] = None

    def crash(self, slot: int) -> None:
        self.die(self.member(slot).consumer)
        self.members[slot] = None

    def wait(self, seconds: int) -> None:
        self.tick[0] += seconds

    def finish(self) -> None:
        """Everybody crashes; one survivor works off what is left, and nothing comes twice."""
        for slot in range(SLOTS):
            self.crash(slot)
        self.wait(100)
        survivor = self.member(0)
        while survivor.poll(limit=50, timeout_s=0):
            survivor.commit()
        assert self.log.lag("t", "g") == 0
        survivor.consumer.close()


KEY, SLOT, LIMIT = st.integers(0, 4), st.integers(0, SLOTS - 1), st.integers(1, 6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), KEY, LIMIT),
        st.tuples(st.just("poll"), SLOT, LIMIT),
        st.tuples(st.just("poll"), SLOT, LIMIT),
        st.tuples(st.just("commit"), SLOT),
        st.tuples(st.just("leave"), SLOT),
        st.tuples(st.just("crash"), SLOT),
        st.tuples(st.just("wait"), st.integers(1, 8)),
    ),
    max_size=60,
)


def follows_the_law(run: Run, steps: Steps) -> None:
    for name, *arguments in steps:
        getattr(run, name)(*arguments)
    run.finish()
    assert by_key(run.done) == by_key(run.sent)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_accepted_work_is_what_was_sent_in_memory(
    steps: Steps,
) -> None:
    log = MemoryLog()
    log.create({"t": 3})
    follows_the_law(Run(log, lambda consumer: consumer.close(), [0.0]), steps)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_accepted_work_is_what_was_sent_on_disk(
    steps: Steps,
) -> None:
    tick = [1e9]
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder), "NORMAL", clock=lambda: tick[0], lease_s=LEASE_S)
        log.create({"t": 3})
        follows_the_law(Run(log, vanish, tick), steps)
        log.close()


def vanish(consumer: Consumer) -> None:
    """Go as a killed process goes: without a word to the group."""
    assert isinstance(consumer, SqliteConsumer)
    consumer._closed = True
    consumer._groups.close()
    consumer._records.close()
