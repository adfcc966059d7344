"""What ends an item from outside: it is taken back, or the brand answers elsewhere. Pure."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from earshot.domain import ItemFlag, ItemState
from earshot.items import lifecycle
from earshot.items.events import EventKind
from earshot.items.holding import HELD
from earshot.items.lifecycle import OPEN
from earshot.items.rollups import ClosedClock
from router.intake.item import Effect, Heard, Item, Reason

DELETED = "deleted by its author"
SEEN_OUTSIDE = "answered outside Earshot"

LEFT_ALONE = frozenset({ItemState.AWAITING_APPROVAL, ItemState.SENDING})
"""States in which a reply of ours is under way: its sender decides what becomes of the item."""


def deleted(item: Item, heard: Heard) -> Effect:
    """The author took a post back: nobody waits where it was the only one."""
    shows = item.shown.mention_id == heard.id
    after = replace(item, shown=replace(item.shown, preview="")) if shows else item
    kind = EventKind.MENTION_DELETED
    state = item.state
    if not shows or item.mentions != 1 or state not in OPEN or state in HELD:
        return Effect(item=after, kind=kind)
    after = replace(
        after,
        state=ItemState.DISMISSED,
        state_reason=DELETED,
        snoozed_until=None,
        version=item.version + 1,
    )
    return Effect(item=after, kind=kind, why=Reason(DELETED, heard.id))


def answered_outside(item: Item, heard: Heard) -> Effect:
    """A post of the brand's own account that did not go out from here answers what it follows."""
    kind = EventKind.REPLY_SEEN_OUTSIDE
    state, arrived = item.state, heard.arrived_at
    waiting = state in OPEN and state not in LEFT_ALONE
    if not waiting or arrived < item.promise.clock_started_at:
        return Effect(item=item, kind=kind)
    to = ItemState.ANSWERED
    if to not in lifecycle.NEXT[state]:
        to = ItemState.CLOSED
    after = replace(
        item,
        state=to,
        state_reason=SEEN_OUTSIDE,
        assignee_id=None,
        snoozed_until=None,
        answered_at=item.answered_at or arrived,
        version=item.version + 1,
    )
    return Effect(
        item=after, kind=kind, why=Reason(SEEN_OUTSIDE, heard.id), closed=_closed(item, arrived)
    )


def _closed(item: Item, at: datetime) -> ClosedClock:
    return ClosedClock(
        brand=item.brand,
        item_id=item.id,
        metric=item.promise.target or "first",
        team=item.routing.team,
        topic=item.labels.topic,
        platform=item.platform,
        started_at=item.promise.clock_started_at,
        due_at=item.promise.due_at,
        stopped_at=at,
        history=bool(item.routing.flags & ItemFlag.HISTORY),
    )
