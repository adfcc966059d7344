"""A full database, quickly: what the product stored itself, copied many times within it.

A copy is another stretch of the past: earlier by the length of what is copied, under ids and
threads of its own, its items closed. Every row is one that the product wrote, so that tables
and indexes have the size and the spread they would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, text

from earshot.database import tables
from earshot.items.lifecycle import OPEN
from router.intake.fold import A_MICROSECOND

PREFIX = "simulator:"
_HOUR_S = 3600

Column = Callable[["Copy", str], str]
"""What a copy has in a column of that name, as SQL over the row that it is made of."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy: its number, and how many hours earlier it is."""

    number: int
    hours: int
    postgres: bool

    @property
    def mark(self) -> str:
        return f"c{self.number:06d}-"

    def time(self, column: str) -> str:
        if self.postgres:
            return f"{column} - interval '{self.hours} hours'"
        return f"{column} - {self.hours * _HOUR_S * 10**6}"

    def native(self, column: str) -> str:
        return f"'{self.mark}' || {column}"

    def id(self, column: str) -> str:
        return f"replace({column}, '{PREFIX}', '{PREFIX}{self.mark}')"

    def item(self, column: str) -> str:
        """The number that the item would have been given so many hours earlier."""
        return f"{column} - {self.hours * _HOUR_S * 10**6 * A_MICROSECOND}"

    def slot(self, column: str) -> str:
        return f"{column} - {self.hours * _HOUR_S // tables.SLOT_S}"

    def day(self, column: str) -> str:
        days = self.hours // 24
        if self.postgres:
            return f"to_char({column}::date - {days}, 'YYYY-MM-DD')"
        return f"date({column}, '-{days} days')"

    def hour(self, column: str) -> str:
        return f"{column} - {self.hours}"

    def closed(self, column: str) -> str:
        states = ", ".join(f"'{state.value}'" for state in sorted(OPEN))
        return f"case when {column} in ({states}) then 'closed' else {column} end"

    def nobody(self, _: str) -> str:
        return "null"


_TIMES: Mapping[str, Column] = dict.fromkeys(
    (
        "published_at",
        "received_at",
        "collected_at",
        "stored_at",
        "clock_started_at",
        "due_at",
        "created_at",
        "changed_at",
        "at",
    ),
    Copy.time,
)
_CHANGED: Mapping[str, Mapping[str, Column]] = {
    "receipt": {"mention_id": Copy.id, "thread": Copy.native, "day": Copy.day},
    "mention": {
        "id": Copy.id,
        "native_id": Copy.native,
        "thread": Copy.native,
        "item_id": Copy.item,
        **_TIMES,
    },
    "item": {
        "id": Copy.item,
        "thread": Copy.id,
        "mention_id": Copy.id,
        "state": Copy.closed,
        "assignee_id": Copy.nobody,
        "slot": Copy.slot,
        **_TIMES,
    },
    "event": {"item_id": Copy.item, "subject": Copy.id, **_TIMES},
    "volume": {"hour": Copy.hour},
}
"""The tables that a mention leaves rows in, and what differs in a copy."""

_COUNTED_BY_DATABASE = "seq"


def fill(engine: Engine, mentions: int) -> int:
    """Copy what is stored until there are about `mentions`; how many there are then.

    The first call sets aside what is to be copied, in tables named `bench_…`. Nothing else may
    use the database meanwhile. What a power cut leaves of it is worthless.
    """
    with engine.connect() as connection, _hurried(connection), connection.begin():
        if not sqlalchemy.inspect(connection).has_table("bench_copies"):
            _set_aside(connection)
        there, base = _count(connection, "mention"), _count(connection, "bench_mention")
        done, hours = connection.execute(text("select number, hours from bench_copies")).one()
        last = done + max(0, round((mentions - there) / base))
        indexes = [index for name in _CHANGED for index in _table(name).indexes]
        for index in indexes:
            index.drop(connection)
        for number in range(done + 1, last + 1):
            _copy(connection, Copy(number, number * hours, _is_postgres(connection)))
        for index in indexes:
            index.create(connection)
        connection.execute(text("update bench_copies set number = :last"), {"last": last})
        there = _count(connection, "mention")
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("vacuum analyze" if _is_postgres(connection) else "select 1"))
    return there


def _set_aside(connection: Connection) -> None:
    for name in _CHANGED:
        connection.execute(text(f"create table bench_{name} as select * from {name}"))  # noqa: S608
    if not _count(connection, "bench_mention"):
        raise ValueError("the database holds no mention to copy: let the product store some")
    connection.execute(
        text(
            "create table bench_copies as"
            " select 0 as number, max(hour) - min(hour) + 1 as hours from bench_volume"
        )
    )


def _copy(connection: Connection, copy: Copy) -> None:
    for name, changed in _CHANGED.items():
        columns = [c.name for c in _table(name).columns if c.name != _COUNTED_BY_DATABASE]
        values = [changed[c](copy, c) if c in changed else c for c in columns]
        # in the order of the key, so that pages are written once
        order = (
            "order by 1, 2" if "id" not in changed else f"order by {values[columns.index('id')]}"
        )
        connection.execute(
            text(
                f"insert into {name} ({', '.join(columns)})"  # noqa: S608 -- our own words
                f" select {', '.join(values)} from bench_{name} {order}"
            )
        )


@contextmanager
def _hurried(connection: Connection) -> Iterator[None]:
    """Without waiting for the disk; as it was afterwards."""
    if _is_postgres(connection):
        connection.execute(text("set synchronous_commit = off"))
        connection.execute(text("set maintenance_work_mem = '1GB'"))
        connection.commit()
        yield
        return
    raw: Any = connection.connection.driver_connection
    for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -1000000"):
        raw.execute(f"pragma {pragma}")
    try:
        yield
    finally:
        raw.execute("pragma journal_mode = wal")


def _table(name: str) -> Table:
    return tables.Table.metadata.tables[name]


def _count(connection: Connection, table: str) -> int:
    return connection.scalar(text(f"select count(*) from {table}")) or 0  # noqa: S608 -- our own


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
