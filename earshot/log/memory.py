"""A log in memory, for unit tests and for what need not outlive its process.

It keeps the contract of `earshot.log` word for word: records show only after a flush, groups
share partitions and rebalance at poll, and a commit after losing a partition is fenced. The
objects of one log may be used from several threads.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from earshot.log.contract import Fenced, LogError, Record
from earshot.log.partitioning import Lease, Positions, partition_of, quota, rebalance

IN_FLIGHT_RECORDS = 2_000
IN_FLIGHT_BYTES = 8 * 2**20
"""A producer that holds this much publishes by itself, inside `send`."""


@dataclass(slots=True)
class _Partition:
    records: list[Record] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    end: int = 0

    def since(self, offset: int, limit: int) -> list[Record]:
        start = bisect_left(self.records, offset, key=lambda record: record.offset)
        return self.records[start : start + limit]


class _Group:
    def __init__(self, partitions: int) -> None:
        self.members: set[str] = set()
        self.owners: list[str | None] = [None] * partitions
        self.leases = [Lease(epoch=0, committed=0)] * partitions


class MemoryLog:
    """Topics in this process's memory. `clock` gives epoch seconds and is asked by `trim`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._topics: dict[str, list[_Partition]] = {}
        self._identities: dict[str, str] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._names = itertools.count(1)
        self._changed = threading.Condition()

    def create(self, topics: Mapping[str, int]) -> None:
        with self._changed:
            for name, partitions in topics.items():
                if partitions < 1:
                    raise LogError(f"topic {name!r} needs at least 1 partition, got {partitions}")
                self._topics.setdefault(name, [_Partition() for _ in range(partitions)])
                self._identities.setdefault(name, secrets.token_hex(16))

    def producer(self) -> MemoryProducer:
        return MemoryProducer(self)

    def consumer(self, topic: str, group: str) -> MemoryConsumer:
        return MemoryConsumer(self, topic, group, f"member-{next(self._names)}")

    def lag(self, topic: str, group: str) -> int:
        with self._changed:
            leases = self._group(topic, group).leases
            return sum(
                len(partition.since(lease.committed, len(partition.records)))
                for partition, lease in zip(self._partitions(topic), leases, strict=True)
            )

    def committed(self, topic: str, group: str) -> Mapping[int, int]:
        with self._changed:
            leases = self._group(topic, group).leases
            return {number: lease.committed for number, lease in enumerate(leases)}

    def rewind(self, topic: str, group: str, to: Mapping[int, int]) -> None:
        with self._changed:
            of = self._group(topic, group)
            if of.members:
                raise LogError(f"group {group!r} reads {topic!r}: stop its members first")
            for number, offset in to.items():
                lease = of.leases[number]
                of.leases[number] = Lease(lease.epoch + 1, min(lease.committed, offset))

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        with self._changed:
            partitions = self._partitions(topic)
            if not 0 <= partition < len(partitions):
                raise LogError(
                    f"topic {topic!r} has no partition {partition}: it has {len(partitions)}"
                )
            return partitions[partition].since(offset, limit)

    def partitions(self, topic: str) -> int:
        with self._changed:
            return len(self._partitions(topic))

    def identity(self, topic: str) -> str:
        with self._changed:
            self._partitions(topic)
            return self._identities[topic]

    def trim(self, topic: str, keep_s: float) -> int:
        with self._changed:
            groups = [group for (name, _), group in self._groups.items() if name == topic]
            before, gone = self._clock() - keep_s, 0
            for number, partition in enumerate(self._partitions(topic)):
                safe = min((group.leases[number].committed for group in groups), default=0)
                old = sum(
                    record.offset < safe and at < before
                    for record, at in zip(partition.records, partition.times, strict=True)
                )
                del partition.records[:old], partition.times[:old]
                gone += old
            return gone

    def close(self) -> None:
        """Nothing to give back: what was published stays for whoever holds this object."""

    def append(self, records: Sequence[tuple[str, bytes, bytes, Mapping[str, str]]]) -> None:
        """Publish (topic, key, value, headers) in order, all at once."""
        with self._changed:
            now = self._clock()
            for topic, key, value, headers in records:
                partitions = self._partitions(topic)
                number = partition_of(key, len(partitions))
                to = partitions[number]
                to.records.append(Record(topic, number, to.end, key, value, headers))
                to.times.append(now)
                to.end += 1
            self._changed.notify_all()

    def join(self, topic: str, group: str, member: str) -> None:
        with self._changed:
            self._group(topic, group).members.add(member)
            self._changed.notify_all()

    def leave(self, topic: str, group: str, member: str) -> None:
        with self._changed:
            of = self._group(topic, group)
            of.members.discard(member)
            of.owners = [None if owner == member else owner for owner in of.owners]
            self._changed.notify_all()

    def poll(
        self, topic: str, group: str, member: str, positions: Positions, limit: int, turn: int
    ) -> list[Record]:
        """Settle the member's share and deliver what waits for it; never blocks."""
        with self._changed:
            of = self._group(topic, group)
            shift = rebalance(of.owners, of.members, member)
            for number in shift.give:
                of.owners[number] = None
            for number in shift.take:
                of.owners[number] = member
                of.leases[number] = Lease(of.leases[number].epoch + 1, of.leases[number].committed)
            if shift.give:
                self._changed.notify_all()
            positions.adopt({p: of.leases[p] for p, o in enumerate(of.owners) if o == member})
            return self._deliver(self._partitions(topic), positions, limit, turn)

    @staticmethod
    def _deliver(
        partitions: list[_Partition], positions: Positions, limit: int, turn: int
    ) -> list[Record]:
        found: list[Record] = []
        order = positions.rotation(turn)
        for waiting in (len(order), 1):  # a fair share for each first, then who has more
            for number in order:
                room = min(limit - len(found), quota(limit, waiting))
                here = partitions[number].since(positions.next[number], room)
                if here:
                    positions.delivered(number, here[-1].offset + 1)
                    found += here
        return found

    def wait(self, timeout_s: float) -> None:
        """Sleep until something was published or a group changed, or the time is over."""
        with self._changed:
            self._changed.wait(timeout_s)

    def commit(self, topic: str, group: str, member: str, positions: Positions) -> None:
        with self._changed:
            of = self._group(topic, group)
            upto = positions.uncommitted()
            lost = positions.lost | {
                p
                for p in upto
                if of.owners[p] != member or of.leases[p].epoch != positions.leases[p].epoch
            }
            if lost:
                positions.rewind()
                raise Fenced(
                    f"{member} of group {group!r} lost partitions {sorted(lost)} of {topic!r} "
                    "before its commit: poll again, what it held is redelivered"
                )
            for number, offset in upto.items():
                of.leases[number] = Lease(of.leases[number].epoch, offset)
            positions.committed()

    def _partitions(self, topic: str) -> list[_Partition]:
        found = self._topics.get(topic)
        if found is None:
            raise LogError(
                f"no topic {topic!r} in this log (there are: {sorted(self._topics)}): create it"
            )
        return found

    def _group(self, topic: str, group: str) -> _Group:
        partitions = len(self._partitions(topic))
        return self._groups.setdefault((topic, group), _Group(partitions))


