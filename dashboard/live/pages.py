"""Live pages: a stream of ids and counts, and a poll that says the same.

Server-sent events because a parked thread is cheap and a browser reconnects by itself; the
id of a message is the reader's position in the event table, so that nothing is lost or sent
twice however often the line breaks, and whichever process answers next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import cast

import msgspec
from flask import Blueprint, Response, current_app, g, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dashboard.accounts import browser_sessions
from dashboard.accounts.auth import cookie_name
from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.live.broadcast import Broadcast, Full, Subscription, shutdown
from dashboard.live.event_cursor import EventCursor, parse
from earshot.database.tables import BacklogRow
from earshot.domain import ItemFlag, ItemState

__all__ = ["broadcast", "pages", "shutdown"]

pages = Blueprint("live", __name__)

HEARTBEAT_S = 10.0
"""A comment this often shows a dead line to both ends, and the reader's right is looked at."""

LIFE_S = 30 * 60.0
"""A stream ends then, and the browser's next one is checked for permissions again."""

SPARE_THREADS = 32
"""Threads of the server that streams leave to pages."""

RETRY_AFTER_S = 15

_BEHIND = 10_000


def broadcast() -> Broadcast:
    """The broadcast of the running application."""
    found = current_app.extensions.get("earshot.live")
    if found is None:
        made = Broadcast(app_context().readers, counts)
        found = current_app.extensions.setdefault("earshot.live", made)
    return cast("Broadcast", found)


@pages.before_app_request
def note_position() -> None:
    """Remember, before a page reads anything, from where it has to be told.

    It is empty until a stream has been opened in this process.
    """
    position = broadcast().position
    g.live_position = str(position) if position else ""


class Stream(Iterator[bytes]):
    """The body of one stream. A class, since a generator that never ran is never closed."""

    def __init__(
        self,
        broadcast: Broadcast,
        subscription: Subscription,
        still: Callable[[], bool],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broadcast = broadcast
        self._subscription = subscription
        self._still = still
        self._now_s = now_s
        self._asked_s = now_s()
        self._ends_s = now_s() + LIFE_S
        self._begun = False

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return b"retry: 2000\n" + self._subscription.first
        if self._now_s() >= self._ends_s:
            raise StopIteration
        message = self._subscription.next(HEARTBEAT_S)
        if message is None or not self._may_go_on():
            raise StopIteration
        return message or b": keep-alive\n\n"

    def _may_go_on(self) -> bool:
        """Whether the reader may still be told; asked once a heartbeat, however much happens."""
        if self._now_s() - self._asked_s < HEARTBEAT_S:
            return True
        self._asked_s = self._now_s()
        return self._still()

    def close(self) -> None:
        """Give the place free. Called by the server however the stream ends."""
        self._broadcast.leave(self._subscription)


@pages.get("/stream")
@needs(Permission.USE_DESK)
def stream() -> Response:
    limit = app_context().web.threads - SPARE_THREADS
    try:
        subscription = broadcast().subscribe(viewer().brand, _since(), limit)
    except Full:
        return Response(status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
    return Response(
        Stream(broadcast(), subscription, _still_there(viewer().brand)),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _still_there(brand: str) -> Callable[[], bool]:
    """Whether the browser is still signed in, and its person still of `brand`."""
    here, token = app_context(), request.cookies[cookie_name()]

    def ask() -> bool:
        with here.readers.begin() as reading:
            found = browser_sessions.find(reading, token, here.clock())
        return found is not None and brand in found.viewer.brands

    return ask


@pages.get("/poll")
@needs(Permission.USE_DESK)
def poll() -> Response:
    """The same as one message: 304 while nothing has changed."""
    since = _since()
    here = broadcast()
    here.poll_once()
    now = here.position or EventCursor(0)
    message = here.since(viewer().brand, since, now)
    quiet = message.keys() == {"counts"}
    # An unmoved `last` keeps the answer the same to the letter, so that its digest is too.
    stay = quiet and since is not None and now.high - since.high < _BEHIND
    message["last"] = str(since if stay else now)
    response = Response(msgspec.json.encode(message), mimetype="application/json")
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _since() -> EventCursor | None:
    """How far the browser has come: the header, which it sets when it reconnects, or the URL."""
    return parse(request.headers.get("Last-Event-ID") or request.args.get("last", ""))


def counts(session: Session, brand: str) -> dict[str, int]:
    """Open items of a brand by view, from the backlog: `open`, `triage` and its parts."""
    rows = session.execute(
        select(BacklogRow.state, BacklogRow.sentiment, BacklogRow.flags, func.sum(BacklogRow.n))
        .where(BacklogRow.brand == brand)
        .group_by(BacklogRow.state, BacklogRow.sentiment, BacklogRow.flags)
    )
    total = dict.fromkeys(("open", "triage", "negative", "reach", "unsure", "vip", "snoozed"), 0)
    for state, sentiment, flags, n in rows:
        total["open"] += n
        if state == ItemState.SNOOZED:
            total["snoozed"] += n
        if state == ItemState.NEW:
            total["triage"] += n
            total["negative"] += n if sentiment == "negative" else 0
            total["reach"] += n if flags & ItemFlag.HIGH_REACH else 0
            total["unsure"] += n if flags & ItemFlag.UNSURE else 0
            total["vip"] += n if flags & ItemFlag.VIP else 0
    return total
