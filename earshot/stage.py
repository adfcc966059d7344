"""The loop that every stage between two topics runs.

    poll → decode → handle → emit → flush → commit

Offsets move only after the output is durable, so that a crash anywhere is a redelivery; a
handler is pure or idempotent. What is wrong with one message is data: it goes to the dead
topic, and the rest goes on. Anything else is a failure of the stage: it ends, and whoever
supervises it starts it again. Too many dead letters in a row are a failure too, or a bad
deployment would bury the whole topic.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from earshot.log import Consumer, Fenced, Producer, Record
from earshot.telemetry import Metrics, Probe
from earshot.topics import Malformed, Topic

In = TypeVar("In")
Out = TypeVar("Out")

DEAD_LIMIT = 100
"""Dead letters in a row after which a stage stops."""

REASON_LIMIT = 500
"""The longest reason kept with a dead letter, in characters."""


class TooManyDead(Exception):
    """Every recent record was unreadable: the fault is more likely ours than theirs."""


@dataclass
class Stage(Generic[In, Out]):
    """A handler of batches, between the topic `source` and the topic `sink` (None: a store).

    `handle` is given messages in order and answers with what to emit. When it refuses a
    batch with Malformed, its messages are tried one by one and the bad ones set aside.
    """

    source: Topic[In]
    sink: Topic[Out] | None
    handle: Callable[[Sequence[In]], Iterable[Out]]
    metrics: Metrics
    probe: Probe
    monotonic: Callable[[], float]
    batch_size: int = 500
    dead_in_a_row: int = 0

    def run(self, consumer: Consumer, producer: Producer, stop: threading.Event) -> None:
        """Step until `stop` is set, then leave the group; the batch in hand is finished."""
        try:
            while not stop.is_set():
                self.step(consumer, producer)
                self.probe.step_done()
        finally:
            consumer.close()

    def step(self, consumer: Consumer, producer: Producer, timeout_s: float = 0.5) -> int:
        """Carry one batch through; how many records that were. Raises what `handle` raises."""
        records = consumer.poll(self.batch_size, timeout_s)
        if not records:
            return 0
        began = self.monotonic()
        readable, messages = self._decode(records, producer)
        for output in self._handle(readable, messages, producer):
            if self.sink is not None:
                producer.send(self.sink.name, self.sink.key(output), self.sink.encode(output))
        producer.flush()
        try:
            consumer.commit()
        except Fenced:
            # another member holds these partitions now and will be given them again; what we
            # emitted twice is settled by its natural key
            return 0
        self.metrics.add("records_handled", len(records))
        self.metrics.observe("step_seconds", self.monotonic() - began)
        return len(records)

    def _decode(
        self, records: Sequence[Record], producer: Producer
    ) -> tuple[list[Record], list[In]]:
        readable: list[Record] = []
        messages: list[In] = []
        for record in records:
            try:
                messages.append(self.source.decode(record.value))
            except Malformed as error:
                self._bury(record, str(error), producer)
            else:
                readable.append(record)
                self.dead_in_a_row = 0
        return readable, messages

    def _handle(
        self, records: Sequence[Record], messages: Sequence[In], producer: Producer
    ) -> Iterable[Out]:
        if not messages:
            return []
        try:
            return list(self.handle(messages))
        except Malformed:
            outputs: list[Out] = []
            for record, message in zip(records, messages, strict=True):
                try:
                    outputs.extend(self.handle([message]))
                except Malformed as error:
                    self._bury(record, str(error), producer)
            return outputs

    def _bury(self, record: Record, reason: str, producer: Producer) -> None:
        headers = {
            **record.headers,
            "topic": record.topic,
            "from": f"{record.partition}:{record.offset}",
            "reason": reason[:REASON_LIMIT],
        }
        producer.send(self.source.dead, record.key, record.value, headers)
        self.metrics.add("dead_letters", of=self.source.name)
        self.dead_in_a_row += 1
        if self.dead_in_a_row >= DEAD_LIMIT:
            producer.flush()
            raise TooManyDead(
                f"{self.dead_in_a_row} records in a row of {self.source.name!r} could not be "
                f"handled, the last at {record.partition}:{record.offset}: {reason}; nothing is "
                "lost, but the stage stops: is an older or newer version writing to the topic?"
            )
