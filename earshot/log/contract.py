"""The log: the seam between stages. Topics of keyed records, consumer groups, offsets.

Three implementations, held to one contract by `tests/earshot/log/test_contract.py`:
`MemoryLog` (here, for unit tests), `earshot.log.sqlite.log.SqliteLog` (one machine, no server)
and `earshot.log.kafka.log.KafkaLog` (production).

What the contract promises:

* records of one key stay in order, within one partition;
* each partition belongs to at most one live member of a group;
* a record whose offset was not committed is delivered again after a crash or a rebalance;
* `flush` returns only when everything sent before it is durable, and raises otherwise;
* a member that lost a partition can't commit it (`Fenced`), and what it held is redelivered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class LogError(Exception):
    """The log could not do what was asked; the message says what, where and what to do."""


class PublishFailed(LogError):
    """At least one record sent since the last flush is not durable: do not go on."""


class Fenced(LogError):
    """The member no longer holds what it tried to commit: poll again, it is redelivered."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as consumed. `offset` counts up within its partition, gaps are allowed.

    A struct, which is made in an eighth of a dataclass's time: there is one for each message
    at each hop.
    """

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Mapping[str, str] = {}


class Producer(Protocol):
    """Sends records. Safe to use from one thread."""

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Hand over one record. It may be buffered; blocks while too much is in flight."""

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until all that was sent is durable. Raises PublishFailed."""

    def close(self) -> None:
        """Give back connections and threads; unflushed records may be lost."""


class Consumer(Protocol):
    """One member of a group on one topic. Safe to use from one thread."""

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """At most `limit` next records; empty after about `timeout_s` seconds without any."""

    def commit(self) -> None:
        """Make the position after the last poll durable. Raises Fenced or LogError."""

    def close(self) -> None:
        """Leave the group at once, so that others take over. Commits nothing.

        A member of a named instance on Kafka stays a member until its time-out instead, so
        that its restart disturbs nobody.
        """


class Log(Protocol):
    """A log. Made once per process by `earshot.runtime.connect.open_log`."""

    def create(self, topics: Mapping[str, int]) -> None:
        """Make the topics (name → number of partitions) that are not there yet."""

    def producer(self) -> Producer: ...

    def consumer(self, topic: str, group: str) -> Consumer: ...

    def lag(self, topic: str, group: str) -> int:
        """How many records of `topic` the group has not committed yet."""

    def committed(self, topic: str, group: str) -> Mapping[int, int]:
        """Of each partition, the first offset that the group has not committed (0: none is)."""

    def rewind(self, topic: str, group: str, to: Mapping[int, int]) -> None:
        """Have the group read each partition again from the offset in `to`, if it is beyond that.

        Raises LogError while the group has members.
        """

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """At most `limit` records of one partition from `offset` on, outside any group."""

    def partitions(self, topic: str) -> int:
        """How many partitions `topic` has. Raises LogError for an unknown topic."""

    def identity(self, topic: str) -> str:
        """Which topic of that name this is: with it, a partition and an offset name a record.

        The same for as long as the topic's offsets count on; a topic that is made again, in this
        log or another, has another. Raises LogError for an unknown topic.
        """

    def trim(self, topic: str, keep_s: float) -> int:
        """Drop records older than `keep_s` that every group has committed; how many went.

        A log that keeps its own retention (Kafka) does nothing and answers 0.
        """

    def close(self) -> None: ...
