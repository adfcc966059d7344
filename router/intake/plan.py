"""What the fold starts from, and what it comes to: values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from earshot.items.lifecycle import Change
from earshot.items.rollups import BacklogKey, ClosedClock, VolumeKey
from router.intake.item import Item
from router.intake.rows import NewEvent, NewMention, NewRevision

MentionKey = tuple[str, str]
"""(brand, id)"""


class StoredMention(NamedTuple):
    """What is known of a stored mention."""

    revision: int
    item_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is stored of the mentions and threads of a batch.

    `sent` holds (item, native id) of replies that Earshot sent in these threads.
    """

    mentions: Mapping[MentionKey, StoredMention]
    items: Mapping[int, Item]
    sent: frozenset[tuple[int, str]] = frozenset()


@dataclass(slots=True)
class Plan:
    """The writes that a batch comes to. New rows are whole; changes of stored items are moves.

    `revised` are stored mentions after their newest revision, `shown` stored items whose
    newest mention is another now, or has lost its words; `erased` is what authors took back.
    """

    mentions: list[NewMention] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    revisions: list[NewRevision] = field(default_factory=list)
    revised: list[NewMention] = field(default_factory=list)
    shown: list[Item] = field(default_factory=list)
    erased: list[MentionKey] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    closed: list[ClosedClock] = field(default_factory=list)
    volume: dict[VolumeKey, int] = field(default_factory=dict)
    backlog: dict[BacklogKey, int] = field(default_factory=dict)
