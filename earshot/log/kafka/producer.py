"""Publishing to Kafka: each message a record, or gathered into packs; all accounted for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from earshot.log.contract import PublishFailed
from earshot.log.kafka.in_flight import InFlight
from earshot.log.kafka.pack import HEADER, PACK_BYTES, Message, pack
from earshot.log.kafka.watchdog import Watchdog
from earshot.log.partitioning import partition_of

IN_FLIGHT_RECORDS = 20_000
IN_FLIGHT_BYTES = 7 * 2**20
"""`send` waits while this much is unacknowledged: the library itself has no bound."""

GATHERED_BYTES = 2**20
"""What the packs of all partitions may hold together before all are handed over."""


class _Gathered:
    """The messages for one partition that were not handed over yet."""

    __slots__ = ("bytes", "messages", "number", "topic")

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.messages: list[Message] = []
        self.bytes = 0


class KafkaLogProducer:
    """A producer whose every record is accounted for: see `earshot.log.kafka.in_flight`.

    Up to `messages_per_record` messages of a partition travel together; with 1 each is handed
    over as it comes.
    """

    def __init__(
        self,
        client: KafkaProducer,
        in_flight: InFlight,
        watchdog: Watchdog,
        bootstrap: str,
        partitions: Callable[[str], int],
        messages_per_record: int = 1,
    ) -> None:
        self._client = client
        self._in_flight = in_flight
        self._watchdog = watchdog
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._messages_per_record = messages_per_record
        self._gathered: dict[str, list[_Gathered]] = {}
        self._gathered_bytes = 0

    @property
    def in_flight_bytes(self) -> int:
        return self._in_flight.bytes + self._gathered_bytes

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """See `earshot.log`. Raises PublishFailed for a record that can never be delivered."""
        gathered = self._gathered.get(topic) or self._open(topic)
        here = gathered[partition_of(key, len(gathered))]
        size = len(key) + len(value)
        if here.bytes + size > PACK_BYTES:
            self._hand_over(here)
        message = (key, value, dict(headers) if headers else None)
        if size > PACK_BYTES or self._messages_per_record == 1:
            self._in_flight.room()
            self._publish(here, [message], size)
            return
        here.messages.append(message)
        here.bytes += size
        self._gathered_bytes += size
        if len(here.messages) >= self._messages_per_record:
            self._hand_over(here)
        elif self._gathered_bytes >= GATHERED_BYTES:
            self._hand_all_over()

    def flush(self, timeout_s: float = 30.0) -> None:
        self._hand_all_over()
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
        finally:
            self._watchdog.stop()

    def _open(self, topic: str) -> list[_Gathered]:
        numbers = range(self._partitions(topic))
        return self._gathered.setdefault(topic, [_Gathered(topic, number) for number in numbers])

    def _hand_all_over(self) -> None:
        for gathered in self._gathered.values():
            for here in gathered:
                if here.messages:
                    self._hand_over(here)

    def _hand_over(self, here: _Gathered) -> None:
        """Give what was gathered for one partition to the client, as one record."""
        if not here.messages:
            return
        self._in_flight.room()
        messages, size = here.messages, here.bytes
        here.messages, here.bytes = [], 0
        self._gathered_bytes -= size
        try:
            self._publish(here, messages, size)
        except PublishFailed as error:
            self._in_flight.refused(len(messages), error)  # they were accepted: flush must tell
            raise

    def _publish(self, here: _Gathered, messages: list[Message], size: int) -> None:
        key: bytes | None
        headers: list[tuple[str, bytes]] | None
        try:
            if len(messages) == 1 and HEADER not in (messages[0][2] or ()):
                key, value, texts = messages[0]
                headers = [(name, text.encode()) for name, text in texts.items()] if texts else None
            else:
                key = None
                value, headers = pack(messages)
            future = self._client.send(here.topic, value, key, headers, here.number)
        except (KafkaError, ValueError) as error:
            raise PublishFailed(
                f"Kafka at {self._bootstrap} can't take {_amount(messages)} of {size} bytes for"
                f" {here.topic!r}: {type(error).__name__}: {error}"
            ) from error
        self._in_flight.add(len(messages), size, future)


def _amount(messages: list[Message]) -> str:
    return "a message" if len(messages) == 1 else f"{len(messages)} messages"
