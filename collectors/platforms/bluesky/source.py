"""Bluesky: every public post through Jetstream, and replies through the account's server.

The SDK moves its cursor before the event is handled and swallows the handler's errors, so
the read loop, the cursor and the reconnecting are our own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from collectors.contract.rate_limits import Allowances
from collectors.contract.resume import Place, Row, Stretch, ascend
from collectors.contract.source import (
    Answer,
    Batch,
    Cursor,
    Gap,
    Limit,
    Outcome,
    PlatformError,
    Refused,
    Sent,
    Thread,
    Unknown,
)
from collectors.contract.transport import UsedUp, never_sent
from collectors.contract.validation import MISREAD, clean_text, utc_now
from collectors.platforms.bluesky.client import (
    STREAM_LIMIT,
    BlueskyConfig,
    CursorTooOld,
    Pds,
    SignInFailed,
    XrpcError,
    open_stream,
)
from collectors.platforms.bluesky.posts import (
    POSTS,
    BadFrame,
    Event,
    microseconds,
    read_event,
    record_key,
    reply_record,
    seen,
    seen_below,
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
_SERVER_ERROR = 500
_TOO_MANY = 429
_NOT_THERE = {"NotFound", "RecordNotFound"}


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


class BlueskyResponder:
    """Replies as our account, each under a record key of our own.

    Putting a record is idempotent: a second attempt with the same `Answer.key` changes nothing.
    """

    platform = "bluesky"
    settle_s = 5.0
    length_limit = 300

    def __init__(self, config: BlueskyConfig, now: Callable[[], datetime] = utc_now) -> None:
        if not config.identifier:
            raise ValueError(
                "replying on Bluesky needs identifier and password (an app password): set "
                "them, or leave this source without answers"
            )
        self._pds = Pds(config, now)

    @property
    def allowances(self) -> Allowances:
        return self._pds.allowances

    def send(self, answer: Answer) -> Outcome:
        try:
            record = reply_record(answer.text, answer.address, answer.since)
        except KeyError as error:
            return Refused(reason=f"the mention's address lacks {error}", permanent=True)
        try:
            body = {
                "repo": self._pds.did,
                "collection": POSTS,
                "rkey": record_key(answer.key),
                "record": record,
            }
            uri = str(self._pds.post("com.atproto.repo.putRecord", body)["uri"])
        except SignInFailed as error:
            return Refused(
                reason=str(error), permanent=error.permanent, retry_after_s=error.retry_after_s
            )
        except XrpcError as error:
            return _classify(error)
        except (requests.RequestException, *MISREAD) as error:
            return _unanswered(error)
        did, _, rkey = uri.removeprefix("at://").replace(f"/{POSTS}", "").partition("/")
        return Sent(native_id=uri, url=f"https://bsky.app/profile/{did}/post/{rkey}")

    def read(self, answer: Answer) -> Thread:
        """The post as the network shows it, with what is below; ours straight from our server."""
        try:
            did = self._pds.did
            thread = self._thread(answer.parent)
            gone = "post" not in thread
            below = {post.native_id: post for post in seen_below(thread, did)}
            ours = self._own(did, record_key(answer.key))
            if ours is not None:
                below[ours["uri"]] = seen(ours["uri"], ours["value"], did, did)
            text = "" if gone else clean_text(thread["post"]["record"]["text"])
        except XrpcError as error:
            raise PlatformError(
                f"Bluesky thread: the server refused ({error})", retry_after_s=error.wait_s
            ) from error
        except UsedUp as error:
            raise PlatformError(f"Bluesky thread: {error}", retry_after_s=error.wait_s) from None
        except (requests.RequestException, *MISREAD) as error:
            raise PlatformError(f"Bluesky thread: no answer ({type(error).__name__})") from error
        return Thread(gone=gone, text=text, posts=sorted(below.values(), key=lambda post: post.at))

    def close(self) -> None:
        self._pds.close()

    def _thread(self, uri: str) -> dict[str, Any]:
        """The thread view; one without `post` if it is gone, or its author blocks us."""
        try:
            nsid = "app.bsky.feed.getPostThread"
            answer = self._pds.get(nsid, uri=uri, depth=10, parentHeight=0)
        except XrpcError as error:
            if error.name in _NOT_THERE:
                return {}
            raise
        return dict(answer["thread"])

    def _own(self, did: str, rkey: str) -> dict[str, Any] | None:
        try:
            nsid = "com.atproto.repo.getRecord"
            return dict(self._pds.get(nsid, repo=did, collection=POSTS, rkey=rkey))
        except XrpcError as error:
            if error.name in _NOT_THERE:
                return None
            raise


def _unanswered(error: Exception) -> Outcome:
    """What a request without an answer proves. Pure."""
    if isinstance(error, UsedUp):
        return Refused(reason=f"Bluesky: {error}", permanent=False, retry_after_s=error.wait_s)
    if never_sent(error):
        return Refused(reason="Bluesky could not be reached", permanent=False)
    return Unknown(reason=f"no clear answer from Bluesky ({type(error).__name__})")


def _classify(error: XrpcError) -> Outcome:
    """What the server's refusal proves. Pure."""
    if error.status >= _SERVER_ERROR:
        return Unknown(reason=f"Bluesky answered {error}")
    if error.status == _TOO_MANY:
        return Refused(
            reason="Bluesky's rate limit (429)", permanent=False, retry_after_s=error.wait_s
        )
    return Refused(reason=f"Bluesky refused the reply ({error})", permanent=True)
