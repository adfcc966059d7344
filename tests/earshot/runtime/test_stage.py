"""The loop between two topics: nothing is lost by a crash, and nothing bad blocks the good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.domain import Classified, Mention
from earshot.log.contract import Consumer, Fenced, Log, Record
from earshot.log.memory import MemoryLog
from earshot.log.sqlite.log import SqliteLog
from earshot.log.topics import CLASSIFIED, MENTIONS, Malformed
from earshot.runtime.metrics import Metrics
from earshot.runtime.stage import (
    DEAD_LIMIT,
    FEW,
    GATHER_S,
    MANY,
    REASON_LIMIT,
    Stage,
    TooManyDead,
    rest_s,
)
from earshot.runtime.telemetry import Probe
from tests.builders import NOON, a_classification, a_mention
from tests.exposition import told


class Crash(Exception):
    """The process ended in the middle of a batch."""


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    made: Log = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log", "NORMAL")
    made.create(dict.fromkeys((MENTIONS.name, MENTIONS.dead, CLASSIFIED.name), 1))
    yield made
    made.close()


def publish(log: Log, values: Iterable[Mention | bytes]) -> None:
    producer = log.producer()
    for value in values:
        raw = value if isinstance(value, bytes) else MENTIONS.encode(value)
        producer.send(MENTIONS.name, b"k", raw, {"mention": "m"})
    producer.flush()
    producer.close()


def mentions(n: int) -> list[Mention]:
    return [a_mention(native_id=str(number)) for number in range(n)]


def judged(batch: Sequence[Mention]) -> list[Classified]:
    return [Classified(mention=m, classification=a_classification()) for m in batch]


def a_stage(
    handle: Callable[[Sequence[Mention]], Iterable[Classified]] = judged, batch_size: int = 500
) -> Stage[Mention, Classified]:
    return Stage(
        source=MENTIONS,
        sink=CLASSIFIED,
        handle=handle,
        metrics=Metrics("classify"),
        probe=Probe(time.monotonic),
        clock=lambda: NOON + timedelta(minutes=3),
        monotonic=time.monotonic,
        batch_size=batch_size,
    )


def drain(stage: Stage[Mention, Classified], log: Log) -> int:
    """Run the stage until nothing waits; how many records it carried."""
    consumer, producer, total = log.consumer(MENTIONS.name, "classify"), log.producer(), 0
    try:
        while n := stage.step(consumer, producer, timeout_s=0.05):
            total += n
        return total
    finally:
        consumer.close()
        producer.close()


def emitted(log: Log) -> list[str]:
    records = log.read(CLASSIFIED.name, 0, 0, 10_000)
    return [CLASSIFIED.decode(r.value).mention.native_id for r in records]


def dead(log: Log) -> Sequence[Record]:
    return log.read(MENTIONS.dead, 0, 0, 10_000)


def test_messages_go_through_in_order_and_offsets_move(log: Log) -> None:
    publish(log, mentions(25))
    assert drain(a_stage(batch_size=10), log) == 25
    assert emitted(log) == [str(n) for n in range(25)]
    assert log.lag(MENTIONS.name, "classify") == 0


def test_malformed_bytes_are_set_aside_and_the_rest_goes_on(log: Log) -> None:
    good = mentions(4)
    publish(log, [good[0], b"\xff\x00", good[1], b'{"brand": 3}', good[2], b"", good[3]])
    drain(a_stage(), log)
    assert emitted(log) == ["0", "1", "2", "3"]
    assert [r.value for r in dead(log)] == [b"\xff\x00", b'{"brand": 3}', b""]
    first, second, _ = [dict(r.headers) for r in dead(log)]
    assert (first["topic"], first["mention"]) == ("mentions", "m")
    assert first["from"].startswith("0:")
    assert "Expected `str`, got `int` - at `$.brand`" in second["reason"]


def test_what_a_handler_refuses_is_found_among_the_others(log: Log) -> None:
    def picky(batch: Sequence[Mention]) -> list[Classified]:
        if any(m.native_id in ("2", "3") for m in batch):
            raise Malformed("x" * 2 * REASON_LIMIT)
        return judged(batch)

    publish(log, mentions(6))
    drain(a_stage(picky), log)
    assert emitted(log) == ["0", "1", "4", "5"]
    assert [MENTIONS.decode(r.value).native_id for r in dead(log)] == ["2", "3"]
    assert {len(r.headers["reason"]) for r in dead(log)} == {REASON_LIMIT}


def test_the_age_of_what_a_stage_has_in_progress_is_told_until_nothing_waits(log: Log) -> None:
    name, seen = "earshot_oldest_in_progress_timestamp_seconds", []

    def watched(batch: Sequence[Mention]) -> list[Classified]:
        seen.append(told(stage.metrics, name))
        return judged(batch)

    stage = a_stage(watched)
    old = a_mention(native_id="old", collected_at=NOON - timedelta(minutes=2))
    publish(log, [a_mention(native_id="new"), old])
    drain(stage, log)
    assert seen == [{"mentions": old.collected_at.timestamp()}]
    assert told(stage.metrics, name) == {"mentions": 0}
    assert told(stage.metrics, "earshot_wait_seconds_sum") == {"": 300}
    assert told(stage.metrics, "earshot_dead_letters_total") == {"mentions": 0}


@pytest.mark.parametrize("batch_size", [7, 500])
@pytest.mark.parametrize("by", ["codec", "handler"])
def test_a_topic_of_nothing_but_rubbish_stops_the_stage(log: Log, by: str, batch_size: int) -> None:
    def refuse(batch: Sequence[Mention]) -> list[Classified]:
        raise Malformed("never")

    rubbish = [b"rubbish"] * 1_000 if by == "codec" else mentions(1_000)
    publish(log, rubbish)
    with pytest.raises(TooManyDead, match=r"'mentions' could not be handled.* nothing is lost"):
        drain(a_stage(refuse, batch_size), log)
    assert len(dead(log)) < DEAD_LIMIT
    assert log.lag(MENTIONS.name, "classify") == 1_000 - len(dead(log))


def test_rubbish_between_good_messages_never_stops_the_stage(log: Log) -> None:
    values = [v for m in mentions(150) for v in (b"rubbish", m)]
    publish(log, values)
    drain(a_stage(batch_size=40), log)
    assert (len(emitted(log)), len(dead(log))) == (150, 150)


def test_a_crash_in_the_handler_is_a_redelivery(log: Log) -> None:
    def crash(batch: Sequence[Mention]) -> list[Classified]:
        raise Crash

    publish(log, mentions(5))
    with pytest.raises(Crash):
        drain(a_stage(crash), log)
    assert log.lag(MENTIONS.name, "classify") == 5
    assert drain(a_stage(), log) == 5
    assert emitted(log) == ["0", "1", "2", "3", "4"]


class Unflushable:
    """A producer whose log has gone away: it takes, and can't make durable."""

    def send(self, *record: object) -> None:
        """Taken, and lost."""

    def flush(self, timeout_s: float = 30.0) -> None:
        raise Crash

    def close(self) -> None:
        """Nothing to give back."""


