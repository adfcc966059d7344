"""Whole numbers of an address or a form, bounded by what a column of the database holds."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import IntegerConverter, Map

LARGEST = 2**63 - 1


class ColumnNumber(IntegerConverter):
    """A number in an address; a larger one is an address that does not exist."""

    def __init__(self, map: Map, **options: Any) -> None:
        super().__init__(map, **{"max": LARGEST, **options})


def column_number(text: str) -> int:
    """The number that `text` writes in digits. Raises ValueError for anything else."""
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LARGEST:
        raise ValueError(f"{text[:40]!r} is no number of the database")
    return int(text[:20])
