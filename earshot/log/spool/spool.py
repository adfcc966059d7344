"""The spool: a file on this machine that keeps what the log can't take now, in order.

A row is a run of messages that were flushed together. What is dropped leaves room in the file
that is used again; the file itself does not shrink.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from earshot.log.sqlite.file import SqliteFile

Message = tuple[str, bytes, bytes, dict[str, str] | None]
"""Topic, key, value and headers (None: there are none)."""

SUFFIX = ".spool"

_RUN_BYTES = 2**20
"""A longer run is cut: it is what a drain sends before it waits, and sends again after a crash."""

_CREATE = (
    "create table if not exists run (id integer primary key autoincrement, at real not null,"
    " messages integer not null, bytes integer not null, body blob not null)"
)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Message])


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a spool holds. `since` is when the oldest of it came, in epoch seconds."""

    messages: int
    bytes: int
    since: float


class Spool:
    """The spool in the file at `path`, made when first written; of one process only.

    What `append` was given survives a power cut when it returns. Raises LogError.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, "FULL")
        self._clock = clock
        self._waiting = _waiting(self._file) if path.exists() else Waiting(0, 0, 0.0)
        self._made = False

    @property
    def waiting(self) -> Waiting:
        return self._waiting

    def append(self, messages: Sequence[Message]) -> None:
        """Keep these behind all others: all of them or, when it raises, none."""
        now = self._clock()
        rows = [(now, len(run), _size(run), _encoder.encode(run)) for run in _runs(messages)]
        with self._file.writing() as connection:
            if not self._made:
                connection.execute(_CREATE)
            connection.executemany(
                "insert into run (at, messages, bytes, body) values (?, ?, ?, ?)", rows
            )
        self._made = True
        was = self._waiting
        self._waiting = Waiting(
            was.messages + len(messages),
            was.bytes + sum(size for _, _, size, _ in rows),
            was.since if was.messages else now,
        )

    def oldest(self) -> tuple[int, list[Message]] | None:
        """The oldest run and its number; None when nothing waits."""
        if not self._waiting.messages:
            return None
        with self._file.reading() as connection:
            found = connection.execute("select id, body from run order by id limit 1").fetchone()
        return (found[0], _decoder.decode(found[1])) if found else None

    def drop(self, number: int) -> None:
        """Forget the run of this number and those before it: they are durable elsewhere."""
        with self._file.writing() as connection:
            connection.execute("delete from run where id <= ?", (number,))
        self._waiting = _waiting(self._file)

    def close(self) -> None:
        self._file.close()


def spools(folder: Path) -> dict[str, Waiting]:
    """What the spools in `folder` hold, by name; of other processes too. Raises LogError."""
    found = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        file = SqliteFile(path, "FULL")
        try:
            found[path.stem] = _waiting(file)
        finally:
            file.close()
    return found


def messages_spooled(folder: Path) -> int:
    """How many messages wait in all spools of this machine. Raises LogError."""
    return sum(waiting.messages for waiting in spools(folder).values())


def _waiting(file: SqliteFile) -> Waiting:
    with file.reading() as connection:
        made = "select 1 from sqlite_master where name = 'run'"
        if connection.execute(made).fetchone() is None:
            return Waiting(0, 0, 0.0)
        sums = "select coalesce(sum(messages), 0), coalesce(sum(bytes), 0), min(at) from run"
        messages, size, since = connection.execute(sums).fetchone()
    return Waiting(messages, size, since or 0.0)


def _runs(messages: Sequence[Message]) -> list[list[Message]]:
    runs: list[list[Message]] = []
    size = _RUN_BYTES
    for message in messages:
        if size >= _RUN_BYTES:
            runs.append([])
            size = 0
        runs[-1].append(message)
        size += _size([message])
    return runs


def _size(messages: Sequence[Message]) -> int:
    return sum(len(key) + len(value) for _, key, value, _ in messages)
