"""The desk as its operator runs it: `earshot serve` in a process of its own, over SQLite."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from dashboard.accounts import people
from earshot.database import db
from earshot.domain import ItemState, Role
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change, move, record
from tests.dashboard.live_desk import now
from tests.dashboard.seed import add_item
from tests.services.ports import free_ports

PROJECT = Path(__file__).parents[2]

SERVE = """
from dashboard import serve
from operations.cli import main

serve.GRACE_S = 600
main(["serve"])
"""
"""`earshot serve`, with a grace that no test outlasts: what does not end by itself stays."""


class DeskProcess:
    """A served desk with one manager, Mia, who also listens. It can be stopped and started."""

    def __init__(self, folder: Path, threads: int = 64) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._said = folder / "serve.out"
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._environment = kept | {
            "EARSHOT_HOME": str(folder),
            "EARSHOT_CONFIG": str(PROJECT / "config" / "earshot.toml"),
            "EARSHOT_WEB__THREADS": str(threads),
            "EARSHOT_TELEMETRY__PORT": "0",
            "PORT": str(self.port),
        }
        self._run("db", "upgrade")
        self._engine = db.connect(f"sqlite:///{folder / 'earshot.db'}")
        self.sessions = db.open_sessions(self._engine)
        with self.sessions.begin() as session:
            self.mia = people.create_person(session, "mia@acme.example", "Mia", now())
            people.join(session, "acme", self.mia, roles=(Role.LISTENER, Role.MANAGER))
        self._process: subprocess.Popen[bytes] | None = None

    def _run(self, *command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "operations", *command],
            cwd=PROJECT,
            env=self._environment,
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Serve, and return once it answers."""
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE],
                cwd=PROJECT,
                env=self._environment,
                stdout=said,
                stderr=said,
            )
        until = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, self._said.read_text()
            assert time.monotonic() < until, self._said.read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            line.request("GET", "/login")
            return line.getresponse().status == HTTPStatus.OK
        except OSError:
            return False
        finally:
            line.close()

    def stop(self) -> None:
        """Ask it to end as a supervisor does. Raises TimeoutExpired if a stream holds it up."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def close(self) -> None:
        if self._process is not None:
            self.stop()
        self._engine.dispose()

    def sign_in_link(self) -> str:
        with self.sessions.begin() as session:
            token = people.sign_in_link(session, self.mia, now(), timedelta(minutes=5))
        return f"{self.url}/signin/{token}"

    def add(self, number: int, **changes: Any) -> int:
        """An item that arrives now, as the router writes one."""
        with self.sessions.begin() as session:
            return add_item(session, number, clock_started_at=now(), **changes)

    def note(self, item: int, count: int = 1) -> list[int]:
        """Events of an item that change nothing; their numbers stand in for the item's id."""
        ids = [item + n for n in range(count)]
        with self.sessions.begin() as session:
            for one in ids:
                event = {"item_id": one, "subject": str(one)}
                record(session, "acme", now(), "role:route", EventKind.ITEM_KEPT, [event])
        return ids

    def close_item(self, item: int) -> None:
        with self.sessions.begin() as session:
            change = Change(
                item_id=item, brand="acme", actor="role:sweep", at=now(), to=ItemState.CLOSED
            )
            move(session, change)


@contextmanager
def desk_process(folder: Path, threads: int = 64) -> Iterator[DeskProcess]:
    """A desk that serves."""
    desk = DeskProcess(folder, threads)
    try:
        desk.start()
        yield desk
    finally:
        desk.close()
