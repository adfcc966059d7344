"""The embedded log: durable topics and consumer groups in a folder, without a server.

Two files per topic: `<topic>.log` holds the records, one table per partition, and
`<topic>.groups` the groups' offsets and leases; apart, so that commits and publishing do not
wait for each other. Any number of processes of one machine may share the folder, and any of
them may be killed at any moment.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from earshot.log.contract import LogError, Record
from earshot.log.sqlite import group as sqlite_group
from earshot.log.sqlite.consumer import SqliteConsumer
from earshot.log.sqlite.file import SqliteFile
from earshot.log.sqlite.producer import SqliteProducer
from earshot.log.sqlite.records import (
    create_partitions,
    ends,
    identity,
    partition_count,
    read_records,
    trim_step,
)

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_TRIM_STEP = 500


class SqliteLog:
    """A log in `folder`, which is made if needed.

    `synchronous` is SQLite's word for the records: with FULL a flush survives a power cut,
    with NORMAL it survives any kill of processes. A member that has not polled or committed
    for `lease_s` seconds loses its partitions to others, so a batch must be handled in less.
    `max_topic_bytes` bounds the file of each topic. `clock` gives epoch seconds.
    """

    def __init__(
        self,
        folder: Path,
        synchronous: str = "FULL",
        clock: Callable[[], float] = time.time,
        *,
        lease_s: float = 5.0,
        max_topic_bytes: int | None = None,
    ) -> None:
        if synchronous not in {"FULL", "NORMAL"}:
            raise LogError(f"synchronous must be FULL or NORMAL, got {synchronous!r}")
        self._folder = folder
        self._synchronous = synchronous
        self._clock = clock
        self._lease_s = lease_s
        self._max_topic_bytes = max_topic_bytes
        self._lock = threading.RLock()
        self._files: dict[str, SqliteFile] = {}
        self._partitions: dict[str, int] = {}

    def create(self, topics: Mapping[str, int]) -> None:
        with self._lock:
            for topic, partitions in topics.items():
                if partitions < 1:
                    raise LogError(f"topic {topic!r} needs at least 1 partition, got {partitions}")
                create_partitions(self._shared(_records_name(topic)), partitions)
                sqlite_group.create(self._shared(_groups_name(topic)))

    def producer(self) -> SqliteProducer:
        return SqliteProducer(self.partitions, self.records_file, self._clock)

    def consumer(self, topic: str, group: str) -> SqliteConsumer:
        partitions = self.partitions(topic)
        groups = SqliteFile(self._folder / _groups_name(topic), "NORMAL")
        member = sqlite_group.Membership(groups, group, partitions, self._lease_s, self._clock)
        return SqliteConsumer(topic, group, self.records_file(topic), groups, member)

    def lag(self, topic: str, group: str) -> int:
        self.partitions(topic)
        with self._lock:
            done = sqlite_group.committed(self._shared(_groups_name(topic)), group)
            there = ends(self._shared(_records_name(topic)), self._partitions[topic])
        return sum(
            max(0, end - max(first, done.get(partition, 0)))
            for partition, (first, end) in enumerate(there)
        )

    def committed(self, topic: str, group: str) -> Mapping[int, int]:
        partitions = self.partitions(topic)
        with self._lock:
            done = sqlite_group.committed(self._shared(_groups_name(topic)), group)
        return {partition: done.get(partition, 0) for partition in range(partitions)}

    def rewind(self, topic: str, group: str, to: Mapping[int, int]) -> None:
        self.partitions(topic)
        with self._lock:
            sqlite_group.rewind(self._shared(_groups_name(topic)), group, to, self._clock())

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        partitions = self.partitions(topic)
        if not 0 <= partition < partitions:
            raise LogError(f"topic {topic!r} has no partition {partition}: it has {partitions}")
        with self._lock:
            file = self._shared(_records_name(topic))
            return read_records(file, topic, partition, offset, limit)

    def partitions(self, topic: str) -> int:
        with self._lock:
            known = self._partitions.get(topic)
            if known is not None:
                return known
            name = _records_name(topic)
            count = 0
            if (self._folder / name).exists():
                count = partition_count(self._shared(name))
            if count == 0:
                there = sorted(path.stem for path in self._folder.glob("*.log"))
                raise LogError(
                    f"no topic {topic!r} in {self._folder} (there are: {there}): create it"
                )
            self._partitions[topic] = count
            return count

    def identity(self, topic: str) -> str:
        self.partitions(topic)
        with self._lock:
            return identity(self._shared(_records_name(topic)))

    def trim(self, topic: str, keep_s: float) -> int:
        """Drop what every group committed and is older than `keep_s`; see `earshot.log`.

        A topic that no group ever read is kept whole. The space is used again, not given
        back to the disk.
        """
        partitions = self.partitions(topic)
        before, gone = self._clock() - keep_s, 0
        with self._lock:
            safe = sqlite_group.safe_offsets(self._shared(_groups_name(topic)))
            records = self._shared(_records_name(topic))
        for partition in range(partitions):
            dropped = _TRIM_STEP
            while dropped == _TRIM_STEP:  # each step commits, so that publishing never waits long
                with self._lock:
                    dropped = trim_step(
                        records, partition, safe.get(partition, 0), before, _TRIM_STEP
                    )
                gone += dropped
        return gone

    def close(self) -> None:
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def records_file(self, topic: str) -> SqliteFile:
        """A connection of its own to the records of `topic`."""
        return SqliteFile(
            self._folder / _records_name(topic), self._synchronous, self._max_topic_bytes
        )

    def _shared(self, name: str) -> SqliteFile:
        """The log's own connection to one file; used under the lock."""
        if name not in self._files:
            synchronous = "NORMAL" if name.endswith(".groups") else self._synchronous
            self._files[name] = SqliteFile(self._folder / name, synchronous)
        return self._files[name]


def _records_name(topic: str) -> str:
    if not _NAME.fullmatch(topic):
        raise LogError(f"topic {topic!r}: a name is 1 to 200 letters, digits, '.', '_' or '-'")
    return f"{topic}.log"


def _groups_name(topic: str) -> str:
    return f"{topic}.groups"
