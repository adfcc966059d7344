"""Rows as CSV that a spreadsheet opens without running anything in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What begins a formula, also in full width, as Excel takes it in some languages."""


def cell(value: object) -> str:
    """A quoted cell. Text that a spreadsheet would take for a formula gets a leading `'`.

    Source: OWASP, CSV Injection.
    """
    match value:
        case None:
            text = ""
        case datetime():
            text = value.isoformat(timespec="seconds")
        case _:
            text = str(value)
    if isinstance(value, str) and text.lstrip(" ").startswith(ACTIVE):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"'


def lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a file, one at a time; a byte order mark names the encoding to Excel."""
    yield "\ufeff" + ",".join(cell(name) for name in header) + "\r\n"
    for row in rows:
        yield ",".join(cell(value) for value in row) + "\r\n"
