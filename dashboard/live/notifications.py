"""What open pages are told of the event table: ids and counts, never content. Pure.

A page that hears of an item asks for it, and permissions are checked then. Everything
that happened in one poll is one message, so that it arrives whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from earshot.domain import ItemState
from earshot.items.events import EventKind

NEW_KINDS = frozenset({EventKind.MENTION_NEW, EventKind.ITEM_NEW, EventKind.ITEM_REOPENED})
"""Events that put an item into triage, if that is where it is after them."""

SOURCE_KINDS = frozenset({EventKind.SOURCE_HEALTH, EventKind.SOURCE_GAP})

NEW_IDS = 50
CHANGED_IDS = 200
"""How many ids a message names; beyond, a page reads its list again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One event as far as pages are told.

    `state` is that of the item if the event set it, `client` the browser tab that acted.
    """

    seq: int
    brand: str
    kind: str
    item_id: int | None
    subject: str
    actor: str
    state: str = ""
    client: str = ""


def as_message(notifications: Iterable[Notification]) -> dict[str, Any]:
    """The message to the pages of one brand; empty when nothing concerns them.

    `mention.new` {n, ids}: items that arrived in triage, the newest ids. `item.changed`
    {n, items: [{id, by, client}]}: items that changed, each once, by its last change.
    `source.health` {sources}: names. Ids are text: they have more digits than a number of
    JavaScript keeps.
    """
    new: dict[int, None] = {}
    changed: dict[int, dict[str, str]] = {}
    sources: dict[str, None] = {}
    for notification in notifications:
        item = notification.item_id
        if notification.kind in SOURCE_KINDS:
            sources[notification.subject] = None
        elif item is None:
            continue
        elif notification.kind in NEW_KINDS and notification.state == ItemState.NEW:
            new[item] = None
        else:
            changed.pop(item, None)
            changed[item] = {
                "id": str(item),
                "by": notification.actor,
                "client": notification.client,
            }
    message: dict[str, Any] = {}
    if new:
        message["mention.new"] = {"n": len(new), "ids": [str(item) for item in new][-NEW_IDS:]}
    # A page that fetches a new item gets it as it is now.
    rest = [change for item, change in changed.items() if item not in new]
    if rest:
        message["item.changed"] = {"n": len(rest), "items": rest[-CHANGED_IDS:]}
    if sources:
        message["source.health"] = {"sources": sorted(sources)}
    return message
