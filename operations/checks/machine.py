"""The folder in which data lie, and the disk below it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from operations.checks.finding import Finding, Well, Wrong

LEAST_FREE_BYTES = 2**30
"""With less than this free a busy day may fill the disk before anybody looks."""

_PROBE_BYTES = 64 * 1024


def folder(home: Path) -> Finding:
    """Whether data can be written below `home`: by writing some."""
    if not home.is_dir():
        return Wrong(
            "data folder",
            f"{home} is not a folder",
            "create it, or set EARSHOT_HOME to the folder with your data",
        )
    try:
        with tempfile.NamedTemporaryFile(dir=home, prefix=".doctor-") as probe:
            probe.write(b"\0" * _PROBE_BYTES)
            probe.flush()
    except OSError as error:
        return Wrong(
            "data folder",
            f"{home} can't be written ({error.strerror})",
            "allow this user to write there, or free space on its disk",
        )
    return Well("data folder", f"{home} can be written")


def room(home: Path, least_bytes: int = LEAST_FREE_BYTES) -> Finding:
    """Whether the disk of `home` has at least so many bytes free."""
    there = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / 1e9:.1f} GB free at {home}"
    if free < least_bytes:
        return Wrong(
            "disk", said, f"free space, or move home to a disk with {least_bytes / 1e9:.1f} GB more"
        )
    return Well("disk", said)
