"""Copies of SQLite files that are in use: each is the file as it stood at one moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from earshot.log.sqlite import group
from earshot.log.sqlite.file import BUSY_S, SqliteFile
from earshot.log.sqlite.records import ends, partition_count
from operations.backup.manifest import BackupError

_MAGIC = b"SQLite format 3\0"

SIDE_FILES = ("-wal", "-shm", "-journal")
"""The ends of the names of what SQLite keeps beside a file: part of it, never copied alone."""


def is_sqlite(path: Path) -> bool:
    """Whether the file at `path` begins as SQLite's do."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def copy(source: Path, target: Path) -> None:
    """Copy the database at `source`, which others may write to, into the new file `target`.

    It is read in one transaction: writers go on, and what they write meanwhile is not in it.
    The copy is checked. Raises BackupError.
    """
    try:
        with (
            closing(_open(source)) as here,
            closing(sqlite3.connect(target, isolation_level=None)) as there,
        ):
            here.backup(there)
            (found,) = there.execute("pragma quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupError(
            f"{source} can't be copied to {target}: {error}; see that the one is whole and that"
            " there is room for the other"
        ) from error
    if found != "ok":
        raise BackupError(
            f"{source} is damaged ({found}): restore an earlier backup, or recover it with"
            " `sqlite3 FILE .recover`"
        )


def _open(source: Path) -> sqlite3.Connection:
    # not read-only: where no other process has it open, its write-ahead log must be read in
    return sqlite3.connect(f"file:{quote(str(source))}?mode=rw", uri=True, timeout=BUSY_S)


def lost_unread(records: Path, groups: Path) -> bool:
    """Whether the copy `records` of a topic lacks a record that the copy `groups` still needs.

    It can when the topic was trimmed between the two copies.
    """
    there, positions = SqliteFile(records, "NORMAL"), SqliteFile(groups, "NORMAL")
    try:
        firsts = [first for first, _ in ends(there, partition_count(there))]
        needed = group.safe_offsets(positions)
    finally:
        there.close()
        positions.close()
    return any(firsts[partition] > max(1, at) for partition, at in needed.items())
