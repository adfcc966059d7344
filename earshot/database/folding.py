"""Text as people mean it when they search: one form for all spellings, on both databases alike.

Compatibility forms are one (NFKC: full-width letters are letters, a letter and its mark are one),
and case does not count in any script. Both sides of a comparison are folded.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from typing import Any

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_OF_SQLITE = "earshot_fold"
"""SQLite's own lower() knows ASCII alone, and it has no normal forms."""

_FINAL_SIGMA, _SIGMA = "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"
"""The one letter whose small form depends on its place, which databases disagree about."""


def fold(text: str) -> str:
    """`text` as it is compared."""
    return unicodedata.normalize("NFKC", text).lower().replace(_FINAL_SIGMA, _SIGMA)


class folded(FunctionElement[str]):  # noqa: N801 -- it is used as a function of SQL
    """A column's text as it is compared, with what `fold` makes of the other side."""

    type = String()
    inherit_cache = True


@compiles(folded)
def _fold(element: folded, compiler: SQLCompiler, **more: Any) -> str:
    text = compiler.process(element.clauses, **more)
    return f"replace(lower(normalize({text}, nfkc)), '{_FINAL_SIGMA}', '{_SIGMA}')"


@compiles(folded, "sqlite")
def _fold_of_sqlite(element: folded, compiler: SQLCompiler, **more: Any) -> str:
    return f"{_OF_SQLITE}({compiler.process(element.clauses, **more)})"


def install(connection: sqlite3.Connection) -> None:
    """Teach a connection of SQLite to fold."""
    connection.create_function(
        _OF_SQLITE, 1, lambda text: None if text is None else fold(str(text)), deterministic=True
    )
