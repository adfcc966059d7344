"""What a producer has sent and does not know to be durable: bounded, watched, and checked.

A client library that buffers without a bound, and may wait for ever, is behind this.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from earshot.log.contract import PublishFailed

_PAUSE_S = 0.002


class Acknowledgement(Protocol):
    """The promise of an answer for one record: a failed one carries its exception."""

    @property
    def is_done(self) -> bool: ...

    @property
    def exception(self) -> BaseException | None: ...


class InFlight:
    """The records sent since the last flush, oldest first.

    When nothing was answered for `patience_s` seconds though there is no room for more, `room`
    raises. `where` names the broker in messages.
    """

    def __init__(
        self,
        where: str,
        most_records: int,
        most_bytes: int,
        patience_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._where = where
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._waiting: deque[tuple[float, int, int, Acknowledgement]] = deque()
        self._records = 0
        self._failed = 0
        self._reason: BaseException | None = None
        self._given_up_at: float | None = None
        self.bytes = 0

    def oldest_s(self) -> float:
        """How long the oldest record without an answer waits for it; 0 when there is none.

        One that a flush gave up is among them until all of a later flush is durable. Any
        thread may ask.
        """
        times = [at for at, _, _, answer in list(self._waiting) if not answer.is_done][:1]
        if self._given_up_at is not None:
            times.append(self._given_up_at)
        return max(0.0, self._clock() - min(times)) if times else 0.0

    def add(self, records: int, size: int, acknowledgement: Acknowledgement) -> None:
        """Wait for the answer to `records` records that travel together, `size` bytes in all."""
        self._waiting.append((self._clock(), records, size, acknowledgement))
        self._records += records
        self.bytes += size

    def refused(self, records: int, reason: BaseException) -> None:
        """Count records that were accepted, and that the client then would not take."""
        self._failed += records
        self._reason = reason

    def room(self) -> None:
        """Wait until there is room for one more record. Raises PublishFailed if none comes."""
        since: float | None = None
        while self._full():
            before = len(self._waiting)
            self._sweep()
            if not self._full():
                return
            if since is None or len(self._waiting) < before:
                since = self._clock()
            self._watch(since)
            self._sleep(_PAUSE_S)

    def settle(self) -> None:
        """Count what is answered; forget everything. Raises PublishFailed unless all is durable."""
        self._sweep()
        unanswered, failed, reason = self._records, self._failed, self._reason
        if not unanswered and not failed:
            self._given_up_at = None
        elif unanswered and self._given_up_at is None:
            self._given_up_at = self._waiting[0][0]
        self._waiting.clear()
        self._records = self.bytes = self._failed = 0
        self._reason = None
        if failed:
            raise PublishFailed(
                f"{failed} records were refused or not delivered to Kafka at {self._where}:"
                f" {_described(reason)}; send them again once that is mended"
            ) from reason
        if unanswered:
            raise PublishFailed(
                f"{unanswered} records got no answer from Kafka at {self._where} in time: check"
                " that the broker runs, and send them again"
            )

    def _full(self) -> bool:
        return self._records >= self._most_records or self.bytes >= self._most_bytes

    def _sweep(self) -> None:
        waiting: deque[tuple[float, int, int, Acknowledgement]] = deque()
        for entry in self._waiting:
            _, records, size, acknowledgement = entry
            if not acknowledgement.is_done:
                waiting.append(entry)
                continue
            self._records -= records
            self.bytes -= size
            if acknowledgement.exception is not None:
                self._failed += records
                self._reason = acknowledgement.exception
        self._waiting = waiting

    def _watch(self, since: float) -> None:
        waited_s = self._clock() - since
        if waited_s > self._patience_s:
            raise PublishFailed(
                f"none of {self._records} records got an answer from Kafka at {self._where} for"
                f" {waited_s:.0f} s: check that the broker runs, and send them again"
            )


def _described(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
