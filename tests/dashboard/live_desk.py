"""A desk that really serves, for browser tests: its own thread, its own clock, seeded rows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from flask import request
from werkzeug.serving import make_server

from dashboard.accounts import people
from dashboard.live import pages
from earshot.domain import ItemState
from tests.dashboard.seed import add_item
from tests.dashboard.world import World, make_world

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass(slots=True)
class Trouble:
    """What the server does to the next requests: fail with a status, or hold what changes."""

    failing: set[str] = field(default_factory=set)
    through: threading.Event = field(default_factory=threading.Event)

    def hold(self) -> None:
        """Let no change through until `release`."""
        self.through.clear()

    def release(self) -> None:
        self.through.set()


@dataclass(frozen=True, slots=True)
class LiveDesk:
    """A served world; `trouble` makes its network bad."""

    world: World
    url: str
    trouble: Trouble

    def link(self, name: str) -> str:
        """A one-time sign-in link for a person."""
        with self.world.sessions.begin() as writing:
            token = people.sign_in_link(
                writing, self.world.people[name], now(), timedelta(minutes=5)
            )
        return f"{self.url}/signin/{token}"

    def add(self, number: int, **changes: Any) -> int:
        """An item that arrived so many minutes ago."""
        started = changes.pop("clock_started_at", now() - timedelta(minutes=number))
        with self.world.sessions.begin() as writing:
            return add_item(writing, number, clock_started_at=started, **changes)

    def add_held(self, number: int, name: str, due_s: float, **changes: Any) -> int:
        """An item that a person holds, due in so many seconds."""
        return self.add(
            number,
            **{
                "state": ItemState.ASSIGNED,
                "assignee_id": self.world.people[name],
                "due_at": now() + timedelta(seconds=due_s),
            }
            | changes,
        )


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def serving(folder: Path, **web: Any) -> Iterator[LiveDesk]:
    """A desk on a free port of loopback, over a database in `folder`."""
    world = make_world(folder, clock=now, **web)
    trouble = Trouble()
    trouble.release()

    @world.app.before_request
    def be_bad() -> tuple[str, int] | None:
        if request.method == "POST":
            trouble.through.wait()
        return ("out of order", 503) if request.path in trouble.failing else None

    server = make_server("127.0.0.1", 0, _static_in_one_piece(world.app), threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]  # of ThreadingMixIn
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield LiveDesk(world, f"http://127.0.0.1:{server.port}", trouble)
    finally:
        trouble.release()
        pages.shutdown()
        server.shutdown()
        thread.join(5)
        server.server_close()


def _static_in_one_piece(app: WSGIApplication) -> WSGIApplication:
    """The app with its static files read and closed before they are sent.

    The development server does not close an answer whose browser resets the connection.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        parts = app(environ, start_response)
        if not environ["PATH_INFO"].startswith("/static/"):
            return parts
        try:
            return [b"".join(parts)]
        finally:
            if isinstance(parts, Closing):
                parts.close()

    return answer


@runtime_checkable
class Closing(Protocol):
    def close(self) -> None: ...
