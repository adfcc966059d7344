"""What the embedded log asks of a topic's file: one table of records per partition.

Offsets begin at 1 and, by AUTOINCREMENT, are never given twice, whatever was trimmed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from earshot.log.contract import LogError, Record
from earshot.log.sqlite.file import SqliteFile

POLL_BYTES = 32 * 2**20
"""A read ends early once its values reach this size: a batch must fit in memory."""

Row = tuple[float, bytes, bytes, bytes | None]
"""Publishing time in epoch seconds, key, value, headers as JSON (None: there are none)."""

_FORMAT = 1
_CREATE = (
    "create table if not exists p{p} (offset integer primary key autoincrement,"
    " at real not null, key blob not null, value blob not null, headers blob)"
)
_INSERT = "insert into p{p} (at, key, value, headers) values (?, ?, ?, ?)"
_READ = "select offset, key, value, headers from p{p} where offset >= ? order by offset limit ?"
_ENDS = (
    "select (select min(offset) from p{p}),"
    " (select seq + 1 from sqlite_sequence where name = 'p{p}')"
)
_TRIM = (
    "delete from p{p} where offset < ? and at < ?"
    " and offset in (select offset from p{p} order by offset limit ?)"
)

_headers = msgspec.json.Decoder(dict[str, str])


def _of(statement: str, partition: int) -> str:
    return statement.replace("{p}", str(partition))


def create_partitions(file: SqliteFile, partitions: int) -> None:
    """Make the topic; one that is there already keeps the partitions it has."""
    with file.writing() as connection:
        (version,) = connection.execute("pragma user_version").fetchone()
        if version not in {0, _FORMAT}:
            raise LogError(
                f"{file.path}: format {version} was written by a newer release, this one knows"
                f" {_FORMAT}: upgrade, or choose another folder"
            )
        connection.execute("create table if not exists topic (partitions integer not null)")
        if connection.execute("select 1 from topic").fetchone() is None:
            connection.execute("insert into topic values (?)", (partitions,))
            connection.execute(f"pragma user_version = {_FORMAT}")
            for partition in range(partitions):
                connection.execute(_of(_CREATE, partition))


def partition_count(file: SqliteFile) -> int:
    """How many partitions the topic has; 0 if its creation never ended."""
    with file.reading() as connection:
        made = "select 1 from sqlite_master where name = 'topic'"
        if connection.execute(made).fetchone() is None:
            return 0
        found = connection.execute("select partitions from topic").fetchone()
        return int(found[0]) if found else 0


def identity(file: SqliteFile) -> str:
    """What tells this topic's offsets from those of another file, in 32 hex digits.

    Written when it is first asked for: a file of an earlier release has none.
    """
    with file.reading() as connection:
        made = "select 1 from sqlite_master where name = 'identity'"
        if connection.execute(made).fetchone() is not None:
            return _identity(connection)
    with file.writing() as connection:
        connection.execute("create table if not exists identity (id text not null)")
        connection.execute(
            "insert into identity select lower(hex(randomblob(16)))"
            " where not exists (select 1 from identity)"
        )
        return _identity(connection)


def _identity(connection: sqlite3.Connection) -> str:
    (found,) = connection.execute("select id from identity").fetchone()
    return str(found)


def encode_headers(headers: Mapping[str, str] | None) -> bytes | None:
    return msgspec.json.encode(headers) if headers else None


def insert(file: SqliteFile, rows: Mapping[int, Iterable[Row]], timeout_s: float) -> None:
    """Publish rows by partition: durable together when this returns, or not there at all."""
    with file.writing(timeout_s) as connection:
        for partition, of_partition in rows.items():
            connection.executemany(_of(_INSERT, partition), of_partition)


def read_records(
    file: SqliteFile, topic: str, partition: int, offset: int, limit: int
) -> list[Record]:
    """At most `limit` records from `offset` on, fewer when they are large."""
    found: list[Record] = []
    size = 0
    with file.reading() as connection:
        rows = connection.execute(_of(_READ, partition), (offset, limit))
        for at, key, value, headers in rows:
            if headers is None:
                found.append(Record(topic, partition, at, key, value))
            else:
                found.append(Record(topic, partition, at, key, value, _headers.decode(headers)))
            size += len(value)
            if size >= POLL_BYTES:
                rows.close()
                break
    return found


def ends(file: SqliteFile, partitions: int) -> list[tuple[int, int]]:
    """Of each partition, the offset of its oldest record and the one its next will have."""
    found = []
    with file.reading() as connection:
        for partition in range(partitions):
            first, end = connection.execute(_of(_ENDS, partition)).fetchone()
            found.append((first or end or 1, end or 1))
    return found


def trim_step(file: SqliteFile, partition: int, safe: int, before: float, most: int) -> int:
    """Drop what is old among the `most` oldest records below the offset `safe`; how many."""
    with file.writing() as connection:
        return connection.execute(_of(_TRIM, partition), (safe, before, most)).rowcount
