"""No test of the edge may leave this machine, and what is answered can be recorded data."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to any other host fails, and names it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test reached for {address}, which is not loopback")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded platform answers; skipped without it, but never in CI."""
    folder = os.environ.get("EARSHOT_DATA_DIR")
    if folder:
        return Path(folder) / "recorded"
    if os.environ.get("CI") == "true":
        pytest.fail("EARSHOT_DATA_DIR is not set: CI must replay the recordings")
    pytest.skip("EARSHOT_DATA_DIR is not set: there are no recordings to replay")
