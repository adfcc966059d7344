"""Whether what collectors gave reaches the log, or waits on this machine's disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from earshot.log.contract import LogError
from earshot.log.spool.spool import spools
from operations.checks.finding import Finding, Well, Wrong


def spooled(folder: Path, most_bytes: int, now: datetime) -> Iterator[Finding]:
    """One finding for each spool in `folder`; none where there never was one."""
    try:
        found = spools(folder)
    except LogError as error:
        yield Wrong("spool", str(error), "repair the file, or move it away with its records")
        return
    for name, waiting in found.items():
        subject = f"spool of {name}"
        if not waiting.messages:
            yield Well(subject, "no records are waiting")
            continue
        minutes = (now - datetime.fromtimestamp(waiting.since, UTC)).total_seconds() / 60
        yield Wrong(
            subject,
            f"{waiting.messages} records are waiting, {waiting.bytes / most_bytes:.0%} of"
            f" log.spool_mb, the oldest for {minutes:.0f} minutes",
            f"find out why Kafka does not respond; then the collector of {name} sends them if it"
            " runs",
        )
