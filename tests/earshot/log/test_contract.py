"""What every log promises (`earshot.log`), asked of each of the three, of Kafka in both forms."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import pytest

from earshot.log.contract import Fenced, Log, LogError, Producer, Record
from earshot.log.memory import MemoryLog
from earshot.log.partitioning import partition_of
from earshot.log.sqlite.log import SqliteLog
from tests.earshot.log.log_members import (
    Worker,
    by_key,
    new_topic,
    numbered,
    poll_together,
    publish,
    work_off,
    work_together,
)
from tests.system import wait_until

PACKED = "kafka, packed"
DURABLE = [
    "sqlite",
    pytest.param("kafka", marks=pytest.mark.services),
    pytest.param(PACKED, marks=pytest.mark.services),
]


@dataclass(frozen=True)
class Place:
    """A kind of log, where it keeps its records, and how to open it."""

    kind: str
    where: str
    open: Callable[[], Log]


@pytest.fixture(params=["memory", *DURABLE])
def kind(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if kind == "memory":
        return Place(kind, "", MemoryLog)
    if kind == "sqlite":
        return Place(kind, str(tmp_path), lambda: SqliteLog(tmp_path, lease_s=1.0))
    from earshot.log.kafka.log import KafkaLog

    bootstrap = request.getfixturevalue("kafka_bootstrap")
    most = 64 if kind == PACKED else 1
    return Place(
        kind,
        bootstrap,
        lambda: KafkaLog(bootstrap, "contract", session_timeout_s=2.0, messages_per_record=most),
    )


@pytest.fixture
def log(place: Place) -> Iterator[Log]:
    log = place.open()
    yield log
    log.close()


@pytest.fixture
def topic(log: Log) -> str:
    """A new topic with four partitions."""
    return new_topic(log, 4)


def test_records_of_one_key_stay_in_order_in_the_partition_of_their_key(
    log: Log, topic: str
) -> None:
    sent = numbered(300)
    publish(log, topic, sent)
    got = work_off(log, topic, "g", len(sent))
    assert by_key(got) == by_key(sent)
    assert all(record.partition == partition_of(record.key, 4) for record in got)
    assert {record.topic for record in got} == {topic}


def test_offsets_count_up_within_a_partition(log: Log, topic: str) -> None:
    publish(log, topic, numbered(100))
    publish(log, topic, numbered(100))
    last: dict[int, int] = {}
    for record in work_off(log, topic, "g", 200):
        assert record.offset > last.get(record.partition, -1)
        last[record.partition] = record.offset


def test_a_group_that_commits_gets_every_record_once_over_successive_members(
    log: Log, topic: str
) -> None:
    publish(log, topic, numbered(100))
    first = work_off(log, topic, "g", 100)
    publish(log, topic, numbered(50, start=100))
    second = work_off(log, topic, "g", 50)
    assert sorted(int(r.value) for r in [*first, *second]) == list(range(150))


def test_a_group_name_on_two_topics_is_two_groups(log: Log, topic: str) -> None:
    other = f"{topic}-other"
    log.create({other: 1})
    producer = log.producer()
    producer.send(topic, b"k", b"here")
    producer.send(other, b"k", b"there")
    producer.flush()
    members = {topic: log.consumer(topic, "g"), other: log.consumer(other, "g")}
    got: dict[str, list[bytes]] = {topic: [], other: []}
    until = time.monotonic() + 30
    while not all(got.values()) and time.monotonic() < until:
        for name, member in members.items():
            got[name] += [record.value for record in member.poll(10, 0.1)]
            member.commit()
    assert got == {topic: [b"here"], other: [b"there"]}
    assert log.lag(topic, "g") == log.lag(other, "g") == 0
    for member in members.values():
        member.close()


def test_two_groups_each_get_everything(log: Log, topic: str) -> None:
    publish(log, topic, numbered(60))
    assert len(work_off(log, topic, "one", 60)) == 60
    assert len(work_off(log, topic, "two", 60)) == 60


def test_poll_gives_at_most_the_limit_and_returns_empty_after_the_time(
    log: Log, topic: str
) -> None:
    publish(log, topic, numbered(100))
    worker = Worker(log.consumer(topic, "g"))
    while len(worker.done) < 100:
        assert len(worker.poll(7)) <= 7
        worker.commit()
    started = time.monotonic()
    assert not worker.poll(7, 0.3)
    assert 0.2 < time.monotonic() - started < 3
    worker.consumer.close()


def test_a_waiting_poll_wakes_up_for_a_new_record(log: Log, topic: str) -> None:
    consumer = log.consumer(topic, "g")
    consumer.poll(10, 1.0)
    sender = threading.Timer(0.2, publish, (log, topic, numbered(1)))
    sender.start()
    started = time.monotonic()
    assert len(consumer.poll(10, 20.0)) == 1
    assert time.monotonic() - started < 5
    sender.join()
    consumer.close()


def test_nothing_is_lost_or_mixed_when_members_join_and_leave(log: Log, topic: str) -> None:
    done: list[Record] = []
    workers = [Worker(log.consumer(topic, "g"), done) for _ in range(2)]
    wait_until_all_share(log, topic, workers)
    sent = numbered(400, keys=20)
    publish(log, topic, sent[:200])
    work_together(workers, lambda: any(record.key in by_key(sent) for record in done), limit=5)
    workers.append(Worker(log.consumer(topic, "g"), done))
    wait_until_all_share(log, topic, workers)
    publish(log, topic, sent[200:300])
    work_together(workers, lambda: sum(r.key in by_key(sent) for r in done) > 210, limit=5)
    workers.pop(0).consumer.close()
    publish(log, topic, sent[300:])
    wait_until_all_share(log, topic, workers)
    for worker in workers:
        worker.consumer.close()
    assert by_key(r for r in done if not r.key.startswith(b"probe")) == by_key(sent)


def wait_until_all_share(log: Log, topic: str, workers: list[Worker]) -> None:
    """Send probes, and let the members work all off, until each of them got some."""
    end = time.monotonic() + 60
    for worker in workers:
        worker.count = 0
    while not all(worker.count for worker in workers):
        assert time.monotonic() < end, f"the members got {[w.count for w in workers]} probes"
        for worker in workers:
            worker.count = 0
        publish(log, topic, [(b"probe-%d" % n, b"") for n in range(16)])
        work_together(workers, lambda: log.lag(topic, "g") == 0)


def test_what_was_not_committed_before_a_close_is_delivered_again(log: Log, topic: str) -> None:
    sent = numbered(100)
    publish(log, topic, sent[:50])
    worker = Worker(log.consumer(topic, "g"))
    work_together([worker], lambda: len(worker.done) >= 20, limit=10)
    publish(log, topic, sent[50:])
    while not worker.poll(10):
        pass
    worker.consumer.close()
    rest = work_off(log, topic, "g", 100 - len(worker.done))
    assert by_key([*worker.done, *rest]) == by_key(sent)


def test_the_next_member_goes_on_behind_the_last_commit(log: Log, topic: str) -> None:
    publish(log, topic, numbered(100))
    done: list[Record] = []
    while len(done) < 100:
        worker, before = Worker(log.consumer(topic, "g"), done), len(done)
        while len(done) == before:
            worker.turn(7)
        worker.poll(5)
        worker.consumer.close()
    assert sorted(int(record.value) for record in done) == list(range(100))


@pytest.mark.parametrize("kind", DURABLE)
def test_another_member_takes_over_from_a_killed_process(
    place: Place, log: Log, topic: str
) -> None:
    sent = numbered(40)
    publish(log, topic, sent)
    program = [sys.executable, "-m", "tests.earshot.log.doomed_member"]
    with subprocess.Popen(
        [*program, place.kind, place.where, topic, "g", "20"], stdout=subprocess.PIPE
    ) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == b"polled\n"
        doomed.kill()
    started = time.monotonic()
    assert by_key(work_off(log, topic, "g", 40)) == by_key(sent)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("kind", DURABLE)
def test_records_and_offsets_outlive_the_log_object(place: Place, log: Log, topic: str) -> None:
    publish(log, topic, numbered(30))
    work_off(log, topic, "g", 30)
    publish(log, topic, numbered(10, start=30))
    log.close()
    again = place.open()
    assert again.partitions(topic) == 4
    assert again.lag(topic, "g") == 10
    assert sorted(int(r.value) for r in work_off(again, topic, "g", 10)) == list(range(30, 40))
    again.close()


def test_a_member_that_lost_a_partition_cant_commit_it(log: Log, topic: str) -> None:
    sent = numbered(80)
    publish(log, topic, sent)
    done: list[Record] = []
    slow = Worker(log.consumer(topic, "g"), done)
    while len(slow.pending) < 80:
        slow.poll()
    quick = Worker(log.consumer(topic, "g"), done)
    end = time.monotonic() + 60
    while not quick.pending:  # the slow one meets the newcomer at its polls, uncommitted
        assert time.monotonic() < end
        poll_together([quick, slow])
    with pytest.raises(Fenced, match="redelivered"):
        slow.consumer.commit()
    slow.pending.clear()
    work_together([quick, slow], lambda: len(done) >= 80)
    assert by_key(done) == by_key(sent)
    slow.consumer.close()
    quick.consumer.close()


def test_commit_with_nothing_new_is_harmless_and_a_closed_member_says_so(
    log: Log, topic: str
) -> None:
    consumer = log.consumer(topic, "g")
    consumer.poll(1, 0.1)
    consumer.commit()
    consumer.close()
    consumer.close()
    with pytest.raises(LogError, match="closed"):
        consumer.poll(1, 0.1)
    with pytest.raises(LogError, match="closed"):
        consumer.commit()


def test_lag_counts_what_the_group_has_not_committed(log: Log, topic: str) -> None:
    assert log.lag(topic, "g") == 0
    publish(log, topic, numbered(30))
    assert log.lag(topic, "g") == 30
    worker = Worker(log.consumer(topic, "g"))
    while len(worker.pending) < 30:
        worker.poll()
    assert log.lag(topic, "g") == 30
    worker.commit()
    assert log.lag(topic, "g") == 0
    assert log.lag(topic, "another") == 30
    worker.consumer.close()


def test_a_group_is_taken_back_to_where_it_stood_and_never_ahead(log: Log, topic: str) -> None:
    assert log.committed(topic, "g") == dict.fromkeys(range(4), 0)
    sent = numbered(40)
    publish(log, topic, sent[:30])
    work_off(log, topic, "g", 30)
    before = log.committed(topic, "g")
    for number in range(4):
        assert log.read(topic, number, before[number], 100) == []
    publish(log, topic, sent[30:])
    work_off(log, topic, "g", 10)
    after = log.committed(topic, "g")

    def taken_back() -> bool:  # a member that has left may be one to Kafka for a moment
        try:
            log.rewind(topic, "g", before)
        except LogError:
            return False
        return True

    wait_until(taken_back, 30, "taken back")
    assert log.committed(topic, "g") == before
    assert log.lag(topic, "g") == 10
    again = work_off(log, topic, "g", 10)
    assert by_key(again) == by_key(sent[30:])
    wait_until(lambda: log.committed(topic, "g") == after, 30, "read again")
    log.rewind(topic, "g", {number: offset + 5_000 for number, offset in after.items()})
    assert log.committed(topic, "g") == after


def test_a_group_that_reads_is_not_taken_back(log: Log, topic: str) -> None:
    publish(log, topic, numbered(30))
    worker = Worker(log.consumer(topic, "g"))
    while len(worker.pending) < 30:
        worker.poll()
    worker.commit()
    with pytest.raises(LogError, match="stop its members"):
        log.rewind(topic, "g", dict.fromkeys(range(4), 0))
    assert log.lag(topic, "g") == 0
    worker.consumer.close()


def test_read_gives_one_partition_from_an_offset_outside_any_group(log: Log, topic: str) -> None:
    sent = numbered(30, keys=1)
    publish(log, topic, sent)
    number = partition_of(b"key-0", 4)
    records = log.read(topic, number, 0, 100)
    assert [record.value for record in records] == [value for _, value in sent]
    assert list(log.read(topic, number, records[10].offset, 5)) == list(records[10:15])
    assert not log.read(topic, number, records[-1].offset + 1, 5)
    assert not log.read(topic, (number + 1) % 4, 0, 5)
    assert log.lag(topic, "g") == 30


def test_create_keeps_what_is_there(log: Log, topic: str) -> None:
    publish(log, topic, numbered(5))
    log.create({topic: 7, f"{topic}.dead": 1})
    assert log.partitions(topic) == 4
    assert log.partitions(f"{topic}.dead") == 1
    assert log.lag(topic, "g") == 5


def test_an_unknown_topic_or_partition_is_named(log: Log, topic: str) -> None:
    missing = f"{topic}-missing"
    producer = log.producer()
    with pytest.raises(LogError, match=missing):
        log.partitions(missing)
    with pytest.raises(LogError, match=missing):
        log.consumer(missing, "g")
    with pytest.raises(LogError, match=missing):
        producer.send(missing, b"k", b"v")
    with pytest.raises(LogError, match=missing):
        log.lag(missing, "g")
    with pytest.raises(LogError, match=missing):
        log.identity(missing)
    with pytest.raises(LogError, match="partition 9"):
        log.read(topic, 9, 0, 1)
    producer.close()


def test_headers_and_odd_values_come_back_as_they_went(log: Log, topic: str) -> None:
    producer = log.producer()
    headers = {"reason": "naïve “quoted”, 例\n\x00", "empty": "", "": "no name"}
    large = bytes(range(250)) * 4000  # one megabyte
    producer.send(topic, b"k", b"", headers)
    producer.send(topic, b"k", large)
    producer.send(topic, b"", b"\x00\xff", {})
    producer.flush()
    producer.close()
    got = {(r.key, r.value): dict(r.headers) for r in work_off(log, topic, "g", 3)}
    assert got == {(b"k", b""): headers, (b"k", large): {}, (b"", b"\x00\xff"): {}}


class Bounded(Producer, Protocol):
    """What every producer of ours also shows."""

    @property
    def in_flight_bytes(self) -> int:
        """How many bytes were sent and are not known to be durable."""


def test_a_producer_bounds_what_is_in_flight_by_itself(log: Log, topic: str) -> None:
    producer = cast("Bounded", log.producer())
    most = 0
    for n in range(400):
        producer.send(topic, b"%d" % n, b"x" * 100_000)
        most = max(most, producer.in_flight_bytes)
    assert 0 < most <= 9 * 2**20
    producer.flush()
    assert producer.in_flight_bytes == 0
    assert len(work_off(log, topic, "g", 400)) == 400
    producer.close()


def test_each_topic_has_an_identity_that_stays(place: Place, log: Log, topic: str) -> None:
    other = f"{topic}-other"
    log.create({other: 1})
    named = {log.identity(topic), log.identity(other)}
    assert len(named) == 2
    assert "" not in named
    publish(log, topic, numbered(3))
    log.create({topic: 4})
    assert log.identity(topic) in named
    if place.kind != "memory":
        again = place.open()
        assert {again.identity(topic), again.identity(other)} == named
        again.close()


def test_trim_never_drops_what_a_group_may_need(log: Log, topic: str) -> None:
    publish(log, topic, numbered(40))
    assert log.trim(topic, 0.0) == 0  # nobody read it yet
    worker = Worker(log.consumer(topic, "g"))
    work_together([worker], lambda: len(worker.done) >= 10, limit=10)
    worker.consumer.close()
    rest = 40 - len(worker.done)
    assert log.trim(topic, 3600.0) == 0
    assert log.trim(topic, 0.0) in {0, len(worker.done)}
    assert log.lag(topic, "g") == rest
    assert len(work_off(log, topic, "g", rest)) == rest
