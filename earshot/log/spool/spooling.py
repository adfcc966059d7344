"""A producer that never waits for a log that is away: what it can't take is spooled on disk.

    the log answers:    send ──▶ log ──▶ flush
    it does not:        send ──▶ memory ──▶ flush writes them to the spool
    it answers again:   the spool is drained in order, then records go to the log directly

So a flush that returns means the same as ever: what was sent is durable and will be read, in
the order sent. What was in flight when the log went away may be published twice, which natural
keys settle.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from earshot.log.contract import LogError, Producer, PublishFailed
from earshot.log.spool.spool import Message, Spool

logger = logging.getLogger(__name__)

ANSWER_S = 10.0
"""How long the log may take for a flush before it counts as away."""

RETRY_S = 2.0
"""How long it is left alone after it gave no answer."""

DRAIN_S = 2.0
"""How long one turn of draining takes at most."""

HELD_BYTES = 16 * 2**20
"""Where more was sent since the last flush, `send` flushes by itself."""

LARGEST = 1_040_000
"""The largest record, in bytes: one that no broker takes would stop the spool for ever."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits on this machine's disk, and why. `share` is that of the limit: 1.0 is full."""

    messages: int
    share: float
    reason: str


class SpoolingProducer:
    """Sends to the log that `connect` opens, or to `spool` while that raises LogError.

    `most_bytes` is the size at which the spool counts as full: whoever sends should stop before
    that, see `backlog`. Nothing is refused beyond it.
    """

    def __init__(
        self,
        connect: Callable[[], Producer],
        spool: Spool,
        most_bytes: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._spool = spool
        self._most_bytes = most_bytes
        self._monotonic = monotonic
        self._producer: Producer | None = None
        self._direct = False
        self._retry_at = monotonic()
        self._reason = ""
        self._held: list[Message] = []
        self._held_bytes = 0

    def send(
        self, topic: str, key: bytes, value: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """See `earshot.log`. Raises PublishFailed for what is too large, or a failing disk."""
        size = len(key) + len(value)
        if size + sum(map(len, (headers or {}).values())) > LARGEST:
            raise PublishFailed(f"a record of {size} bytes for {topic!r}: at most {LARGEST}")
        self._held.append((topic, key, value, dict(headers) if headers else None))
        self._held_bytes += size
        if self._direct and self._producer is not None:
            try:
                self._producer.send(topic, key, value, headers)
            except LogError as error:
                self._give_up(error)
        if self._held_bytes >= HELD_BYTES:
            self.flush()

    def flush(self, timeout_s: float = ANSWER_S) -> None:
        """Wait until all that was sent is durable, in the log or in the spool."""
        if self._direct and self._producer is not None:
            try:
                self._producer.flush(min(timeout_s, ANSWER_S))
            except LogError as error:
                self._give_up(error)
        held, self._held, self._held_bytes = self._held, [], 0
        if held and not self._direct:
            try:
                self._spool.append(held)
            except LogError as error:
                raise PublishFailed(
                    f"{len(held)} records are neither in the log ({self._reason}) nor spooled:"
                    f" {error}"
                ) from error

    def drain(self) -> None:
        """Look after the way to the log: connect, and drain what waits. To be called often.

        Takes a few seconds at most. Raises LogError only for the spool's own file.
        """
        if self._direct or self._monotonic() < self._retry_at:
            return
        until = self._monotonic() + DRAIN_S
        while True:
            oldest = self._spool.oldest()
            try:
                if self._producer is None:
                    self._producer = self._connect()
                if oldest is not None:
                    for topic, key, value, headers in oldest[1]:
                        self._producer.send(topic, key, value, headers)
                    self._producer.flush(ANSWER_S)
            except LogError as error:
                self._give_up(error)
                return
            if oldest is None:
                self._resume()
                return
            self._spool.drop(oldest[0])
            if self._monotonic() >= until:
                return

    def backlog(self) -> Backlog | None:
        """What waits for the log; None while it takes everything at once."""
        if self._direct:
            return None
        waiting = self._spool.waiting
        return Backlog(waiting.messages, waiting.bytes / self._most_bytes, self._reason)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close()
            self._producer = None
        self._spool.close()

    def _resume(self) -> None:
        """Send to the log from now on; what was sent since the last flush goes there too."""
        if self._reason:
            logger.warning("the log answers again, and the spool is empty")
        self._direct, self._reason = True, ""
        held, self._held, self._held_bytes = self._held, [], 0
        for topic, key, value, headers in held:
            self.send(topic, key, value, headers)

    def _give_up(self, error: LogError) -> None:
        """Spool from now on. The client goes too: a new one does not share its troubles."""
        if not self._reason:
            logger.warning("the log is away: spooling", extra={"reason": str(error)})
        self._direct, self._reason = False, str(error)
        self._retry_at = self._monotonic() + RETRY_S
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close()
            except LogError as failed:
                logger.warning("closing failed", extra={"reason": str(failed)})
