"""The life of an item: which state may follow which, and the one way to change it.

A change is one transaction: the row (guarded by its version), one event, and the backlog's
counts. Whoever lost a race gets `Stale` and has changed nothing. An item and the assignment
that says who holds it change together: entering a held state takes a `Hold`, leaving it ends
the live assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import SLOT_S, EventRow, ItemRow
from earshot.domain import ItemState
from earshot.items import holding, rollups
from earshot.items.events import ENTERED, EventKind
from earshot.items.holding import HELD, Hold, Passing

S = ItemState


def _states(words: str) -> frozenset[ItemState]:
    return frozenset(ItemState(word) for word in words.split())


NEXT: Mapping[ItemState, frozenset[ItemState]] = {
    S.NEW: _states("queued assigned answering snoozed dismissed answered closed expired"),
    S.QUEUED: _states(
        "new assigned answering awaiting_approval sending snoozed dismissed answered closed expired"
    ),
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
    S.SNOOZED: _states("new queued assigned answering dismissed closed"),
    S.DISMISSED: _states("new queued assigned answering snoozed closed"),
    S.EXPIRED: _states("new queued closed"),
}
"""What may follow what. Ended states have followers too: an author who writes again reopens, and
a verdict can be taken back."""

OPEN = _states("new queued assigned answering awaiting_approval sending snoozed")
"""The states in which somebody still waits: these are in the backlog."""

_HELD_WORDS = ", ".join(sorted(HELD))


class Forbidden(Exception):
    """An item may not go from its state to the one asked for."""


class Stale(Exception):
    """Somebody else changed the item first: nothing was changed here; read it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one item. `columns` holds further columns of `item` to set.

    `expect` is the version the decision was made on (None: any). `to` None keeps
    the state. `kind` is that of the event (None: that of `to`). `why` says which rule or
    person decided and on what grounds.

    `hold` says who holds the item from now on; `to` is then a held state. `ended` is the
    reason kept with an assignment that this ends (the reason in `why` unless given).
    """

    item_id: int
    brand: str
    actor: str
    at: datetime
    to: ItemState | None = None
    kind: EventKind | None = None
    why: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    expect: int | None = None
    hold: Hold | None = None
    ended: str = ""


def slot_of(moment: datetime) -> int:
    """The backlog slot of a time: the number of its 300 seconds since 1970, in UTC."""
    return int(moment.timestamp()) // SLOT_S


def slot_start(slot: int) -> datetime:
    """When a slot begins, in UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=slot * SLOT_S)


_COUNTED = ("state", "team", "sentiment", "flags", "slot")
_READ = ("id", "brand", "version", "assignee_id", *_COUNTED)


def move(session: Session, change: Change) -> int:
    """Carry out `change`; the item's new version.

    Raises Stale when the item is gone, belongs to another brand or was changed since
    `expect`, and Forbidden when its state may not be followed by `change.to`, or that is a
    held state and nobody would hold the item.
    """
    return move_all(session, [change])[0]


def move_all(session: Session, changes: Sequence[Change]) -> list[int]:
    """Carry out `changes` in their order, in few statements; the items' new versions.

    An item may be changed several times. Raises as `move`, before anything is written unless
    another transaction is faster meanwhile; of several changes the transaction is then to be
    given up.
    """
    moving = _Moving(_standing(session, changes))
    versions = [moving.take(change) for change in changes]
    rows = sorted(moving.rows(), key=lambda row: int(row["id"]))  # all lock in this order
    for names in dict.fromkeys(map(tuple, rows)):
        alike = [row for row in rows if tuple(row) == names]
        if db.update_rows(session, ItemRow, alike, key=("id", "was_version")) != len(alike):
            raise Stale("an item was changed by somebody else; read it again")
    holding.pass_on(session, moving.passings)
    rollups.count_backlog(session, moving.backlog)
    session.execute(insert(EventRow), moving.events)
    return versions


