"""One thread per process reads the event table for every open page of every brand."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dashboard.live.event_cursor import EventCursor
from dashboard.live.event_reader import READ_LIMIT, EventReader, newest, unseen
from dashboard.live.notifications import Notification, as_message
from earshot.database.db import Sessions

logger = logging.getLogger(__name__)

POLL_EVERY_S = 0.3
"""How often the table is read."""

COUNTS_S = 1.0
"""How often, at most, counts of a brand are sent: they are read again each time."""

AFTER_ERROR_S = 2.0
"""The pause after the table could not be read."""

STALE_AFTER = 100_000
"""A page that is so many events behind, of any brand, reads its lists again."""

QUEUE_LIMIT = 500
"""A page that has so many messages waiting is cut off; it comes back and catches up."""

Counts = Callable[[Session, str], Mapping[str, int]]


class Full(Exception):
    """As many streams are open as this process may hold."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One open stream: `first` is what it has to be told at once."""

    brand: str
    first: bytes = b""
    queue: SimpleQueue[bytes | None] = field(default_factory=SimpleQueue)

    def next(self, timeout_s: float) -> bytes | None:
        """The next message, an empty one after `timeout_s`; None when the stream is over."""
        try:
            return self.queue.get(timeout=timeout_s)
        except Empty:
            return b""


def encode(position: EventCursor, message: Mapping[str, Any]) -> bytes:
    """A message of a stream. Its id is where the reader is once it has the message."""
    return b"id: %b\ndata: %b\n\n" % (str(position).encode(), msgspec.json.encode(message))


class Broadcast:
    """The open streams and the thread that feeds them, which starts with the first."""

    def __init__(
        self, readers: Sessions, counts: Counts, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._readers = readers
        self._counts = counts
        self._now_s = now_s
        self._stopping = threading.Event()
        self._reading = threading.Lock()  # one poll at a time; taken before _state
        self._state = threading.Lock()  # position and subscriptions change together
        self._event_reader: EventReader | None = None
        self._thread: threading.Thread | None = None
        self._position: EventCursor | None = None
        self._open: set[Subscription] = set()
        self._untold: dict[str, bool] = defaultdict(bool)
        self._told_s: dict[str, float] = defaultdict(lambda: float("-inf"))
        _broadcasts.add(self)

    @property
    def position(self) -> EventCursor | None:
        """Up to where pages were told; None before anybody listened."""
        return self._position

    @property
    def streams(self) -> int:
        return len(self._open)

    def subscribe(self, brand: str, since: EventCursor | None, limit: int) -> Subscription:
        """A stream of what happens to `brand`, beginning with what happened after `since`.

        Raises Full when `limit` streams are open, SQLAlchemyError when the events can't be read.
        """
        subscription = Subscription(brand)
        with self._state:
            if self._stopping.is_set() or len(self._open) >= limit:
                raise Full
            self._open.add(subscription)
        try:
            # Another process may have told the browser of events that we did not read yet.
            self.poll_once()
            self._start()
            with self._state:
                # From here on the queue has what comes after `position`, and `first` the rest.
                subscription.queue = SimpleQueue()
                position = self._position or EventCursor(0)
            subscription.first = encode(position, self.since(brand, since, position))
        except BaseException:
            self.leave(subscription)
            raise
        if self._stopping.is_set():
            self.leave(subscription)
            raise Full
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """End a stream; ending it twice is fine."""
        with self._state:
            self._open.discard(subscription)

    def since(self, brand: str, since: EventCursor | None, now: EventCursor) -> dict[str, Any]:
        """What a page at `since` has missed up to `now`, with the counts of now.

        `stale` says that it has missed more than it can be told, or that nobody knows what:
        the page should read its lists again.
        """
        with self._readers.begin() as session:
            missed: list[Notification] = []
            stale = since is None or not 0 <= now.high - since.high <= STALE_AFTER
            if since is not None and not stale:
                missed = unseen(session, since, brand=brand)
                stale = len(missed) >= READ_LIMIT
            message = {} if stale else as_message(h for h in missed if now.has(h.seq))
            message["counts"] = self._counts(session, brand)
        return message | ({"stale": True} if stale else {})

    def poll_once(self) -> bool:
        """Read what is new and tell it; whether there may be more at once."""
        with self._reading, self._readers.begin() as session:
            now_s = self._now_s()
            if self._event_reader is None:
                self._event_reader = EventReader(newest(session), now_s)
            found = self._event_reader.read(session, now_s)
            by_brand: dict[str, list[Notification]] = {}
            for notification in found:
                by_brand.setdefault(notification.brand, []).append(notification)
                self._untold[notification.brand] = True
            messages = {brand: as_message(news) for brand, news in by_brand.items()}
            for brand in self._brands_to_count(now_s):
                counted = {"counts": self._counts(session, brand), "board.tick": {}}
                messages[brand] = messages.get(brand, {}) | counted
            self._tell(self._event_reader.position, messages)
        return len(found) >= READ_LIMIT

    def _brands_to_count(self, now_s: float) -> list[str]:
        """Brands in view where something happened and whose counts are old enough."""
        with self._state:
            in_view = {subscription.brand for subscription in self._open}
        due = [b for b in in_view if self._untold[b] and now_s - self._told_s[b] >= COUNTS_S]
        for brand in due:
            self._untold[brand] = False
            self._told_s[brand] = now_s
        return due

    def _tell(self, position: EventCursor, messages: Mapping[str, Mapping[str, Any]]) -> None:
        encoded = {b: encode(position, message) for b, message in messages.items() if message}
        with self._state:
            self._position = position
            for subscription in list(self._open):
                message = encoded.get(subscription.brand)
                if message is None:
                    continue
                if subscription.queue.qsize() >= QUEUE_LIMIT:
                    self._open.discard(subscription)
                    message = None
                subscription.queue.put(message)

    def _start(self) -> None:
        with self._state:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="broadcast", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        failing = False
        pause_s = POLL_EVERY_S
        while not self._stopping.wait(pause_s):
            try:
                pause_s = 0.0 if self.poll_once() else POLL_EVERY_S
                failing = False
            except SQLAlchemyError as error:
                if not failing:
                    logger.warning("events can't be read", extra={"error": str(error)[:300]})
                failing, pause_s = True, AFTER_ERROR_S

    def shutdown(self) -> None:
        """End every stream and the thread. Takes no lock: a signal handler may call it."""
        self._stopping.set()
        for subscription in list(self._open):
            subscription.queue.put(None)

    def join(self, timeout_s: float = 5.0) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)


_broadcasts: weakref.WeakSet[Broadcast] = weakref.WeakSet()


def shutdown() -> None:
    """End the streams of this process, so that a server with open pages can stop at once."""
    with suppress(RuntimeError):  # the set grew meanwhile, by a broadcast without streams
        for broadcast in list(_broadcasts):
            broadcast.shutdown()
