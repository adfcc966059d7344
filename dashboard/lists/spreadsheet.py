"""Rows as CSV that a spreadsheet opens without running anything in it. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime

ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What begins a formula, also in full width, as Excel takes it in some languages."""


def harmless(value: object) -> str:
    """The text of a cell. What a spreadsheet would take for a formula gets a leading `'`.

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
    return text


class _Line:
    """A file that gives back what is written to it: `writerow` answers what `write` does."""

    def write(self, text: str) -> str:
        return text


def lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a file, one at a time; a byte order mark names the encoding to Excel.

    Every cell is quoted, and lines end with CR LF (RFC 4180).
    """
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield f"\ufeff{writer.writerow(map(harmless, header))}"
    for row in rows:
        yield str(writer.writerow(map(harmless, row)))
