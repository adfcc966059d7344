"""Inserts of many whole rows: SQLAlchemy's statement and conversions, prepared only once.

SQLAlchemy works out the parameters of each row anew, which costs more than SQLite takes to
store it; here the statement and the converters of its columns are made once per table. On
PostgreSQL the rows are streamed with COPY.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from earshot.database import tables
from router.intake.copy_text import Column, Texts, lines_of, texts_of
from router.intake.rows import Row


@dataclass(frozen=True, slots=True)
class _Insert:
    """`text` takes the values that `pick` finds, converted where `converters` says so."""

    text: str
    pick: Callable[[Row], tuple[Any, ...]]
    converters: tuple[tuple[int, Callable[[Any], Any]], ...]
    writers: tuple[Callable[[Column], Texts], ...]
    """For COPY: what makes texts of each column."""


def insert_rows(session: Session, table: type[tables.Table], rows: Sequence[Row]) -> None:
    """Insert `rows`, which all have the same columns and leave none to a default of Python's.

    Raises IntegrityError for a row whose key is there already.
    """
    if not rows:
        return
    connection = session.connection()
    prepared = _prepare(table, connection.dialect, tuple(rows[0]))
    columns: list[Sequence[Any]] = list(zip(*map(prepared.pick, rows), strict=True))
    for position, convert in prepared.converters:
        columns[position] = _converted(columns[position], convert)
    if prepared.writers:
        each = zip(prepared.writers, columns, strict=True)
        _copy(connection, prepared.text, lines_of(write(column) for write, column in each))
    else:
        connection.exec_driver_sql(prepared.text, list(zip(*columns, strict=True)))


def _converted(values: Sequence[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """Each value converted; one that repeats the value before it, such as the time, only once."""
    last = done = None
    converted = []
    for value in values:
        if value is not last:
            last, done = value, convert(value)
        converted.append(done)
    return converted


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
def _prepare(table: type[tables.Table], dialect: Dialect, names: tuple[str, ...]) -> _Insert:
    core = table.__table__
    if not isinstance(core, Table):
        raise TypeError(f"{table.__name__} is not a table that rows can be put into")
    order = names
    writers: tuple[Callable[[Column], Texts], ...] = ()
    if dialect.name == "postgresql":
        quote = dialect.identifier_preparer.quote
        text = f"copy {quote(core.name)} ({', '.join(map(quote, names))}) from stdin"
        columns = [core.c[name] for name in names]
        writers = tuple(texts_of(one.type, nullable=bool(one.nullable)) for one in columns)
    else:
        compiled = insert(core).compile(dialect=dialect, column_keys=list(names))
        order, text = tuple(compiled.positiontup or ()), str(compiled)
    converters = []
    for position, name in enumerate(order):
        convert = core.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            converters.append((position, convert))
    return _Insert(text, itemgetter(*order), tuple(converters), writers)
