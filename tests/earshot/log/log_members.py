"""What the log's tests do as producers and as members of a group."""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from earshot.log.contract import Consumer, Fenced, Log, Record

Sent = tuple[bytes, bytes]
"""Key and value."""


def new_topic(log: Log, partitions: int) -> str:
    """Make a topic that no other test uses; its name."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    log.create({name: partitions})
    return name


def publish(log: Log, topic: str, records: Iterable[Sent]) -> None:
    """Send records and wait until they are durable."""
    producer = log.producer()
    for key, value in records:
        producer.send(topic, key, value)
    producer.flush()
    producer.close()


def numbered(count: int, keys: int = 5, start: int = 0) -> list[Sent]:
    """`count` records over some keys; the value is the record's number."""
    return [(b"key-%d" % (n % keys), b"%d" % n) for n in range(start, start + count)]


def by_key(records: Iterable[Record | Sent]) -> dict[bytes, list[bytes]]:
    """The values of each key, in order."""
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for record in records:
        key, value = (record.key, record.value) if isinstance(record, Record) else record
        found[key].append(value)
    return dict(found)


class Worker:
    """A member that counts a record as done when its commit is accepted, as a stage does.

    Workers that share the list `done` show the order in which their group did its work.
    """

    def __init__(self, consumer: Consumer, done: list[Record] | None = None) -> None:
        self.consumer = consumer
        self.pending: list[Record] = []
        self.done: list[Record] = [] if done is None else done
        self.count = 0

    def poll(self, limit: int = 100, timeout_s: float = 0.1) -> Sequence[Record]:
        records = self.consumer.poll(limit, timeout_s)
        self.pending += records
        return records

    def commit(self) -> None:
        try:
            self.consumer.commit()
        except Fenced:
            pass  # dropped: it is redelivered
        else:
            self.done += self.pending
            self.count += len(self.pending)
        self.pending = []

    def turn(self, limit: int = 100, timeout_s: float = 0.2) -> None:
        """Poll and commit once."""
        self.poll(limit, timeout_s)
        if self.pending:
            self.commit()


def work_together(
    workers: Sequence[Worker], until: Callable[[], bool], limit: int = 100, within_s: float = 60.0
) -> None:
    """Let all work at once, each in its thread, until something holds. Fails if it never does."""
    stop = threading.Event()

    def work(worker: Worker) -> None:
        while not stop.is_set():
            worker.turn(limit)

    end = time.monotonic() + within_s
    with ThreadPoolExecutor(len(workers)) as threads:
        working = [threads.submit(work, worker) for worker in workers]
        try:
            while not until() and not any(each.done() for each in working):
                assert time.monotonic() < end, f"not within {within_s} s"
                time.sleep(0.02)
        finally:
            stop.set()
        for each in working:
            each.result()


def poll_together(workers: Sequence[Worker], timeout_s: float = 1.0) -> None:
    """Let all poll once, at the same time; nobody commits."""
    with ThreadPoolExecutor(len(workers)) as threads:
        list(threads.map(lambda worker: worker.poll(timeout_s=timeout_s), workers))


def work_off(log: Log, topic: str, group: str, count: int) -> list[Record]:
    """All that a new member of the group is given, at least `count` records; commits."""
    worker = Worker(log.consumer(topic, group))
    work_together([worker], lambda: len(worker.done) >= count)
    worker.turn(timeout_s=0.2)  # whatever comes on top shows a duplicate
    worker.consumer.close()
    return worker.done
