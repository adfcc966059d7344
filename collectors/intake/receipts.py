"""Receipts: what was collected, written with the cursor that covers it, and its SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import ReceiptRow
from earshot.domain import Mention


class Receipt(NamedTuple):
    """Proof of collection: one revision of one mention, by one source."""

    mention_id: str
    revision: int
    thread: str


def headers_of(mention: Mention) -> dict[str, str]:
    """What the ledger needs of a record that turns out to be unreadable."""
    return {
        "brand": mention.brand,
        "source": mention.source,
        "mention": mention.id,
        "revision": str(mention.revision),
    }


_COLUMNS = "(brand, source, day, mention_id, revision, thread)"
_SQLITE = f"insert or ignore into receipt {_COLUMNS} values (?, ?, ?, ?, ?, ?)"  # noqa: S608 -- our own words
_POSTGRESQL = (
    f"insert into receipt {_COLUMNS} select %s, %s, %s, mention_id, revision::bigint, thread"  # noqa: S608 -- our own words
    " from rows from (json_array_elements_text(%s::json), json_array_elements_text(%s::json),"
    " json_array_elements_text(%s::json)) as given (mention_id, revision, thread)"
    " on conflict do nothing"
)
"""One statement a batch: a statement a row costs the client five times as much, and an array of
the driver's twice as much as one of JSON."""


def write_receipts(
    session: Session, brand: str, source: str, receipts: Iterable[Receipt], now: datetime
) -> int:
    """Write the receipts that are not there yet; how many were new."""
    # In one order everywhere, so that two collectors never wait for each other in a circle.
    ordered = sorted(set(receipts))
    if not ordered:
        return 0
    shared = (brand, source, now.date().isoformat())
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        columns = (msgspec.json.encode(column).decode() for column in zip(*ordered, strict=True))
        result = connection.exec_driver_sql(_POSTGRESQL, (*shared, *columns))
    else:
        rows = [(*shared, *receipt) for receipt in ordered]
        result = connection.exec_driver_sql(_SQLITE, rows)
    return result.rowcount


def known_threads(session: Session, brand: str, mention_ids: Sequence[str]) -> Mapping[str, str]:
    """Of these mentions, the ones collected before, each with its thread."""
    columns = (ReceiptRow.mention_id, ReceiptRow.thread)
    rows = db.look_up(
        session,
        columns,
        by=ReceiptRow.mention_id,
        values=dict.fromkeys(mention_ids),
        within=ReceiptRow.brand == brand,
    )
    return {row.mention_id: row.thread for row in rows}
