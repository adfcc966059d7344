"""The log on a Kafka cluster: its topics, and who reads and writes them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetSpec, TopicPartition
from kafka.errors import (
    CoordinatorNotAvailableError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    for_code,
)
from kafka.structs import OffsetAndMetadata

from earshot.log.contract import LogError, Record
from earshot.log.kafka.browse import messages_ahead, read
from earshot.log.kafka.consumer import KafkaLogConsumer, committed_at, resumed
from earshot.log.kafka.in_flight import InFlight
from earshot.log.kafka.kafka_errors import kafka_errors
from earshot.log.kafka.pack import offset_of
from earshot.log.kafka.producer import IN_FLIGHT_BYTES, IN_FLIGHT_RECORDS, KafkaLogProducer
from earshot.log.kafka.watchdog import Watchdog
from earshot.runtime.wait_for_port import wait_for_port

_ROOM_S = 30.0
"""How long a full buffer may take to shrink before `send` says that it can't."""

FETCH_BYTES = 4 * 2**20
"""How much one answer of a broker holds, compressed: it lies in memory, and so does the next."""

_INSTANCE = re.compile(r"[A-Za-z0-9._-]{1,200}")

_COORDINATOR_PAUSE_S = 0.1

_SECURITY = re.compile(r"security_protocol|ssl_(?!context)\w+|sasl_(?!oauth)\w+")
"""Options of the library that may be passed on: all that are plain text or numbers."""


