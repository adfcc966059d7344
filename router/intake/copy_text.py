"""Rows in the text format of PostgreSQL's COPY, made a column at a time. Pure.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format". The driver
formats a row value by value, which takes three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Boolean, Float, Integer, String
from sqlalchemy.types import TypeEngine

from earshot.database.tables import Json, Utc

Column = Sequence[Any]
"""Values as the driver takes them: what the column's bind processor makes."""

Texts = Sequence[str]

NULL = r"\N"

_ESCAPED = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
"""What means something to COPY, and how it is written. The first is in all the others."""


def lines_of(columns: Iterable[Texts]) -> str:
    """The lines of rows whose `columns` are texts, all of one length."""
    return "".join([f"{line}\n" for line in map("\t".join, zip(*columns, strict=True))])


def texts_of(kind: TypeEngine[Any], *, nullable: bool) -> Callable[[Column], Texts]:
    """What writes the values of a column of this `kind`.

    Raises TypeError for one that has no text here.
    """
    for kinds, write in _WRITERS:
        if isinstance(kind, kinds):
            return _or_null(write) if nullable else write
    raise TypeError(f"no text for COPY is known of values of the type {kind!r}")


def _or_null(write: Callable[[Column], Texts]) -> Callable[[Column], Texts]:
    def texts(values: Column) -> Texts:
        if None not in values:
            return write(values)
        known = iter(write([value for value in values if value is not None]))
        return [NULL if value is None else next(known) for value in values]

    return texts


def _words(values: Column) -> Texts:
    together = "".join(values)
    for character, escaped in _ESCAPED:
        if character in together:  # most columns have none of them
            values = [value.replace(character, escaped) for value in values]
    return values


def _numbers(values: Column) -> Texts:
    return list(map(str, values))


def _truths(values: Column) -> Texts:
    return ["t" if value else "f" for value in values]


def _times(values: Column) -> Texts:
    """Times; one that equals the one before it, such as now, is written out only once."""
    last, text, texts = None, "", []
    for value in values:
        if value != last:
            last, text = value, value.isoformat()
        texts.append(text)
    return texts


_WRITERS: Sequence[tuple[tuple[type[Any], ...], Callable[[Column], Texts]]] = (
    ((Utc,), _times),
    ((Json, String), _words),
    ((Boolean,), _truths),
    ((Integer, Float), _numbers),
)
