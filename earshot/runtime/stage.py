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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from earshot.log.contract import Consumer, Fenced, Producer, Record
from earshot.log.topics import Malformed, Topic
from earshot.runtime.crash_points import passed
from earshot.runtime.metrics import Metrics
from earshot.runtime.telemetry import Probe

In = TypeVar("In")
Out = TypeVar("Out")

DEAD_LIMIT = 100
"""Dead letters in a row after which a stage stops."""

FEW, MANY = 50, 1_000
"""A step of at most `FEW` records is a quiet stream, in which each should be handled at once; one
of `MANY` costs no less for each record than a larger one."""

GATHER_S = 0.1
"""How far apart steps begin on a stream between these: a step costs as much as dozens of records,
and a stage that takes what comes as it comes spends its core on steps."""

REASON_LIMIT = 500
"""The longest reason kept with a dead letter, in characters."""


class TooManyDead(Exception):
    """Every recent record was unreadable: the fault is more likely ours than theirs."""


def rest_s(handled: int, took_s: float) -> float:
    """How long to let records gather after a step that `handled` so many and took so long. Pure."""
    return max(0.0, GATHER_S - took_s) if FEW < handled < MANY else 0.0


@dataclass
class Stage(Generic[In, Out]):
    """A handler of batches, between the topic `source` and the topic `sink` (None: a store).

    `handle` is given messages in order and answers with what to emit. When it refuses a
    batch with Malformed, it is halved until the bad messages are found; they are set aside.
    """

    source: Topic[In]
    sink: Topic[Out] | None
    handle: Callable[[Sequence[In]], Iterable[Out]]
    metrics: Metrics
    probe: Probe
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    batch_size: int = 500
    dead_in_a_row: int = 0

    def __post_init__(self) -> None:
        self.metrics.add("records_handled", 0)
        self.metrics.add("dead_letters", 0, topic=self.source.name)

    def run(self, consumer: Consumer, producer: Producer, stop: threading.Event) -> None:
        """Step until `stop` is set, then leave the group; the batch in hand is finished."""
        try:
            while not stop.is_set():
                began = self.monotonic()
                handled = self.step(consumer, producer)
                self.probe.step_done()
                stop.wait(rest_s(handled, self.monotonic() - began))
        finally:
            consumer.close()

    def step(self, consumer: Consumer, producer: Producer, timeout_s: float = 0.5) -> int:
        """Carry one batch through; how many records that were. Raises what `handle` raises."""
        records = consumer.poll(self.batch_size, timeout_s)
        if not records:
            self._in_progress(None)
            return 0
        passed("stage.polled")
        began = self.monotonic()
        messages, reasons = self._decode(records)
        oldest = min(map(self.source.collected_at, messages.values()), default=None)
        self._in_progress(oldest)
        outputs, refused = self._handle(messages)
        passed("stage.handled")
        self._bury(records, reasons | refused, producer)
        if self.sink is not None:
            for output in outputs:
                producer.send(self.sink.name, self.sink.key(output), self.sink.encode(output))
        passed("stage.emitted")
        producer.flush()
        passed("stage.flushed")
        try:
            consumer.commit()
        except Fenced:
            # another member holds these partitions now and will be given them again; what we
            # emitted twice is settled by its natural key
            return 0
        passed("stage.committed")
        self.metrics.add("records_handled", len(records))
        self.metrics.observe("step_seconds", self.monotonic() - began)
        if oldest is not None:
            self.metrics.observe("wait_seconds", (self.clock() - oldest).total_seconds())
        return len(records)

    def _in_progress(self, oldest: datetime | None) -> None:
        """Report the age of what is worked on: it grows while a batch is stuck."""
        at = oldest.timestamp() if oldest else 0.0
        self.metrics.set("oldest_in_progress_timestamp_seconds", at, topic=self.source.name)

    def _decode(self, records: Sequence[Record]) -> tuple[dict[int, In], dict[int, str]]:
        """The messages by their record's place in the batch, and what is wrong with the others."""
        messages: dict[int, In] = {}
        reasons: dict[int, str] = {}
        for place, record in enumerate(records):
            try:
                messages[place] = self.source.decode(record.value)
            except Malformed as error:
                reasons[place] = str(error)
        return messages, reasons

    def _handle(self, messages: Mapping[int, In]) -> tuple[list[Out], dict[int, str]]:
        """What to emit, and why some messages were refused, by their place in the batch."""
        if not messages:
            return [], {}
        try:
            return list(self.handle(list(messages.values()))), {}
        except Malformed as error:
            if len(messages) == 1:
                return [], dict.fromkeys(messages, str(error))
        # The halves go in their order. One bad message of a full batch costs some twenty calls
        # of the handler, where trying each message by itself would cost hundreds.
        places = list(messages)
        outputs: list[Out] = []
        refused: dict[int, str] = {}
        for half in (places[: len(places) // 2], places[len(places) // 2 :]):
            done, bad = self._handle({place: messages[place] for place in half})
            outputs += done
            refused |= bad
        return outputs, refused

    def _bury(
        self, records: Sequence[Record], reasons: Mapping[int, str], producer: Producer
    ) -> None:
        """Set the refused records aside. Raises TooManyDead before any of a hopeless row is."""
        for place, record in enumerate(records):
            self.dead_in_a_row = self.dead_in_a_row + 1 if place in reasons else 0
            if self.dead_in_a_row >= DEAD_LIMIT:
                raise TooManyDead(
                    f"{self.dead_in_a_row} records in a row of {self.source.name!r} could not be "
                    f"handled, the last in partition {record.partition}, key {record.key[:200]!r}: "
                    f"{reasons[place][:REASON_LIMIT]}; nothing is lost, but the stage stops: is "
                    "an older or newer version writing to the topic?"
                )
        for place, reason in sorted(reasons.items()):
            record = records[place]
            headers = {
                **record.headers,
                "topic": record.topic,
                "from": f"{record.partition}:{record.offset}",
                "reason": reason[:REASON_LIMIT],
            }
            producer.send(self.source.dead, record.key, record.value, headers)
            self.metrics.add("dead_letters", topic=self.source.name)
