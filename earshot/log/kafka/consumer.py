"""A member of a group on Kafka: unpacks records, and may stop in the middle of a pack.

Kafka keeps the offset of the record that is next; where a pack was left in its middle, the
commit's metadata names the message.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, KafkaTimeoutError, RebalanceInProgressError
from kafka.structs import MemberState, OffsetAndMetadata

from earshot.log.contract import Fenced, LogError, Record
from earshot.log.kafka.kafka_errors import kafka_errors
from earshot.log.kafka.pack import offset_of, place_of, unpack

_COMMIT_MS = 10_000
_UNKNOWN = -2
"""Instead of a generation: not known where to go on from. (The library's -1 is: in no group.)"""
_UNANSWERED_LIMIT = 3
"""So often in a row a member asks in vain where to go on from; then it fails."""
_JOIN_S = 1.0
_APART_S = 1.0
"""How long a member may live on what it holds before it looks after its membership again."""


def resumed(committed: OffsetAndMetadata | None) -> int:
    """The log's offset that a group goes on from, by what it committed to Kafka."""
    if committed is None or committed.offset < 0:
        return 0
    place = committed.metadata or ""
    here = place.isascii() and place.isdigit() and len(place) <= 4  # noqa: PLR2004 # one of 1024
    return offset_of(committed.offset, int(place) if here else 0)


def committed_at(offset: int) -> OffsetAndMetadata:
    """What a group commits to Kafka that goes on from the log's `offset`."""
    record, place = place_of(offset)
    return OffsetAndMetadata(record, str(place) if place else "", -1)


class KafkaLogConsumer:
    """A member of a group. It joins at its first poll; a poll may take a second while it does."""

    def __init__(self, client: KafkaConsumer, bootstrap: str, topic: str, group: str) -> None:
        self._client = client
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self._held: deque[list[Record]] = deque()
        self._held_count = 0
        self._skip: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._generation = -1
        self._unanswered = 0
        self._polled_at = 0.0
        self._usual_pack = 1
        self._lost = False
        self._closed = False

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        self._check_open()
        with self._errors("polling"):
            self._fill(limit, timeout_s)
            # what is held while the group is dealt again may soon be another member's
            return self._deliver(limit) if self._is_member() else []

    def commit(self) -> None:
        self._check_open()
        with self._errors("committing"):
            self._notice_rebalance()
            if self._lost:
                self._fence("its partitions were reassigned")
            if not self._next:
                return
            try:
                # without a time-out it would try for ever
                self._client.commit(self._offsets(), timeout_ms=_COMMIT_MS)
            except (CommitFailedError, RebalanceInProgressError) as error:
                self._fence(str(error))
        self._next.clear()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with self._errors("closing"):
                self._client.close(autocommit=False, timeout_ms=2000)

    def _fill(self, limit: int, timeout_s: float) -> None:
        """Fetch about as many messages as are missing to `limit`."""
        if self._held_count >= limit:
            self._stay()
            return
        until = time.monotonic() + timeout_s
        wanted = max(1, (limit - self._held_count) // self._usual_pack)
        while True:
            # what is held need not wait for more
            left_s = 0.0 if self._held else max(0.0, until - time.monotonic())
            polled = self._poll(left_s, wanted)
            if polled is not None:
                break  # else these records stand before or behind where the group goes on
        before, records = self._held_count, sum(map(len, polled.values()))
        for raw in polled.values():
            for each in raw:
                self._hold(unpack(each))
        if records:
            self._usual_pack = max(1, (self._held_count - before) // records)

    def _stay(self) -> None:
        """Take part in the group without fetching: enough is held."""
        if time.monotonic() - self._polled_at < _APART_S:
            return
        assigned = self._client.assignment()
        self._client.pause(*assigned)
        if self._poll(0.0, 1) is not None:
            self._client.resume(*assigned)

    def _poll(self, timeout_s: float, records: int) -> Mapping[TopicPartition, list[Any]] | None:
        """Records of Kafka; None when the group was rebalanced, and all is to be read again.

        None at all while it is not known from where: the next poll asks once more.
        """
        # the library forgets a join that is granted between two polls and begins again: short
        # polls would join for ever
        was_member = self._is_member()
        timeout_s = timeout_s if was_member else max(timeout_s, _JOIN_S)
        polled: Mapping[TopicPartition, list[Any]]
        polled = self._client.poll(int(timeout_s * 1000), max_records=records)
        if was_member and not polled and not self._is_member():
            polled = self._client.poll(int(_JOIN_S * 1000), max_records=records)
        if not polled:
            self._mend_join()
        self._polled_at = time.monotonic()
        if self._notice_rebalance():
            return None if self._generation != _UNKNOWN else {}
        return polled

    def _mend_join(self) -> None:
        """Have the library join again where it has lost the outcome of a join.

        When a poll's time is up while it joins because a topic's partitions changed, it takes
        the join for done, never looks at the answer, and is silent from then on.
        """
        coordinator = self._client._coordinator  # noqa: SLF001 # no public way
        if not self._is_member() and not coordinator.need_rejoin():
            coordinator.request_rejoin()

    def _is_member(self) -> bool:
        return bool(self._client.group_metadata().state == MemberState.STABLE)

    def _hold(self, messages: list[Record]) -> None:
        skip = self._skip.pop(messages[0].partition, 0)
        if skip > messages[0].offset:
            messages = [each for each in messages if each.offset >= skip]
        if messages:
            self._held.append(messages)
            self._held_count += len(messages)

    def _deliver(self, limit: int) -> list[Record]:
        """The next messages, noting for each partition where a commit would go on from."""
        found: list[Record] = []
        while self._held and len(found) < limit:
            messages = self._held.popleft()
            room = limit - len(found)
            if len(messages) > room:
                self._held.appendleft(messages[room:])
                messages, after = messages[:room], messages[room].offset
            else:
                after = offset_of(place_of(messages[-1].offset)[0] + 1)
            found += messages
            self._next[messages[0].partition] = after
        self._held_count -= len(found)
        return found

    def _offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        return {
            TopicPartition(self._topic, number): committed_at(offset)
            for number, offset in self._next.items()
        }

    def _notice_rebalance(self) -> bool:
        generation = self._client.group_metadata().generation_id
        if generation == self._generation:
            return False
        self._lost = self._lost or bool(self._next)
        self._generation = _UNKNOWN
        try:
            self._rewind()
        except KafkaTimeoutError:
            # A broker answers one request of a connection after the other: while a join waits
            # there for other members, it does not say where to go on from. They may have to poll.
            self._unanswered += 1
            if self._unanswered >= _UNANSWERED_LIMIT:
                raise
        else:
            self._generation, self._unanswered = generation, 0
        return True

    def _rewind(self) -> None:
        """Go back to what is committed, in what is held now."""
        self._next.clear()
        self._held.clear()
        self._held_count = 0
        self._skip.clear()
        for at in self._client.assignment():
            committed = self._client.committed(at, metadata=True, timeout_ms=_COMMIT_MS)
            offset = resumed(committed)
            self._client.seek(at, place_of(offset)[0])
            self._client.resume(at)
            self._skip[at.partition] = offset

    def _fence(self, reason: str) -> None:
        """Forget what is held, and tell the caller."""
        self._lost = False
        if self._generation != _UNKNOWN:  # else the next poll looks for where to go on
            self._rewind()
        raise Fenced(
            f"a member of group {self._group!r} on {self._topic!r} can't commit ({reason}): poll"
            " again, what it held is redelivered; if this repeats, handle smaller batches"
        )

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return kafka_errors(self._bootstrap, f"{doing} as group {self._group!r} on {self._topic!r}")

    def _check_open(self) -> None:
        if self._closed:
            raise LogError(f"a closed member of {self._group!r} on {self._topic!r}: make a new one")
