"""Bluesky: every public post, through Jetstream.

The SDK moves its cursor before the event is handled and swallows the handler's errors, so
the read loop, the cursor and the reconnecting are our own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from collectors.contract.resume import Place, Row, Stretch, ascend
from collectors.contract.source import (
    Batch,
    Cursor,
    Gap,
    Limit,
    PlatformError,
)
from collectors.contract.validation import utc_now
from collectors.platforms.bluesky.client import (
    STREAM_LIMIT,
    CursorTooOld,
    open_stream,
)
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.posts import (
    BadFrame,
    Event,
    microseconds,
    read_event,
)
from collectors.platforms.bluesky.stream import Missed, Patience

_BATCH = 1_000
_WAIT_S = 1.0
_LULL_S = 0.05
"""A batch goes on its way as soon as the stream pauses for so long."""
_LOOKBACK = {"v2": timedelta(hours=36), "v1": timedelta(hours=24)}
_ELSEWHERE = timedelta(minutes=5)
"""How far back to start by time, where a position means nothing: clocks differ."""
_SLACK_US = 5_000_000
"""Version 1 numbers events by time, and sends them somewhat out of order."""
_AHEAD = timedelta(minutes=5)
"""How far ahead of our clock version 1 may number an event: the cursor never goes back from it."""
_TOO_LONG = 1009
"""The code under which we close a connection whose frame is longer than `STREAM_LIMIT`."""


class BlueskySource:
    """Every post of the network, to be matched; deletions of posts and of whole accounts.

    The connection stays open between polls, and is taken up only if the cursor is the one
    that the last poll gave: any other cursor opens a new one there.
    """

    platform = "bluesky"
    everything = False
    limits: Sequence[Limit] = ()
    poll_every_s = 0.0
    keeps_history = True

    def __init__(
        self,
        config: BlueskyConfig,
        now: Callable[[], datetime] = utc_now,
        wait_s: float = _WAIT_S,
        ticks_s: Callable[[], float] = time.monotonic,
    ) -> None:
        # the stream names authors by DID alone, so that a handle recognises nobody
        self.account = config.identifier if config.identifier.startswith("did:") else ""
        self._config = config
        self._wait_s = wait_s
        self._now = now
        self._slack = _SLACK_US if config.protocol == "v1" else 0
        # Version 1 counts microseconds everywhere; version 2's numbers are the instance's own.
        self._epoch = "v1" if config.protocol == "v1" else config.endpoint
        self._stream: ClientConnection | None = None
        self._place: Place | None = None
        self._patience = Patience(ticks_s)
        self._ended: PlatformError | None = None

    def parts(self) -> Sequence[str]:
        return ("posts",)

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        # It begins live, and the stream's own time dates each post: no history can come.
        where = "bluesky posts"
        return ascend(cursor, self._fetch, where=where, since=None, slack=self._slack)

    def close(self) -> None:
        if self._stream:
            self._stream.close()
        self._stream = self._place = None

    def _fetch(self, place: Place | None) -> Stretch:
        if place is None:
            # Name the place before reading: what is read from "now" could not be read again.
            here = Place(epoch=self._epoch, position=0, at=self._now())
            return Stretch(rows=(), place=here, more=True)
        if self._ended is not None:
            error, self._ended = self._ended, None
            raise error
        gap = None
        if self._stream is None or place != self._place:
            self.close()
            self._stream, gap = self._open(place)
            self._patience.opened()
        here = place
        if place.epoch != self._epoch:
            here = Place(epoch=self._epoch, position=0, at=place.at)
        rows, behind, lost = self._read(self._stream, here)
        self._place = behind
        return Stretch(rows=rows, place=behind, more=len(rows) >= _BATCH, gap=gap or lost)

    def _open(self, place: Place) -> tuple[ClientConnection, Gap | None]:
        floor = self._now() - _LOOKBACK[self._config.protocol]
        gap = Gap(
            reason="Jetstream no longer holds what came after our cursor",
            since=place.at,
            until=floor,
        )
        by_time = microseconds(place.at - _ELSEWHERE)
        known = place.epoch == self._epoch and place.position > 0
        silent = self._config.protocol == "v1" and place.at < floor
        try:
            cursor = place.position - self._slack if known else by_time
            return open_stream(self._config, cursor), gap if silent else None
        except CursorTooOld:
            # A cursor that is a time is clamped to the oldest event: begin there.
            return open_stream(self._config, microseconds(floor)), gap

    def _read(
        self, stream: ClientConnection, place: Place
    ) -> tuple[list[tuple[int, Row]], Place, Gap | None]:
        """What arrives in the time of a poll, at most a batch; less when the stream pauses."""
        rows: list[tuple[int, Row]] = []
        start, missed = place, Missed(since=place.at)
        newest = microseconds(self._now() + _AHEAD) if self._config.protocol == "v1" else None
        deadline = time.monotonic() + self._wait_s
        while len(rows) < _BATCH and (left := deadline - time.monotonic()) > 0:
            try:
                frame = stream.recv(timeout=min(left, _LULL_S) if rows else left)
            except TimeoutError:
                break
            except ConnectionClosed as error:
                self._end(rows, start, place, _why(error))
                break
            try:
                event = read_event(frame, newest)
            except BadFrame as error:
                # It has no number of its own: count it as just behind the last one.
                rows.append((place.position + 1, Row(mark="", found=error.rejected)))
                continue
            if event.position:
                if event.kind == "oversized" and event.position > place.position:
                    missed.note(event)
                rows.append((event.position, event.row))
                place = _behind(place, event)
            elif event.kind.startswith("error"):
                self._end(rows, start, place, f"Jetstream ended the stream ({event.kind})")
                break
            else:
                missed.note(event)
        if place.position > start.position:
            self._patience.progress()
        return rows, place, missed.gap

    def _end(
        self, rows: Sequence[tuple[int, Row]], start: Place, place: Place, reason: str
    ) -> None:
        """Close the stream. Raises PlatformError, at the next poll where `rows` say something new.

        Events that were known before, sent again, are no news.
        """
        self.close()
        if place.position > start.position:
            self._patience.progress()
        rest_s = self._patience.rest_s()
        error = PlatformError(reason, retry_after_s=rest_s)
        if not any(position > start.position - self._slack for position, _ in rows):
            raise error
        self._ended = error if rest_s else None


def _why(error: ConnectionClosed) -> str:
    if error.sent is not None and error.sent.code == _TOO_LONG:
        limit = f"{STREAM_LIMIT >> 20} MiB"
        return f"Jetstream sent a frame of more than {limit}: we closed the connection"
    return f"Jetstream closed the connection ({error})"


def _behind(place: Place, event: Event) -> Place:
    return Place(
        epoch=place.epoch,
        position=max(place.position, event.position),
        at=max(place.at, event.at) if place.position else event.at,
    )
