"""Inserts of many whole rows: SQLAlchemy's statement, with a writer for each column.

SQLAlchemy works out the parameters of each row again, which costs more than SQLite takes to
store it; here statement and writers are made once per table, and a value is read from the
attribute of a row that has the column's name. On PostgreSQL the rows are streamed with COPY, in
its text format (https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"): the
driver formats a row value by value, which takes three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Boolean, Connection, Dialect, Float, Integer, String, Table, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from earshot.database import tables
from earshot.database.tables import Json, Utc

Rows = tuple[type[tables.Table], Sequence[msgspec.Struct]]
"""Rows of one type. Their fields, and those of parts that are structs, have columns' names."""

Column = Sequence[Any]
Write = Callable[[Column], Column]
"""Makes of a column's values what the driver, or COPY, takes."""

NULL = r"\N"

_ESCAPED = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
"""What means something to COPY, and how it is written. The first is in all the others."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Insert:
    """`text` takes the values that `pick` finds, after `writers` of their columns' numbers."""

    text: str
    pick: Callable[[msgspec.Struct], tuple[Any, ...]]
    writers: tuple[tuple[int, Write], ...]


def insert_rows(session: Session, *parts: Rows) -> None:
    """Insert the rows of each table, in this order; no column is left to a default of Python's.

    Raises IntegrityError for a row whose key is there already, and ValueError for a naive time.
    """
    connection = session.connection()
    for table, rows in parts:
        if not rows:
            continue
        prepared = _prepare(table, connection.dialect, type(rows[0]))
        columns: list[Column] = list(zip(*map(prepared.pick, rows), strict=True))
        for number, write in prepared.writers:
            columns[number] = write(columns[number])
        if connection.dialect.name == "postgresql":
            lines = [f"{line}\n" for line in map("\t".join, zip(*columns, strict=True))]
            _copy(connection, prepared.text, "".join(lines))
        else:
            connection.exec_driver_sql(prepared.text, list(zip(*columns, strict=True)))


def _copy(connection: Connection, text: str, lines: str) -> None:
    """Stream the lines with COPY, at a third of what the server takes for INSERTs.

    SQLAlchemy knows no COPY, so that the driver's errors are put into its words here.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"COPY needs psycopg, the connection is a {type(driver).__name__}")
    try:
        with driver.cursor() as cursor, cursor.copy(text) as stream:
            stream.write(lines)
    except psycopg.Error as error:
        raise DBAPIError.instance(text, None, error, psycopg.Error) from error


@lru_cache(maxsize=32)
def _prepare(table: type[tables.Table], dialect: Dialect, kind: type[msgspec.Struct]) -> _Insert:
    core = table.__table__
    if not isinstance(core, Table):
        raise TypeError(f"{table.__name__} is not a table that rows can be put into")
    paths = {name: path for name, path in _paths(kind) if name in core.c}
    order = tuple(paths)
    if dialect.name == "postgresql":
        quote = dialect.identifier_preparer.quote
        text = f"copy {quote(core.name)} ({', '.join(map(quote, order))}) from stdin"
        found = [
            texts_of(core.c[name].type, nullable=bool(core.c[name].nullable)) for name in order
        ]
        writers = tuple(enumerate(found))
    else:
        compiled = insert(core).compile(dialect=dialect, column_keys=list(order))
        order, text = tuple(compiled.positiontup or ()), str(compiled)
        values = [_values_of(core.c[name].type, dialect) for name in order]
        writers = tuple((number, write) for number, write in enumerate(values) if write)
    return _Insert(text, attrgetter(*(paths[name] for name in order)), writers)


def _paths(kind: type[msgspec.Struct], within: str = "") -> Iterator[tuple[str, str]]:
    """The name of each field of `kind` and of its parts, and the way to it."""
    for one in msgspec.structs.fields(kind):
        if isinstance(one.type, type) and issubclass(one.type, msgspec.Struct):
            yield from _paths(one.type, f"{within}{one.name}.")
        yield one.name, f"{within}{one.name}"


def _values_of(kind: TypeEngine[Any], dialect: Dialect) -> Write | None:
    """What makes values for the driver of SQLite; None where they are taken as they are."""
    if isinstance(kind, Utc):
        return _microseconds
    if isinstance(kind, Json):
        return _json
    convert = kind.dialect_impl(dialect).bind_processor(dialect)
    return None if convert is None else lambda values: list(map(convert, values))


def texts_of(kind: TypeEngine[Any], *, nullable: bool) -> Write:
    """What writes the values of a column of this `kind` for COPY.

    Raises TypeError for one that has no text here.
    """
    for kinds, write in _TEXTS:
        if isinstance(kind, kinds):
            return _or_null(write) if nullable else write
    raise TypeError(f"no text for COPY is known of values of the type {kind!r}")


def _or_null(write: Write) -> Write:
    def texts(values: Column) -> Column:
        if None not in values:
            return write(values)
        known = iter(write([value for value in values if value is not None]))
        return [NULL if value is None else next(known) for value in values]

    return texts


def _microseconds(values: Column) -> Column:
    """Times as SQLite keeps them; one that repeats the one before it is worked out only once."""
    last = number = None
    numbers = []
    for value in values:
        if value is not last:
            last, number = (
                value,
                None if value is None else (_aware(value) - _EPOCH) // _MICROSECOND,
            )
        numbers.append(number)
    return numbers


def _json(values: Column) -> Column:
    last = text = None
    texts = []
    for value in values:
        if value is not last:
            last, text = value, None if value is None else _encode(value).decode()
        texts.append(text)
    return texts


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"a naive time can't be stored: {value.isoformat()}")
    return value


def _words(values: Column) -> Column:
    together = "".join(values)
    for character, escaped in _ESCAPED:
        if character in together:  # most columns have none of them
            values = [value.replace(character, escaped) for value in values]
    return values


def _numbers(values: Column) -> Column:
    return list(map(str, values))


def _truths(values: Column) -> Column:
    return ["t" if value else "f" for value in values]


def _times(values: Column) -> Column:
    """Times; one that equals the one before it, such as now, is written out only once."""
    last, text, texts = None, "", []
    for value in values:
        if value != last:
            last, text = value, _aware(value).isoformat()
        texts.append(text)
    return texts


_TEXTS: Iterable[tuple[tuple[type[Any], ...], Write]] = (
    ((Utc,), _times),
    ((Json,), lambda values: _words(_json(values))),
    ((String,), _words),
    ((Boolean,), _truths),
    ((Integer, Float), _numbers),
)