class KafkaLog:
    """Topics of the cluster at `bootstrap` (host:port, several with commas).

    `security` are kafka-python's own `security_protocol`, `ssl_*` and `sasl_*` arguments.
    A member that is silent for `session_timeout_s` loses its partitions; a record that is
    not acknowledged within `delivery_timeout_s` has failed, and when the library does not say
    so within `stuck_margin_s` more, the process ends (`earshot.log.kafka.watchdog`); no connection
    within `connect_timeout_s` is a LogError. `instance` names this process among the members of
    every group, the same after each restart: a member that comes back within
    `session_timeout_s` then has its partitions again, and nobody else stops meanwhile; it does
    not leave when it closes. Empty: each restart reassigns the partitions, twice.

    New topics get `replication_factor` (-1: the broker's default). Producers put up to
    `messages_per_record` messages into one record (`earshot.log.kafka.pack`).
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
        stuck_margin_s: float = 10.0,
        instance: str = "",
        messages_per_record: int = 1,
        **security: Any,
    ) -> None:
        known = {name for name in KafkaProducer.DEFAULT_CONFIG if _SECURITY.fullmatch(name)}
        unknown = sorted(set(security) - known)
        if unknown:
            raise LogError(f"unknown Kafka options {unknown}; there are {sorted(known)}")
        self.bootstrap = bootstrap
        self._replication_factor = replication_factor
        self._instance = _instance_id(instance)
        self._messages_per_record = messages_per_record
        self._session_ms = int(session_timeout_s * 1000)
        self._delivery_s = delivery_timeout_s
        self._stuck_margin_s = stuck_margin_s
        self._connect_ms = int(connect_timeout_s * 1000)
        self._options: Mapping[str, Any] = MappingProxyType(
            {
                **security,
                "bootstrap_servers": bootstrap.split(","),
                "client_id": client_id,
                "bootstrap_timeout_ms": self._connect_ms,
                # a half-open connection goes unnoticed for so long, 30 s by default; at most half
                # of the delivery time, so that a lost request is tried again at least once
                "request_timeout_ms": int(min(10.0, delivery_timeout_s / 2) * 1000),
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
        # the library leaks where nobody answers
        wait_for_port(self.bootstrap, self._connect_ms / 1000)
        with kafka_errors(self.bootstrap, "connecting"):
            client = KafkaProducer(
                **self._options,
                acks="all",
                enable_idempotence=True,
                linger_ms=10,
                batch_size=512 * 1024,
                compression_type="lz4",
                max_request_size=2**20,  # a record that the broker refuses ends it for good
                delivery_timeout_ms=int(self._delivery_s * 1000),
                max_block_ms=self._connect_ms,
                metrics_enabled=False,
                allow_auto_create_topics=False,
            )
        in_flight = InFlight(self.bootstrap, IN_FLIGHT_RECORDS, IN_FLIGHT_BYTES, _ROOM_S)
        patience_s = self._delivery_s + self._stuck_margin_s
        watchdog = Watchdog(self.bootstrap, in_flight.oldest_s, patience_s)
        return KafkaLogProducer(
            client,
            in_flight,
            watchdog,
            self.bootstrap,
            self.partitions,
            self._messages_per_record,
        )

    def consumer(self, topic: str, group: str) -> KafkaLogConsumer:
        self.partitions(topic)
        with kafka_errors(self.bootstrap, "connecting"):
            beat_ms = min(3000, self._session_ms // 3)
            timing = {"session_timeout_ms": self._session_ms, "heartbeat_interval_ms": beat_ms}
            # under one name, members on different topics would make each other rebalance for ever
            client = self._reader(
                topic, group_id=f"{topic}.{group}", group_instance_id=self._instance, **timing
            )
        return KafkaLogConsumer(client, self.bootstrap, topic, group)

    def lag(self, topic: str, group: str) -> int:
        """See `earshot.log`. Beyond some thousands, an estimate: see `messages_ahead`."""
        places = self._places(topic)
        with self._admin(f"reading the lag of group {group!r} on {topic!r}") as admin:
            ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            firsts = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
        done = self._done(topic, group)
        behind = {
            at: max(offset_of(firsts[at].offset), resumed(done.get(at)))
            for at in places
            if max(firsts[at].offset, done[at].offset if at in done else 0) < ends[at].offset
        }
        if not behind:
            return 0
        with self._browsing(f"counting what group {group!r} has to read of {topic!r}") as client:
            upto = {at: ends[at].offset for at in behind}
            return messages_ahead(client, behind, upto, self._connect_ms)

    def committed(self, topic: str, group: str) -> Mapping[int, int]:
        done = self._done(topic, group)
        return {at.partition: resumed(done.get(at)) for at in self._places(topic)}

    def rewind(self, topic: str, group: str, to: Mapping[int, int]) -> None:
        done = self.committed(topic, group)
        wanted = {
            TopicPartition(topic, partition): committed_at(offset)
            for partition, offset in to.items()
            if offset < done[partition]
        }
        if not wanted:
            return
        with self._admin(f"taking group {group!r} on {topic!r} back") as admin:
            answers = admin.alter_group_offsets(f"{topic}.{group}", wanted)
        refused = {error.__name__ for error in answers.values() if error is not NoError}
        if refused:
            raise LogError(
                f"Kafka at {self.bootstrap} won't take group {group!r} on {topic!r} back"
                f" ({', '.join(sorted(refused))}): stop its members first"
            )

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        partitions = self.partitions(topic)
        if not 0 <= partition < partitions:
            raise LogError(f"topic {topic!r} has no partition {partition}: it has {partitions}")
        with self._browsing(f"reading {topic!r}") as client:
            place = TopicPartition(topic, partition)
            return read(client, place, offset, limit, self._connect_ms)

    def partitions(self, topic: str) -> int:
        with self._lock:
            if topic not in self._partitions:
                self._partitions[topic] = len(self._described(topic)["partitions"])
            return self._partitions[topic]

    def identity(self, topic: str) -> str:
        """See `earshot.log`. A broker before Kafka 2.8 knows none: all its topics have the same."""
        return str(self._described(topic).get("topic_id"))

    def _described(self, topic: str) -> Mapping[str, Any]:
        with self._admin(f"looking for topic {topic!r}") as admin:
            described: Mapping[str, Any]
            (described,) = admin.describe_topics([topic])
        if described["error_code"]:
            why = for_code(described["error_code"]).__name__
            where = f"on Kafka at {self.bootstrap}"
            raise LogError(f"no topic {topic!r} {where} ({why}): create it")
        return described

    def _done(self, topic: str, group: str) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """What the group has committed. A new cluster has no coordinator for a moment."""
        name, places = f"{topic}.{group}", self._places(topic)
        until = time.monotonic() + self._connect_ms / 1000
        while True:
            try:
                with self._admin(f"reading the offsets of group {group!r} on {topic!r}") as admin:
                    done: Mapping[TopicPartition, OffsetAndMetadata] = admin.list_group_offsets(
                        {name: places}
                    )[name]
                    return done
            except LogError as error:
                waiting = isinstance(error.__cause__, CoordinatorNotAvailableError)
                if not waiting or time.monotonic() > until:
                    raise
                time.sleep(_COORDINATOR_PAUSE_S)

    def trim(self, topic: str, keep_s: float) -> int:
        """Kafka keeps its own retention: nothing to do."""
        return 0

    def close(self) -> None:
        with self._lock:
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    def _places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.partitions(topic))]

    @contextmanager
    def _browsing(self, doing: str) -> Iterator[KafkaConsumer]:
        with kafka_errors(self.bootstrap, doing):
            client = self._reader(group_id=None)
            try:
                yield client
            finally:
                client.close(autocommit=False, timeout_ms=1000)

    def _reader(self, *topics: str, **options: Any) -> KafkaConsumer:
        wait_for_port(self.bootstrap, self._connect_ms / 1000)
        return KafkaConsumer(
            *topics,
            **self._options,
            **options,
            enable_auto_commit=False,  # the default commits what may not be handled
            auto_offset_reset="earliest",  # the default skips what came before the group
            allow_auto_create_topics=False,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=2**20,
            metrics_enabled=False,
        )

    @contextmanager
    def _admin(self, doing: str) -> Iterator[KafkaAdminClient]:
        """The log's own connection, made when first needed and made again after an error."""
        with self._lock, kafka_errors(self.bootstrap, doing):
            if self._connected is None:
                wait_for_port(self.bootstrap, self._connect_ms / 1000)
                self._connected = KafkaAdminClient(**self._options)
            try:
                yield self._connected
            except KafkaError:
                self.close()
                raise


def _instance_id(given: str) -> str | None:
    if given and not _INSTANCE.fullmatch(given):
        raise LogError(
            f"the instance {given[:250]!r} has other than 1 to 200 letters, digits, '.', '_' or"
            " '-': choose another name"
        )
    return given or None
