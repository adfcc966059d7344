"""Rows as they are written: frozen values whose fields are the columns of their table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from earshot.domain import Classification
from earshot.items.events import EventKind
from router.intake.item import DecisionReasons, Reason


class NewMention(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of `mention`. A deletion has no words."""

    brand: str
    id: str
    item_id: int
    source: str
    platform: str
    native_id: str
    thread: str
    parent: str
    author_id: str
    author_name: str
    author_handle: str
    author_reach: int
    text: str
    url: str
    published_at: datetime
    received_at: datetime | None
    collected_at: datetime
    stored_at: datetime
    revision: int
    deleted: bool
    queries: Sequence[str]
    can_reply: bool
    reply_bar: str
    address: Mapping[str, str]
    classification: Classification
    model: str


SET_BY_A_REVISION = (
    "author_id",
    "author_name",
    "author_handle",
    "author_reach",
    "text",
    "url",
    "collected_at",
    "revision",
    "deleted",
    "queries",
    "can_reply",
    "reply_bar",
    "address",
    "classification",
    "model",
)
"""The columns of a stored mention that a higher revision overwrites."""


class NewRevision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of `mention_revision`; without words once the mention is gone."""

    brand: str
    mention_id: str
    revision: int
    op: str
    text: str
    collected_at: datetime
    stored_at: datetime


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of `event`, whose number the database gives."""

    brand: str
    at: datetime
    actor: str
    kind: EventKind
    item_id: int
    subject: str
    before: Mapping[str, object] | None
    after: Mapping[str, object]
    why: DecisionReasons | Reason | None
