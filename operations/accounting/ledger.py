"""The ledger: proof that what was collected is accounted for, per brand, source and day.

A receipt is written for each revision of each mention with the cursor that covers it. The
ledger asks of each receipt where its mention is now. What is nowhere is either still
in the log, unread, or lost; the log's own count says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Select, and_, case, exists, func, literal, select
from sqlalchemy.orm import Session, aliased

from earshot.database.tables import DeadLetterRow, ItemRow, MentionRow, PurgedRow, ReceiptRow
from earshot.domain import ItemState
from earshot.items.lifecycle import OPEN
from earshot.log.contract import Log
from earshot.log.topics import CLASSIFIED, MENTIONS

STANDINGS = (
    "open",
    "answered",
    "closed",
    "dismissed",
    "expired",
    "changes",
    "dead",
    "purged",
    "missing",
)
"""Where a collected revision may be; `changes` are edits and deletions of a mention that
is counted by its own first revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One source's day: how much was collected, and where it is now."""

    brand: str
    source: str
    day: str
    collected: int = 0
    open: int = 0
    answered: int = 0
    closed: int = 0
    dismissed: int = 0
    expired: int = 0
    changes: int = 0
    dead: int = 0
    purged: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All rows, and what does not add up.

    `in_flight` counts records that a stage has still to read. `difference` is what is missing
    beyond those: it must be 0. `without_receipt` counts mentions that were stored while their
    collector ended before it saved its cursor; it settles when the source is polled again.
    """

    rows: tuple[LedgerRow, ...]
    in_flight: int
    without_receipt: int
    difference: int = field(init=False)

    def __post_init__(self) -> None:
        missing = sum(row.missing for row in self.rows)
        object.__setattr__(self, "difference", max(0, missing - self.in_flight))

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}


def draw_up(session: Session, in_flight: Callable[[], int], since: str = "") -> Ledger:
    """The ledger of all days, or of those from the ISO day `since` on."""
    counts: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in session.execute(_standings(since)):
        key = (row.brand, row.source, row.day)
        counts.setdefault(key, {})[row.standing] = row.n
    for purged in session.scalars(select(PurgedRow).where(PurgedRow.day >= since)):
        counts.setdefault((purged.brand, purged.source, purged.day), {})["purged"] = purged.n
    rows = tuple(
        LedgerRow(brand=brand, source=source, day=day, collected=sum(standing.values()), **standing)
        for (brand, source, day), standing in sorted(counts.items())
    )
    receipt = exists().where(
        ReceiptRow.brand == MentionRow.brand, ReceiptRow.mention_id == MentionRow.id
    )
    without = session.scalar(select(func.count()).select_from(MentionRow).where(~receipt)) or 0
    # asked last: what was on its way when the rows were read may have arrived since, so that
    # this can only be too small, and a loss is never hidden
    return Ledger(rows=rows, in_flight=in_flight(), without_receipt=without)


PATH = (
    (MENTIONS.name, "classify"),
    (CLASSIFIED.name, "route"),
    (MENTIONS.dead, "bury"),
    (CLASSIFIED.dead, "bury"),
)
"""Every topic on the way from collector to database, with the group that reads it."""


def in_flight(log: Log) -> int:
    """How many records of the path from collector to database are still unread."""
    return sum(log.lag(topic, group) for topic, group in PATH)


def difference(session: Session, in_flight: Callable[[], int], since: str) -> int:
    """What `draw_up` calls the difference, for a fraction of its cost.

    While a backlog is read it may be above 0 for a moment, as there.
    """
    missing = sum(row.n for row in session.execute(_standings(since)) if row.standing == "missing")
    return max(0, int(missing) - in_flight())


def _standings(since: str) -> Select[Any]:
    """Count receipts by brand, source, day and where the mention is."""
    earlier = aliased(ReceiptRow)
    has_earlier = exists().where(
        earlier.brand == ReceiptRow.brand,
        earlier.mention_id == ReceiptRow.mention_id,
        earlier.revision < ReceiptRow.revision,
    )
    dead = exists().where(
        DeadLetterRow.brand == ReceiptRow.brand,
        DeadLetterRow.mention_id == ReceiptRow.mention_id,
        DeadLetterRow.revision == ReceiptRow.revision,
        DeadLetterRow.state != "retried",
    )
    stored = and_(MentionRow.id.is_not(None), MentionRow.revision >= ReceiptRow.revision)
    standing = case(
        (and_(stored, has_earlier), literal("changes")),
        (and_(stored, ItemRow.state.in_([state.value for state in OPEN])), literal("open")),
        (and_(stored, ItemRow.state == ItemState.ANSWERED), literal("answered")),
        (and_(stored, ItemRow.state == ItemState.CLOSED), literal("closed")),
        (and_(stored, ItemRow.state == ItemState.DISMISSED), literal("dismissed")),
        (and_(stored, ItemRow.state == ItemState.EXPIRED), literal("expired")),
        (dead, literal("dead")),
        else_=literal("missing"),
    ).label("standing")
    query = (
        select(
            ReceiptRow.brand, ReceiptRow.source, ReceiptRow.day, standing, func.count().label("n")
        )
        .select_from(ReceiptRow)
        .outerjoin(
            MentionRow,
            and_(MentionRow.brand == ReceiptRow.brand, MentionRow.id == ReceiptRow.mention_id),
        )
        .outerjoin(ItemRow, ItemRow.id == MentionRow.item_id)
        .group_by(ReceiptRow.brand, ReceiptRow.source, ReceiptRow.day, standing)
    )
    return query.where(ReceiptRow.day >= since) if since else query


def in_words(ledger: Ledger) -> Iterator[str]:
    """The ledger as lines of a table, with the reckoning below."""
    head = ("brand", "source", "day", "collected", *STANDINGS)
    lines = [head] + [tuple(str(getattr(row, name)) for name in head) for row in ledger.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        yield "  ".join(
            word.ljust(width) if i < 3 else word.rjust(width)  # noqa: PLR2004 -- three names, then numbers
            for i, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
    yield ""
    yield f"in flight {ledger.in_flight}, without receipt {ledger.without_receipt}"
    verdict = "nothing is lost" if not ledger.difference else "THESE ARE LOST"
    yield f"difference {ledger.difference}: {verdict}"
