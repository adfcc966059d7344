"""The life of an item: which state may follow which, and the one way to change it.

A change is one transaction: the row (guarded by its version), one event, and the backlog's
counts. Whoever lost a race gets `Stale` and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from earshot import rollups
from earshot.domain import ItemState
from earshot.tables import SLOT_S, EventRow, ItemRow

S = ItemState


def _states(words: str) -> frozenset[ItemState]:
    return frozenset(ItemState(word) for word in words.split())


NEXT: Mapping[ItemState, frozenset[ItemState]] = {
    S.NEW: _states("triaged queued assigned answering snoozed dismissed answered closed expired"),
    S.TRIAGED: _states("new queued assigned snoozed dismissed closed expired"),
    S.QUEUED: _states("new assigned answering snoozed dismissed answered closed expired"),
    S.ASSIGNED: _states(
        "new queued answering awaiting_approval sending snoozed dismissed answered closed expired"
    ),
    S.ANSWERING: _states(
        "new queued assigned awaiting_approval sending snoozed dismissed answered closed"
    ),
    S.AWAITING_APPROVAL: _states("assigned answering sending queued closed"),
    S.SENDING: _states("answering assigned queued answered closed"),
    S.ANSWERED: _states("queued new assigned closed"),
    S.CLOSED: _states("queued new answered"),
    S.SNOOZED: _states("new queued assigned dismissed closed"),
    S.DISMISSED: _states("new queued closed"),
    S.EXPIRED: _states("new queued closed"),
}
"""What may follow what. Ended states have followers too: an author who writes again reopens."""

OPEN = _states("new triaged queued assigned answering awaiting_approval sending snoozed")
"""The states in which somebody still waits: these are in the backlog."""

HELD = frozenset({S.ASSIGNED, S.ANSWERING, S.AWAITING_APPROVAL, S.SENDING})
"""The states in which a responder holds the item."""


class Forbidden(Exception):
    """An item may not go from its state to the one asked for."""


class Stale(Exception):
    """Somebody else changed the item first: nothing was changed here; read it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one item. `columns` holds further columns of `item` to set.

    `expect` is the version the decision was made on (None: whatever stands). `to` None keeps
    the state. `kind` names the event (`item.<to>` unless given). `why` says which rule or
    person decided and on what grounds.
    """

    item_id: int
    brand: str
    actor: str
    at: datetime
    to: ItemState | None = None
    kind: str = ""
    why: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    expect: int | None = None


def slot_of(moment: datetime) -> int:
    """The backlog slot of a time: the number of its 300 seconds since 1970, in UTC."""
    return int(moment.timestamp()) // SLOT_S


def slot_start(slot: int) -> datetime:
    """When a slot begins, in UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=slot * SLOT_S)


_COUNTED = ("state", "team", "sentiment", "flags", "slot")


def move(session: Session, change: Change) -> int:
    """Carry out `change`; the item's new version.

    Raises Stale when the item is gone, belongs to another brand or was changed since
    `expect`, and Forbidden when its state may not be followed by `change.to`.
    """
    row = session.execute(
        select(
            ItemRow.version,
            ItemRow.state,
            ItemRow.team,
            ItemRow.sentiment,
            ItemRow.flags,
            ItemRow.slot,
            *[getattr(ItemRow, name) for name in change.columns if name not in _COUNTED],
        ).where(ItemRow.id == change.item_id, ItemRow.brand == change.brand)
    ).first()
    if row is None:
        raise Stale(f"item {change.item_id} is not an item of brand {change.brand!r}")
    if change.expect is not None and row.version != change.expect:
        raise Stale(f"item {change.item_id} was changed by somebody else; read it again")
    before = row._asdict()
    columns = dict(change.columns)
    if change.to is not None:
        allow(ItemState(row.state), change.to)
        columns["state"] = change.to.value
    if "clock_started_at" in columns:
        columns["slot"] = slot_of(columns["clock_started_at"])
    changed = session.execute(
        update(ItemRow)
        .where(ItemRow.id == change.item_id, ItemRow.version == row.version)
        .values(**columns, version=row.version + 1, changed_at=change.at)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE has a row count
        raise Stale(f"item {change.item_id} was changed by somebody else; read it again")
    after = before | columns
    rollups.count_backlog(session, backlog_deltas(change.brand, before, after))
    session.execute(
        insert(EventRow),
        [
            {
                "brand": change.brand,
                "at": change.at,
                "actor": change.actor,
                "kind": change.kind or f"item.{after['state']}",
                "item_id": change.item_id,
                "subject": str(change.item_id),
                "before": {name: before[name] for name in columns if before[name] != after[name]},
                "after": {name: after[name] for name in columns if before[name] != after[name]},
                "why": dict(change.why),
            }
        ],
    )
    return int(row.version) + 1


def allow(before: ItemState, after: ItemState) -> None:
    """Raise Forbidden unless `after` may follow `before` (a state may always stay)."""
    if after != before and after not in NEXT[before]:
        allowed = ", ".join(sorted(NEXT[before]))
        raise Forbidden(f"an item that is {before} can't become {after}; it may become {allowed}")


def backlog_deltas(
    brand: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> dict[rollups.BacklogKey, int]:
    """What a change adds to the backlog's counts; both sides have the counted columns."""
    deltas: dict[rollups.BacklogKey, int] = {}
    for side, sign in ((before, -1), (after, 1)):
        if side is not None and ItemState(side["state"]) in OPEN:
            key = (brand, *(side[name] for name in _COUNTED))
            deltas[key] = deltas.get(key, 0) + sign
    return {key: n for key, n in deltas.items() if n}


def record(
    session: Session,
    brand: str,
    at: datetime,
    actor: str,
    kind: str,
    events: Iterable[Mapping[str, Any]],
) -> None:
    """Append events that are not a change of an item's state.

    Each of `events` may have `item_id`, `subject`, `before`, `after` and `why`.
    """
    rows = [
        {
            "brand": brand,
            "at": at,
            "actor": actor,
            "kind": kind,
            "item_id": event.get("item_id"),
            "subject": event.get("subject", ""),
            "before": event.get("before"),
            "after": event.get("after"),
            "why": event.get("why"),
        }
        for event in events
    ]
    if rows:
        session.execute(insert(EventRow), rows)
