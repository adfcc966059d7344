"""Publishing to the embedded log: buffered in memory, durable at each flush."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from earshot.log.contract import LogError, PublishFailed
from earshot.log.partitioning import partition_of
from earshot.log.sqlite.file import SqliteFile
from earshot.log.sqlite.records import Row, encode_headers, insert

IN_FLIGHT_RECORDS = 2_000
IN_FLIGHT_BYTES = 8 * 2**20
"""A producer that holds this much publishes by itself, inside `send`."""

_SEND_TIMEOUT_S = 30.0


class SqliteProducer:
    """Collects records and publishes them, one transaction per topic, in the order sent."""

    def __init__(
        self,
        partitions: Callable[[str], int],
        records_file: Callable[[str], SqliteFile],
        clock: Callable[[], float],
    ) -> None:
        self._partitions = partitions
        self._records_file = records_file
        self._clock = clock
        self._files: dict[str, SqliteFile] = {}
        self._counts: dict[str, int] = {}
        self._rows: dict[str, dict[int, list[Row]]] = {}
        self._records = 0
        self._bytes = 0
        self._failed: PublishFailed | None = None

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """See `earshot.log`. Raises PublishFailed when a full buffer can't be published."""
        count = self._counts.get(topic) or self._open(topic)
        row = (self._clock(), key, value, encode_headers(headers))
        self._rows.setdefault(topic, {}).setdefault(partition_of(key, count), []).append(row)
        self._records += 1
        self._bytes += len(key) + len(value)
        if self._records >= IN_FLIGHT_RECORDS or self._bytes >= IN_FLIGHT_BYTES:
            self._publish(_SEND_TIMEOUT_S)
            if self._failed is not None:
                raise self._failed

    @property
    def in_flight_bytes(self) -> int:
        return self._bytes

    def flush(self, timeout_s: float = 30.0) -> None:
        if self._failed is None:
            self._publish(timeout_s)
        failed, self._failed = self._failed, None
        if failed is not None:
            self._forget()
            raise failed

    def close(self) -> None:
        self._forget()
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._counts.clear()

    def _open(self, topic: str) -> int:
        count = self._counts[topic] = self._partitions(topic)
        self._files[topic] = self._records_file(topic)
        return count

    def _publish(self, timeout_s: float) -> None:
        """Publish the buffer, or note the failure. Dropped then: the caller sends it again."""
        unpublished = self._records
        try:
            for topic, rows in self._rows.items():
                insert(self._files[topic], rows, timeout_s)
                unpublished -= sum(map(len, rows.values()))
        except LogError as error:
            self._failed = PublishFailed(f"{unpublished} records are not published: {error}")
            self._failed.__cause__ = error
        finally:
            self._forget()

    def _forget(self) -> None:
        self._rows = {}
        self._records = self._bytes = 0
