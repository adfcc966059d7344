"""Shell: the desk on gunicorn, one worker process with many threads (`dashboard.buffering_worker`).

Threads, because a parked live stream costs little in one; one worker, so that what is kept in
memory (open streams, the reader of the events) is kept once. More desks are more processes
behind a proxy.
"""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from flask import Flask
from gunicorn.app.base import BaseApplication

from dashboard import create_app
from dashboard.buffering_worker import BufferingWorker
from dashboard.live import pages
from earshot.brand import Brand
from earshot.database import db
from earshot.runtime import connect
from earshot.runtime.metrics import Metrics
from earshot.runtime.role import ROLES, die_with_parent
from earshot.runtime.telemetry import HealthServer, Probe, set_up_logging
from earshot.settings import Settings, Web

CONNECTIONS_WAITING = 512
"""How many connections may wait without a thread; with the threads' own, and the database's, they
stay below the 1,024 files that a process may open by default."""

_SECRET_BYTES = 32
GRACE_S = 5
"""How long the worker may take to end what it answers; streams end at once, by themselves."""


def run(settings: Settings, brands: Mapping[str, Brand], *, supervised: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. Blocks."""
    if supervised:
        die_with_parent()  # the worker process watches its parent by itself
    _Server(settings, brands).run()


def secret_key(web: Web, home: Path) -> str:
    """The key that signs forms: the configured one, or one made once and kept in `home`."""
    if web.secret_key:
        return web.secret_key
    path = home / "secret_key"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        made = home / f"secret_key.{secrets.token_hex(4)}"
        made.touch(mode=0o600)
        made.write_text(secrets.token_hex(_SECRET_BYTES))
        try:
            path.hardlink_to(made)  # fails where another process was first: its key is kept
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text().strip()


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn, configured from the settings instead of its own files and arguments."""

    def __init__(self, settings: Settings, brands: Mapping[str, Brand]) -> None:
        self._settings = settings
        self._brands = brands
        self._metrics = Metrics("serve")
        super().__init__()

    def load_config(self) -> None:
        web = self._settings.web
        options: dict[str, Any] = {
            "bind": f"{web.host}:{web.port}",
            "worker_class": BufferingWorker,
            "workers": 1,
            "threads": web.threads,
            "worker_connections": web.threads + CONNECTIONS_WAITING,
            "graceful_timeout": GRACE_S,
            "keepalive": 15,
            "max_requests": 0,
            "limit_request_line": 8_190,
            "loglevel": "warning",
            "post_worker_init": self._start,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, made in the worker: connections and threads don't cross a fork."""
        settings = self._settings
        engine = connect.open_database(settings)
        web = msgspec.structs.replace(
            settings.web, secret_key=secret_key(settings.web, settings.home_path)
        )
        return create_app(
            sessions=db.open_sessions(engine),
            readers=db.open_readers(engine),
            brands=self._brands,
            web=web,
            clock=lambda: datetime.now(UTC),
            metrics=self._metrics,
        )

    def _start(self, worker: Any) -> None:
        telemetry = self._settings.telemetry
        set_up_logging("serve", style=telemetry.format, level=telemetry.level)
        probe = Probe(time.monotonic, stuck_after_s=float("inf"))
        probe.step_done()
        port = telemetry.port and telemetry.port + ROLES.index("serve")
        self._metrics.follow_disk(self._settings.home_path)
        HealthServer(telemetry.host, port, probe, self._metrics)
        _stop_streams_on_term()


def _stop_streams_on_term() -> None:
    """Let SIGTERM end the open streams first, or the worker would wait for each of them."""
    graceful = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        pages.shutdown()
        if callable(graceful):
            graceful(number, frame)

    signal.signal(signal.SIGTERM, end)
