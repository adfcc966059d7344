"""What a Jetstream connection was good for: what it missed, and how long to rest behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from collectors.contract.source import Gap
from collectors.platforms.bluesky.posts import FRAME_LIMIT, Event

_FIRST_S, _LONGEST_S = 1.0, 300.0
_STEADY_S = 30.0
"""A connection that lasted for so long was a good one, even if nothing came in a quiet network."""


class Patience:
    """How long to rest before the next connection: longer each time that one brought nothing new.

    Only what moves the cursor is new. What a server sends again at each connection is not, or a
    server that closes behind it would be asked hundreds of times a second.
    """

    def __init__(self, ticks_s: Callable[[], float]) -> None:
        self._ticks_s = ticks_s
        self._opened_s = ticks_s()
        self._moved = False
        self._in_vain = 0

    def opened(self) -> None:
        self._opened_s, self._moved = self._ticks_s(), False

    def progress(self) -> None:
        self._moved = True

    def rest_s(self) -> float | None:
        """The rest behind a connection that just ended, in seconds; None where none is needed."""
        lasted_s = self._ticks_s() - self._opened_s
        if self._moved or lasted_s >= _STEADY_S:
            self._in_vain = 0
            return None if lasted_s >= _FIRST_S else _FIRST_S
        self._in_vain += 1
        return min(_LONGEST_S, _FIRST_S * 2.0 ** min(self._in_vain - 1, 16))


@dataclass
class Missed:
    """What a stretch of the stream held that we did not get, as a gap."""

    since: datetime
    moved: bool = False
    oversized: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def note(self, event: Event) -> None:
        if event.kind == "info OutdatedCursor":
            self.moved = True
        elif event.kind == "oversized":
            self.oversized += 1
            self.first, self.last = self.first or event.at, event.at

    @property
    def gap(self) -> Gap | None:
        if self.moved:
            return Gap(reason="Jetstream moved our cursor forward", since=self.since)
        if not self.oversized:
            return None
        frames = "a frame" if self.oversized == 1 else f"{self.oversized} frames"
        return Gap(
            reason=f"Jetstream sent {frames} of more than {FRAME_LIMIT >> 20} MiB: not read",
            since=self.first,
            until=self.last,
        )
