"""Inserts of many whole rows: SQLAlchemy's statement and conversions, prepared only once.

SQLAlchemy works out the parameters of each row anew, which costs more than SQLite takes to
store it; here the statement and the converters of its columns are made once per table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Table, insert
from sqlalchemy.orm import Session

from earshot import tables
from router.rows import Row


@dataclass(frozen=True, slots=True)
class _Insert:
    """`text` takes the values of `names`, converted where `converters` names a position."""

    text: str
    names: tuple[str, ...]
    pick: Callable[[Row], tuple[Any, ...]]
    converters: tuple[tuple[int, Callable[[Any], Any]], ...]
    by_name: bool


def insert_rows(session: Session, table: type[tables.Table], rows: Sequence[Row]) -> None:
    """Insert `rows`, which all have the same columns and leave none to a default of Python's.

    Raises IntegrityError for a row whose key is there already.
    """
    if not rows:
        return
    connection = session.connection()
    prepared = _prepare(table, connection.dialect, tuple(rows[0]))
    parameters = []
    for row in rows:
        values = list(prepared.pick(row))
        for position, convert in prepared.converters:
            values[position] = convert(values[position])
        parameters.append(tuple(values))
    if prepared.by_name:
        named = [dict(zip(prepared.names, values, strict=True)) for values in parameters]
        connection.exec_driver_sql(prepared.text, named)
    else:
        connection.exec_driver_sql(prepared.text, parameters)


@lru_cache(maxsize=32)
def _prepare(table: type[tables.Table], dialect: Dialect, names: tuple[str, ...]) -> _Insert:
    core = table.__table__
    if not isinstance(core, Table):
        raise TypeError(f"{table.__name__} is not a table that rows can be put into")
    compiled = insert(core).compile(dialect=dialect, column_keys=list(names))
    by_name = not compiled.positional
    order = names if by_name else tuple(compiled.positiontup or ())
    converters = []
    for position, name in enumerate(order):
        convert = core.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            converters.append((position, convert))
    return _Insert(str(compiled), order, itemgetter(*order), tuple(converters), by_name)
