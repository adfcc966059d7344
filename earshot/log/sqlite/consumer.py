"""One member of a group, reading the embedded log."""

from __future__ import annotations

import time
from collections.abc import Sequence

from earshot.log.contract import Fenced, LogError, Record
from earshot.log.partitioning import Positions, quota
from earshot.log.sqlite.file import SqliteFile
from earshot.log.sqlite.group import Membership
from earshot.log.sqlite.records import read_records

_SHORTEST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.05
_ALERT_S = 2.0
"""For how long after a record the next is looked for at the shortest pause: it may be urgent."""


class SqliteConsumer:
    """Joins its group when made. Its partitions may change at every poll, and only there."""

    def __init__(
        self, topic: str, group: str, records: SqliteFile, groups: SqliteFile, member: Membership
    ) -> None:
        self._topic = topic
        self._group = group
        self._records = records
        self._groups = groups
        self._member = member
        self._positions = Positions()
        self._turn = 0
        self._drained_at: int | None = None
        self._fed_at = 0.0
        self._closed = False

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        self._check_open()
        until = time.monotonic() + timeout_s
        pause = _SHORTEST_PAUSE_S
        while True:
            if self._member.stale():
                self._positions.adopt(self._member.settle())
                self._drained_at = None
            records = self._fetch(limit)
            now = time.monotonic()
            if records:
                self._fed_at = now
            if records or now >= until:
                return records
            time.sleep(min(pause, until - now))
            if now - self._fed_at > _ALERT_S:
                pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def commit(self) -> None:
        self._check_open()
        positions = self._positions
        upto = positions.uncommitted()
        if not positions.lost and self._member.commit(upto, positions.leases):
            positions.committed()
            return
        positions.rewind()
        self._drained_at = None
        raise Fenced(
            f"member {self._member.id} of group {self._group!r} lost partitions of"
            f" {self._topic!r} before its commit: poll again, what it held is redelivered; if"
            " this repeats, handle smaller batches"
        )

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._member.leave()
        finally:
            self._groups.close()
            self._records.close()

    def _fetch(self, limit: int) -> list[Record]:
        version = self._records.version()
        if version == self._drained_at:
            return []  # nothing was written since everything was read
        found: list[Record] = []
        self._turn += 1
        order = self._positions.rotation(self._turn)
        for waiting in (len(order), 1):  # a fair share for each first, then who has more
            more = []
            for partition in order:
                room = min(limit - len(found), quota(limit, waiting))
                here = self._read(partition, room) if room > 0 else []
                found += here
                if len(here) == room:
                    more.append(partition)
            order = more
        if not found:
            self._drained_at = version
        return found

    def _read(self, partition: int, room: int) -> list[Record]:
        start = self._positions.next[partition]
        records = read_records(self._records, self._topic, partition, start, room)
        if records:
            self._positions.delivered(partition, records[-1].offset + 1)
        return records

    def _check_open(self) -> None:
        if self._closed:
            raise LogError(
                f"this consumer of {self._topic!r}, group {self._group!r} is closed: make a new one"
            )
