"""The log on Apache Kafka, through kafka-python. Nothing else imports that library.

Its defaults that would lose or delay records are all set here. It has no bound on what it
buffers and may lose track of a record for ever: `earshot.in_flight` stands before it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from types import MappingProxyType
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetSpec, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    for_code,
)
from kafka.structs import MemberState, OffsetAndMetadata

from earshot.in_flight import InFlight
from earshot.log import Fenced, LogError, PublishFailed, Record
from earshot.partitioning import partition_of
from earshot.reach import reach

IN_FLIGHT_RECORDS = 20_000
IN_FLIGHT_BYTES = 8 * 2**20
"""`send` waits while this much is unacknowledged: the library itself has no bound."""
_COMMIT_S = 10.0
_JOIN_S = 1.0
_STUCK_MARGIN_S = 10.0

_SECURITY = re.compile(r"security_protocol|ssl_(?!context)\w+|sasl_(?!oauth)\w+")
"""Options of the library that may be passed on: all that are plain text or numbers."""


@contextmanager
def _explained(bootstrap: str, doing: str) -> Iterator[None]:
    """Turn the library's errors into a LogError that says what to do."""
    try:
        yield
    except (KafkaError, OSError) as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        advice = "check that the broker runs, that this address reaches it, and its security"
        raise LogError(f"Kafka at {bootstrap}: {doing} failed: {what}; {advice}") from error


