"""What a person has typed for an item and not sent: kept on the server as they type."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dashboard.frame.app_context import Viewer
from earshot.database import db
from earshot.database.tables import DraftRow, ItemRow

LIMIT = 40_000


def save(session: Session, who: Viewer, item_id: int, text: str, now: datetime) -> None:
    """Keep a draft; an empty one is forgotten. The caller knows that the item exists."""
    keep(session, who.brand, who.person_id, item_id, text, now)


def keep(
    session: Session, brand: str, person_id: int, item_id: int, text: str, now: datetime
) -> None:
    """Keep a person's draft for an item of the brand; an empty one is forgotten."""
    if not text.strip():
        session.execute(
            delete(DraftRow).where(DraftRow.item_id == item_id, DraftRow.person_id == person_id)
        )
        return
    row = {
        "item_id": item_id,
        "person_id": person_id,
        "brand": brand,
        "text": text[:LIMIT],
        "saved_at": now,
    }
    db.upsert(
        session,
        DraftRow,
        [row],
        key=("item_id", "person_id"),
        replace=("brand", "text", "saved_at"),
    )


def draft_of(session: Session, who: Viewer, item_id: int) -> str:
    """The person's draft for an item; empty when there is none."""
    text = session.scalar(
        select(DraftRow.text).where(
            DraftRow.item_id == item_id,
            DraftRow.person_id == who.person_id,
            DraftRow.brand == who.brand,
        )
    )
    return text or ""


def item_exists(session: Session, brand: str, item_id: int) -> bool:
    return (
        session.scalar(select(ItemRow.id).where(ItemRow.id == item_id, ItemRow.brand == brand))
        is not None
    )
