"""One SQLite file of the embedded log: how it is opened, and what its errors mean.

Every file is in WAL mode: readers never wait, one writer at a time waits its turn. A local
disk is needed; WAL does not work on network file systems.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from earshot.log.contract import LogError

BUSY_S = 30.0
"""How long a writer waits for another process before it gives up."""

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk or its size limit is full: free space there, or raise the limit",
    sqlite3.SQLITE_BUSY: "another process keeps it locked: see who with `fuser`, and stop it",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked: see who with `fuser`, and stop it",
    sqlite3.SQLITE_CORRUPT: "it is damaged: stop all roles, save it aside with its -wal file, "
    "and recover it with `sqlite3 FILE .recover`",
    sqlite3.SQLITE_NOTADB: "it is not a log of ours: move it away, or choose another folder",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened: check that the folder exists and may be written",
    sqlite3.SQLITE_READONLY: "it is read-only: give this user the right to write there",
    sqlite3.SQLITE_PERM: "access is denied: give this user the right to write there",
    sqlite3.SQLITE_IOERR: "the disk failed: look at `dmesg`, and check the free space",
}

_inherited: list[object] = []
"""Connections of the parent process. Closing one here could harm the parent: they stay."""


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the file at `path` into a LogError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        advice = _ADVICE.get(code, "the log can't use it: report this with the file's name")
        raise LogError(f"{path}: {error}; {advice}") from error


class SqliteFile:
    """A connection to the file at `path`, made when it is first used.

    It belongs to the process that made it: after a fork the child must make its own. It may
    be used by one thread at a time. `synchronous` is SQLite's word: with FULL a commit
    survives a power cut, with NORMAL the last commits may be undone by one (never torn).
    """

    def __init__(self, path: Path, synchronous: str, max_bytes: int | None = None) -> None:
        self.path = path
        self._synchronous = synchronous
        self._max_bytes = max_bytes
        self._pid = 0
        self._busy_s = BUSY_S
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection. Raises LogError in a forked child."""
        if self._connection is None:
            self._connection = self._opened()
            self._pid = os.getpid()
        if self._pid != os.getpid():
            _inherited.append(self._connection)
            raise LogError(f"{self.path}: opened before a fork: make the log again in the child")
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(
                f"{self.path.parent}: {error.strerror}: choose another folder"
            ) from error
        until = time.monotonic() + BUSY_S
        while True:
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
            try:
                self._prepare(connection)
            except sqlite3.OperationalError as error:
                connection.close()
                # switching a new file to WAL does not wait for others as a write does
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(0.01)
            except BaseException:
                connection.close()
                raise
            else:
                return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in (
            "page_size = 8192",
            "journal_mode = wal",
            f"synchronous = {self._synchronous}",
            "wal_autocheckpoint = 4000",
            "secure_delete = on",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"pragma {pragma}")
        if self._max_bytes is not None:
            (page_size,) = connection.execute("pragma page_size").fetchone()
            connection.execute(f"pragma max_page_count = {max(1, self._max_bytes // page_size)}")

    @contextmanager
    def writing(self, timeout_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the file's write lock; rolled back if the body raises."""
        with sqlite_errors(self.path):
            connection = self.connection
            if timeout_s != self._busy_s:
                connection.execute(f"pragma busy_timeout = {max(1, int(timeout_s * 1000))}")
                self._busy_s = timeout_s
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:  # SQLite may have rolled back by itself
                    connection.execute("rollback")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for single reads: each sees the newest state."""
        with sqlite_errors(self.path):
            yield self.connection

    def version(self) -> int:
        """A number that changes when another connection has written to the file."""
        with sqlite_errors(self.path):
            found: tuple[int] = self.connection.execute("pragma data_version").fetchone()
        return found[0]

    def close(self) -> None:
        if self._connection is not None:
            if self._pid == os.getpid():
                self._connection.close()
            else:
                _inherited.append(self._connection)
        self._connection = None
