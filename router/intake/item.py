"""An item as the fold sees it, and what a mention makes of it: frozen values. Pure.

The names of fields are those of the columns of `earshot.database.tables`, so that rows are
written from the values as they are. An item is made of parts; a part that did not change is
the same object before and after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from earshot.domain import Classification, Classified, ItemState, Mention
from earshot.items.events import EventKind
from earshot.items.rollups import ClosedClock


class Heard(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A classified mention, with its keys worked out once.

    `key` is the brand and the mention's id, `own` says that the brand's own account wrote it,
    `arrived_at` (UTC) when a promise may start.
    """

    classified: Classified
    mention: Mention
    said: Classification
    id: str
    thread: str
    arrived_at: datetime
    own: bool
    key: tuple[str, str]


class Shown(msgspec.Struct, frozen=True, gc=False):
    """What an item repeats of its newest mention and events must not repeat: people's words."""

    source: str
    mention_id: str
    author_id: str
    author_name: str
    author_handle: str
    reach: int
    preview: str


class Labels(msgspec.Struct, frozen=True, gc=False):
    """What an item repeats of its newest mention's classification."""

    lang: str
    topic: str
    topic_confidence: float
    sentiment: str
    intent: str
    urgency: str
    confidence: float


class Routing(msgspec.Struct, frozen=True, gc=False):
    """Who should answer, and how soon compared with others. `flags` are FLAG_* bits."""

    priority: str
    weight: float
    team: str
    rule: str
    policy_version: str
    flags: int


class Promise(msgspec.Struct, frozen=True, gc=False):
    """A clock that runs: since when (UTC), and what is promised; `due_at` None: nothing is.

    `target_s` counts seconds of open time on the calendar.
    """

    clock_started_at: datetime
    slot: int
    target: str
    target_s: int
    calendar: str
    due_at: datetime | None


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A thread in which somebody may want an answer, after some of its mentions.

    `newest_at` is when its newest mention arrived. All times are UTC.
    """

    id: int
    brand: str
    thread: str
    platform: str
    state: ItemState
    state_reason: str
    version: int
    mentions: int
    shown: Shown
    labels: Labels
    routing: Routing
    promise: Promise
    answered_at: datetime | None
    assignee_id: int | None
    excluded: Sequence[Any]
    offers: int
    snoozed_until: datetime | None
    reopened: int
    created_at: datetime
    changed_at: datetime
    newest_at: datetime


class DecisionReasons(msgspec.Struct, frozen=True, gc=False):
    """Why a mention was treated as it was: the rule, what it read, and by which version."""

    rule: str
    reason: str
    priority: str
    team: str
    read: Mapping[str, Any]
    mention: str
    policy: str
    model: str


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why something happened that no rule of the policy decides."""

    reason: str
    mention: str


class Effect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a mention comes to: the item after it, and one event of the kind `kind`.

    `why` is None where the mention is only noted: the item's work is as it was. `closed` is
    the clock that it stopped.
    """

    item: Item
    kind: EventKind
    why: DecisionReasons | Reason | None = None
    closed: ClosedClock | None = None