def _standing(session: Session, changes: Sequence[Change]) -> dict[int, dict[str, Any]]:
    """What is in the columns that `changes` touch or count, by item."""
    touched = sorted({name for change in changes for name in change.columns} - set(_READ))
    ids = sorted({change.item_id for change in changes})
    columns = [getattr(ItemRow, name) for name in (*_READ, *touched)]
    rows = session.execute(select(*columns).where(db.among(session, ItemRow.id, ids)))
    return {row.id: row._asdict() for row in rows}


class _Moving:
    """Changes carried out on rows in memory: later ones see what earlier ones did."""

    def __init__(self, standing: Mapping[int, dict[str, Any]]) -> None:
        self.events: list[dict[str, Any]] = []
        self.passings: list[Passing] = []
        self.backlog: dict[rollups.BacklogKey, int] = {}
        self._now = {key: dict(row) for key, row in standing.items()}
        self._versions = {key: int(row["version"]) for key, row in standing.items()}
        self._set: dict[int, dict[str, Any]] = {}

    def take(self, change: Change) -> int:
        row = self._now.get(change.item_id)
        if row is None or row["brand"] != change.brand:
            raise Stale(f"item {change.item_id} is not an item of brand {change.brand!r}")
        if change.expect is not None and row["version"] != change.expect:
            raise Stale(f"item {change.item_id} was changed by somebody else; read it again")
        columns = dict(change.columns)
        if change.to is not None:
            allow(ItemState(row["state"]), change.to)
            columns["state"] = change.to.value
        columns |= self._pass_on(change, ItemState(row["state"]))
        if "clock_started_at" in columns:
            columns["slot"] = slot_of(columns["clock_started_at"])
        after = row | columns
        for key, n in backlog_deltas(change.brand, row, after).items():
            self.backlog[key] = self.backlog.get(key, 0) + n
        self.events.append(_event_of(change, row, after, columns))
        after["version"] = row["version"] + 1
        self._now[change.item_id] = after
        self._set.setdefault(change.item_id, {}).update(columns, changed_at=change.at)
        return int(after["version"])

    def _pass_on(self, change: Change, before: ItemState) -> dict[str, Any]:
        """Note who gets or loses the item; the columns that say so. Raises Forbidden."""
        after, hold = change.to or before, change.hold
        if after in HELD:
            if hold is None and before in HELD:
                return {}
            if hold is None:
                raise Forbidden(
                    f"an item that nobody holds can't become {after}; give it to somebody first"
                )
        elif hold is not None:
            raise Forbidden(f"an item that is {after} can't be held; it may be {_HELD_WORDS}")
        elif before not in HELD:
            return {}
        reason = change.ended or str(change.why.get("reason", "")) or (change.kind or after).value
        self.passings.append(
            Passing(
                brand=change.brand,
                item_id=change.item_id,
                at=change.at,
                reason=reason,
                hold=hold,
            )
        )
        return {"assignee_id": None if hold is None else hold.person_id}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each item's new values, with the version that they replace."""
        for key, columns in self._set.items():
            version = self._now[key]["version"]
            yield {"id": key, "was_version": self._versions[key], "version": version} | columns


def _event_of(
    change: Change, before: Mapping[str, Any], after: Mapping[str, Any], columns: Iterable[str]
) -> dict[str, Any]:
    different = [name for name in columns if before[name] != after[name]]
    return {
        "brand": change.brand,
        "at": change.at,
        "actor": change.actor,
        "kind": change.kind or ENTERED[ItemState(after["state"])],
        "item_id": change.item_id,
        "subject": str(change.item_id),
        "before": {name: before[name] for name in different},
        "after": {name: after[name] for name in different},
        "why": dict(change.why),
    }


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
            key = backlog_key(brand, side)
            deltas[key] = deltas.get(key, 0) + sign
    return {key: n for key, n in deltas.items() if n}


def backlog_key(brand: str, item: Mapping[str, Any]) -> rollups.BacklogKey:
    """Where the backlog counts an open item."""
    return (brand, *map(item.__getitem__, _COUNTED))


def record(
    session: Session,
    brand: str,
    at: datetime,
    actor: str,
    kind: EventKind,
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