class KafkaLog:
    """Topics of the cluster at `bootstrap` (host:port, several with commas).

    `security` are kafka-python's own `security_protocol`, `ssl_*` and `sasl_*` arguments.
    A member that is silent for `session_timeout_s` loses its partitions; a record that is
    not acknowledged within `delivery_timeout_s` has failed; no connection within
    `connect_timeout_s` is a LogError. New topics get `replication_factor` (-1: the broker's
    default).
    """

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        *,
        replication_factor: int = -1,
        session_timeout_s: float = 10.0,
        delivery_timeout_s: float = 60.0,
        connect_timeout_s: float = 10.0,
        **security: Any,
    ) -> None:
        known = {name for name in KafkaProducer.DEFAULT_CONFIG if _SECURITY.fullmatch(name)}
        unknown = sorted(set(security) - known)
        if unknown:
            raise LogError(f"unknown Kafka options {unknown}; there are {sorted(known)}")
        self.bootstrap = bootstrap
        self._replication_factor = replication_factor
        self._session_ms = int(session_timeout_s * 1000)
        self._delivery_s = delivery_timeout_s
        self._connect_ms = int(connect_timeout_s * 1000)
        self._options: Mapping[str, Any] = MappingProxyType(
            {
                **security,
                "bootstrap_servers": bootstrap.split(","),
                "client_id": client_id,
                "bootstrap_timeout_ms": self._connect_ms,
                # half of the delivery time, so that a lost request is tried again at least once
                "request_timeout_ms": int(min(30.0, delivery_timeout_s / 2) * 1000),
                # the default of 30 s delays the first record after an outage by as much
                "reconnect_backoff_max_ms": 1000,
            }
        )
        self._lock = threading.RLock()
        self._connected: KafkaAdminClient | None = None
        self._partitions: dict[str, int] = {}

    def create(self, topics: Mapping[str, int]) -> None:
        wanted = {
            name: {"num_partitions": count, "replication_factor": self._replication_factor}
            for name, count in topics.items()
        }
        if not wanted:
            return
        with self._admin("creating topics") as admin:
            answer = admin.create_topics(wanted, raise_errors=False)
            for topic in answer["topics"]:
                error = for_code(topic["error_code"])
                if topic["error_code"] and error is not TopicAlreadyExistsError:
                    what = f"{topic['name']!r}: {error.__name__}: {topic.get('error_message')}"
                    raise LogError(f"Kafka at {self.bootstrap} refused to create {what}")
            admin.wait_for_topics(list(wanted), timeout_ms=self._connect_ms)

    def producer(self) -> KafkaLogProducer:
        reach(self.bootstrap, self._connect_ms / 1000)  # the library leaks where nobody answers
        with _explained(self.bootstrap, "connecting"):
            client = KafkaProducer(
                **self._options,
                acks="all",
                enable_idempotence=True,
                linger_ms=10,
                batch_size=128 * 1024,
                compression_type="lz4",
                max_request_size=2**20,  # a record that the broker refuses ends it for good
                delivery_timeout_ms=int(self._delivery_s * 1000),
                max_block_ms=self._connect_ms,
                metrics_enabled=False,
                allow_auto_create_topics=False,
            )
        patience_s = self._delivery_s + _STUCK_MARGIN_S
        in_flight = InFlight(self.bootstrap, IN_FLIGHT_RECORDS, IN_FLIGHT_BYTES, patience_s)
        return KafkaLogProducer(client, in_flight, self)

    def consumer(self, topic: str, group: str) -> KafkaLogConsumer:
        self.partitions(topic)
        with _explained(self.bootstrap, "connecting"):
            beat_ms = min(3000, self._session_ms // 3)
            timing = {"session_timeout_ms": self._session_ms, "heartbeat_interval_ms": beat_ms}
            # under one name, members on different topics would make each other rebalance for ever
            client = self._reader(topic, group_id=f"{topic}.{group}", **timing)
        return KafkaLogConsumer(client, self.bootstrap, topic, group)

    def lag(self, topic: str, group: str) -> int:
        places = [TopicPartition(topic, number) for number in range(self.partitions(topic))]
        with self._admin(f"reading the lag of group {group!r} on {topic!r}") as admin:
            ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            firsts = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
            done = admin.list_group_offsets({f"{topic}.{group}": places})[f"{topic}.{group}"]
        return sum(
            max(0, ends[at].offset - max(firsts[at].offset, done[at].offset if at in done else 0))
            for at in places
        )

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        partitions = self.partitions(topic)
        if not 0 <= partition < partitions:
            raise LogError(f"topic {topic!r} has no partition {partition}: it has {partitions}")
        place = TopicPartition(topic, partition)
        with _explained(self.bootstrap, f"reading {topic!r}"):
            client = self._reader(group_id=None)
            try:
                client.assign([place])
                end = client.end_offsets([place], timeout_ms=self._connect_ms)[place]
                first = client.beginning_offsets([place], timeout_ms=self._connect_ms)[place]
                at = max(offset, first)
                client.seek(place, at)
                found: list[Record] = []
                while at < end and len(found) < limit:
                    polled = client.poll(self._connect_ms, max_records=limit - len(found))
                    if not polled:
                        raise KafkaTimeoutError(f"no records from offset {at}")
                    found += map(_record, polled[place])
                    at = found[-1].offset + 1
                return found
            finally:
                client.close(autocommit=False, timeout_ms=1000)

    def partitions(self, topic: str) -> int:
        with self._lock:
            if topic not in self._partitions:
                with self._admin(f"looking for topic {topic!r}") as admin:
                    (described,) = admin.describe_topics([topic])
                if described["error_code"]:
                    why = for_code(described["error_code"]).__name__
                    where = f"on Kafka at {self.bootstrap}"
                    raise LogError(f"no topic {topic!r} {where} ({why}): create it")
                self._partitions[topic] = len(described["partitions"])
            return self._partitions[topic]

    def trim(self, topic: str, keep_s: float) -> int:
        """Kafka keeps its own retention: nothing to do."""
        return 0

    def close(self) -> None:
        with self._lock:
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    def _reader(self, *topics: str, **options: Any) -> KafkaConsumer:
        reach(self.bootstrap, self._connect_ms / 1000)
        return KafkaConsumer(
            *topics,
            **self._options,
            **options,
            enable_auto_commit=False,  # the default commits what may not be handled
            auto_offset_reset="earliest",  # the default skips what came before the group
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    @contextmanager
    def _admin(self, doing: str) -> Iterator[KafkaAdminClient]:
        """The log's own connection, made when first needed and made anew after an error."""
        with self._lock, _explained(self.bootstrap, doing):
            if self._connected is None:
                reach(self.bootstrap, self._connect_ms / 1000)
                self._connected = KafkaAdminClient(**self._options)
            try:
                yield self._connected
            except KafkaError:
                self.close()
                raise


def _record(raw: Any) -> Record:
    headers = {name: value.decode() for name, value in raw.headers}
    return Record(raw.topic, raw.partition, raw.offset, raw.key or b"", raw.value or b"", headers)


class KafkaLogProducer:
    """A producer whose every record is accounted for: see `earshot.in_flight`."""

    def __init__(self, client: KafkaProducer, in_flight: InFlight, log: KafkaLog) -> None:
        self._client = client
        self._in_flight = in_flight
        self._log = log

    @property
    def in_flight_bytes(self) -> int:
        return self._in_flight.bytes

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """See `earshot.log`. Raises PublishFailed for a record that can never be delivered."""
        partition = partition_of(key, self._log.partitions(topic))
        self._in_flight.room()
        pairs = [(name, text.encode()) for name, text in headers.items()] if headers else None
        try:
            future = self._client.send(topic, value, key, pairs, partition)
        except (KafkaError, ValueError) as error:
            raise PublishFailed(
                f"Kafka at {self._log.bootstrap} can't take a record of {len(value)} bytes for"
                f" {topic!r}: {type(error).__name__}: {error}"
            ) from error
        self._in_flight.add(len(key) + len(value), future)

    def flush(self, timeout_s: float = 30.0) -> None:
        with suppress(KafkaTimeoutError):  # what got no answer is counted by settle
            self._client.flush(timeout_s)
        self._in_flight.settle()  # flush itself does not tell of failed records

    def close(self) -> None:
        try:
            self._client.close(timeout=1)
        except KafkaTimeoutError:
            # close() waits for a flush before it stops its thread, and gives up when there
            # is no broker: only so does the thread end, with its records failed
            self._client._sender.force_close()  # noqa: SLF001 # no public way
            self._client.close(timeout=1)


class KafkaLogConsumer:
    """A member of a group. It joins at its first poll; a poll may take a second while it does."""

    def __init__(self, client: KafkaConsumer, bootstrap: str, topic: str, group: str) -> None:
        self._client = client
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self._next: dict[TopicPartition, int] = {}
        self._generation = -1
        self._lost = False
        self._closed = False

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        self._check_open()
        # the library forgets a join that is granted between two polls and begins anew: short
        # polls would join for ever
        if self._client.group_metadata().state != MemberState.STABLE:
            timeout_s = max(timeout_s, _JOIN_S)
        with self._explained("polling"):
            polled = self._client.poll(int(timeout_s * 1000), max_records=limit)
        self._notice_rebalance()
        found: list[Record] = []
        for place, raw in polled.items():
            found += map(_record, raw)
            self._next[place] = found[-1].offset + 1
        return found

    def commit(self) -> None:
        self._check_open()
        self._notice_rebalance()
        if self._lost:
            self._fence("its partitions were dealt anew")
        if not self._next:
            return
        offsets = {place: OffsetAndMetadata(at, "", -1) for place, at in self._next.items()}
        with self._explained("committing"):
            try:
                # without a time-out it would try for ever
                self._client.commit(offsets, timeout_ms=int(_COMMIT_S * 1000))
            except (CommitFailedError, FencedInstanceIdError) as error:
                self._fence(str(error))
        self._next.clear()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with self._explained("closing"):
                self._client.close(autocommit=False, timeout_ms=2000)

    def _notice_rebalance(self) -> None:
        generation = self._client.group_metadata().generation_id
        if generation != self._generation:
            self._lost = self._lost or bool(self._next)
            self._next.clear()
            self._generation = generation

    def _fence(self, reason: str) -> None:
        """Go back to what is committed, in what is still held, and tell the caller."""
        self._lost = False
        self._next.clear()
        for place in self._client.assignment():
            committed = self._client.committed(place, timeout_ms=int(_COMMIT_S * 1000))
            self._client.seek(place, 0 if committed is None else committed)
        raise Fenced(
            f"a member of group {self._group!r} on {self._topic!r} can't commit ({reason}): poll"
            " again, what it held is redelivered; if this repeats, handle smaller batches"
        )

    def _explained(self, doing: str) -> AbstractContextManager[None]:
        return _explained(self._bootstrap, f"{doing} as group {self._group!r} on {self._topic!r}")

    def _check_open(self) -> None:
        if self._closed:
            raise LogError(f"a closed member of {self._group!r} on {self._topic!r}: make a new one")
