"""What planning starts from, and what it comes to: values. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from earshot.items import lifecycle
from earshot.items.lifecycle import Change
from earshot.items.rollups import BacklogKey, ClosedClock, VolumeKey
from router.intake.rows import Row

SEEN_OUTSIDE = "answered outside Earshot"

MentionKey = tuple[str, str]


class StoredMention(NamedTuple):
    """What is known of a stored mention."""

    revision: int
    item_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is stored of the mentions and threads of a batch.

    `items` have the columns of their rows, and `newest_at`: when their newest mention
    arrived. `sent` holds (item, native id) of replies that Earshot sent in these threads.
    """

    mentions: Mapping[MentionKey, StoredMention]
    items: Mapping[int, Mapping[str, Any]]
    sent: frozenset[tuple[int, str]] = frozenset()


@dataclass(slots=True)
class Plan:
    """The writes that a batch comes to. New rows are whole; changes of stored items are moves."""

    mentions: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    revisions: list[Row] = field(default_factory=list)
    newest: dict[MentionKey, Row] = field(default_factory=dict)
    snapshots: dict[int, Row] = field(default_factory=dict)
    erased: list[MentionKey] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    answered: list[tuple[ClosedClock, int]] = field(default_factory=list)
    volume: dict[VolumeKey, int] = field(default_factory=dict)

    def backlog(self) -> dict[BacklogKey, int]:
        """What the new items add to the backlog's counts."""
        return Counter(
            lifecycle.backlog_key(item["brand"], item)
            for item in self.items
            if item["state"] in lifecycle.OPEN
        )
