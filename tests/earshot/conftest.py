"""What several tests of the kernel need: a migrated database, and a disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from earshot.database import db, schema
from tests.conftest import unavailable


@pytest.fixture
def sessions(database_url: str) -> Iterator[db.Sessions]:
    """Sessions on a database that was migrated to the newest schema."""
    engine = db.connect(database_url)
    schema.upgrade(engine)
    yield db.open_sessions(engine)
    engine.dispose()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid():
        unavailable("only root can mount a small disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "earshot-test", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        unavailable(f"no small disk can be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