class MemoryProducer:
    """Buffers until `flush`, as a log on a disk or a network does."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._buffer: list[tuple[str, bytes, bytes, Mapping[str, str]]] = []
        self._bytes = 0

    @property
    def in_flight_bytes(self) -> int:
        return self._bytes

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self._log.partitions(topic)  # an unknown topic is told here, not at the flush
        self._buffer.append((topic, key, value, dict(headers or {})))
        self._bytes += len(key) + len(value)
        if len(self._buffer) >= IN_FLIGHT_RECORDS or self._bytes >= IN_FLIGHT_BYTES:
            self.flush()

    def flush(self, timeout_s: float = 30.0) -> None:
        records, self._buffer, self._bytes = self._buffer, [], 0
        self._log.append(records)

    def close(self) -> None:
        self._buffer, self._bytes = [], 0


class MemoryConsumer:
    """One member of a group. It joins when made, and holds its share until it closes."""

    def __init__(self, log: MemoryLog, topic: str, group: str, member: str) -> None:
        self._log = log
        self._place = (topic, group, member)
        self._positions = Positions()
        self._turn = 0
        self._closed = False
        log.join(topic, group, member)

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        until = time.monotonic() + timeout_s
        while True:
            self._check_open()
            self._turn += 1
            records = self._log.poll(*self._place, self._positions, limit, self._turn)
            left = until - time.monotonic()
            if records or left <= 0:
                return records
            self._log.wait(min(left, 0.05))  # bounded: a change between poll and wait is missed

    def commit(self) -> None:
        self._check_open()
        self._log.commit(*self._place, self._positions)

    def close(self) -> None:
        self._closed = True
        self._log.leave(*self._place)

    def _check_open(self) -> None:
        if self._closed:
            topic, group, member = self._place
            raise LogError(f"{member} of group {group!r} on {topic!r} is closed: make a new one")
