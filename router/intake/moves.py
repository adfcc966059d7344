"""What a change of an item sets, column by column: its move, and what its event reports. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec.structs import asdict

from earshot.items import lifecycle
from earshot.items.lifecycle import Change
from router.intake.item import Effect, Item, Labels, Promise, Routing

_SET = (
    "mentions",
    "labels",
    "state_reason",
    "routing",
    "promise",
    "assignee_id",
    "excluded",
    "offers",
    "snoozed_until",
    "reopened",
    "answered_at",
)
"""What a move of an item sets beside its state, in the order in which its event says so."""

Columns = Mapping[str, object]


def move_of(before: Item, effect: Effect, actor: str, now: datetime) -> Change:
    """The move of a stored item from `before` to what `effect` makes of it, at `now` (UTC)."""
    item, why = effect.item, effect.why
    return Change(
        item_id=item.id,
        brand=item.brand,
        actor=actor,
        at=now,
        to=None if item.state is before.state else item.state,
        kind=effect.kind,
        why={} if why is None else asdict(why),
        columns={name: new for name, _, new in _set(before, item)},
    )


def compared(before: Item, after: Item) -> tuple[Columns, Columns]:
    """The columns that differ, before and after. Raises Forbidden as `lifecycle.allow`."""
    lifecycle.allow(before.state, after.state)
    columns = [*_set(before, after), ("state", before.state, after.state)]
    different = [(name, old, new) for name, old, new in columns if old != new]
    return {name: old for name, old, _ in different}, {name: new for name, _, new in different}


def _set(before: Item, after: Item) -> Iterator[tuple[str, object, object]]:
    """Name, old and new value of each column that is set; those of a part go together."""
    for name in _SET:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(new, Labels | Routing | Promise):
            if new is not old:
                for column in new.__struct_fields__:
                    yield column, getattr(old, column), getattr(new, column)
        elif new != old:
            yield name, old, new
