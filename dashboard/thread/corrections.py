"""A person corrects what the model believed: the item changes, and the event is training data."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.frame.app_context import Viewer
from earshot.database.tables import ItemRow, MentionRow
from earshot.domain import ItemFlag
from earshot.items import lifecycle
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change


def correct(
    session: Session,
    who: Viewer,
    item_id: int,
    expect: int,
    *,
    topic: str,
    sentiment: str,
    now: datetime,
) -> int:
    """Set the labels a person believes in; the item's new version (the same when none changed).

    The event holds labels before and after, and the mention and model that were wrong. A
    person is sure, so the item is no longer marked as unsure. Raises Stale.
    """
    item = session.execute(
        select(
            ItemRow.version, ItemRow.topic, ItemRow.sentiment, ItemRow.flags, ItemRow.mention_id
        ).where(ItemRow.id == item_id, ItemRow.brand == who.brand)
    ).first()
    if item is not None and (item.topic, item.sentiment) == (topic, sentiment):
        return int(item.version)
    mention_id = item.mention_id if item else ""
    model = session.scalar(
        select(MentionRow.model).where(MentionRow.brand == who.brand, MentionRow.id == mention_id)
    )
    return lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=who.brand,
            actor=who.actor,
            at=now,
            kind=EventKind.LABEL_CORRECTED,
            why={"mention": mention_id, "model": model or ""},
            columns={
                "topic": topic,
                "topic_confidence": 1.0,
                "sentiment": sentiment,
                "flags": (item.flags if item else 0) & ~ItemFlag.UNSURE,
            },
            expect=expect,
        ),
    )
