"""One service for all workers of a test run: the first who needs it starts it, the last ends it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest


class Service(Protocol):
    """A server of ours, before or after its start."""

    stop_signal: signal.Signals

    @property
    def address(self) -> str:
        """How a client reaches it."""

    @property
    def pid(self) -> int: ...

    def start(self) -> None: ...


_started: list[Service] = []
"""Kept until this process ends: others may still use what it started."""


@contextmanager
def shared(
    name: str, folders: pytest.TempPathFactory, make: Callable[[Path], Service]
) -> Iterator[str]:
    """The address of the run's one service, which `make` makes in a folder.

    pytest-xdist gives each worker a folder below that of the run; the lock and the count of
    users lie in the latter, so that the service is started once and ends with its last user.
    Its data lie elsewhere: each start of pytest shuts its own folders to other users again,
    also those of a run that goes on, and PostgreSQL runs as another user.
    """
    root = folders.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    state = root / f"{name}.json"
    with _locked(root / f"{name}.lock"):
        if state.exists():
            address, pid, stop, users, folder = json.loads(state.read_text())
        else:
            folder = tempfile.mkdtemp(prefix=f"earshot-{name}-")
            service = make(Path(folder) / name)
            service.start()
            _started.append(service)
            address, pid, stop, users = service.address, service.pid, service.stop_signal, 0
        state.write_text(json.dumps([address, pid, stop, users + 1, folder]))
    try:
        yield address
    finally:
        with _locked(root / f"{name}.lock"):
            address, pid, stop, users, folder = json.loads(state.read_text())
            if users > 1:
                state.write_text(json.dumps([address, pid, stop, users - 1, folder]))
            else:
                state.unlink()
                os.kill(pid, stop)
                _wait_for_end(pid)
                shutil.rmtree(folder, ignore_errors=True)


def _wait_for_end(pid: int, within_s: float = 10.0) -> None:
    until = time.monotonic() + within_s
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether the process is there and more than a zombie that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