def test_offsets_stay_when_the_output_is_not_durable(log: Log) -> None:
    publish(log, [*mentions(3), b"rubbish"])
    consumer = log.consumer(MENTIONS.name, "classify")
    with pytest.raises(Crash):
        a_stage().step(consumer, Unflushable())
    consumer.close()
    assert log.lag(MENTIONS.name, "classify") == 4


class FencedOnce:
    """A member that loses its partitions just before its first commit."""

    def __init__(self, inner: Consumer) -> None:
        self.inner, self.lost = inner, False
        self.poll, self.close = inner.poll, inner.close

    def commit(self) -> None:
        if not self.lost:
            self.lost = True
            raise Fenced("another member has them")
        self.inner.commit()


def test_a_member_that_lost_its_partitions_goes_on_with_what_it_is_given(log: Log) -> None:
    publish(log, mentions(3))
    consumer, producer = FencedOnce(log.consumer(MENTIONS.name, "classify")), log.producer()
    stage = a_stage()
    assert stage.step(consumer, producer) == 0
    publish(log, [a_mention(native_id="3")])
    assert stage.step(consumer, producer) == 1
    consumer.close()
    assert log.lag(MENTIONS.name, "classify") == 0


def test_it_stops_after_the_batch_in_progress_and_leaves_the_group(log: Log) -> None:
    stop, seen = threading.Event(), list[int]()

    def stopping(batch: Sequence[Mention]) -> list[Classified]:
        seen.append(len(batch))
        stop.set()
        return judged(batch)

    publish(log, mentions(30))
    producer = log.producer()
    stage = a_stage(stopping, batch_size=10)
    stage.run(log.consumer(MENTIONS.name, "classify"), producer, stop)
    assert seen == [10]
    assert len(emitted(log)) == 10
    assert stage.probe.ready()
    assert drain(a_stage(), log) == 20  # at once: no lease has to lapse


@given(handled=st.integers(0, 5_000), took_s=st.floats(0.0, 10.0))
def test_a_stage_rests_only_on_a_busy_stream_and_never_for_long(
    handled: int, took_s: float
) -> None:
    rest = rest_s(handled, took_s)
    assert 0.0 <= rest <= GATHER_S
    if rest:
        assert FEW < handled < MANY
        assert rest + took_s == pytest.approx(GATHER_S)


def test_a_quiet_stream_and_a_full_step_are_gone_on_with_at_once() -> None:
    assert rest_s(FEW, 0.0) == rest_s(MANY, 0.0) == 0.0
    assert rest_s(FEW + 1, 0.0) == GATHER_S


def test_a_stage_without_a_sink_only_stores(log: Log) -> None:
    stored: list[str] = []

    def store(batch: Sequence[Mention]) -> list[Classified]:
        stored.extend(m.native_id for m in batch)
        return []

    publish(log, mentions(3))
    stage = a_stage(store)
    stage.sink = None
    assert drain(stage, log) == 3
    assert stored == ["0", "1", "2"]
    assert emitted(log) == []
