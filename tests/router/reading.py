"""What tests ask the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot.database.db import Sessions
from earshot.database.tables import BacklogRow, EventRow, ItemRow, Table
from earshot.items.lifecycle import OPEN

TIMES_OF_STORING = {"stored_at", "created_at", "changed_at", "at", "seq", "ended_at"}


def all_rows(session: Session, table: type[Table]) -> list[dict[str, Any]]:
    """Every row without the times of storing, in the order of its values."""
    names = [column.key for column in table.__table__.columns]
    names = [name for name in names if name not in TIMES_OF_STORING]
    rows = session.execute(select(*(getattr(table, name) for name in names)))
    return sorted((dict(zip(names, row, strict=True)) for row in rows), key=repr)


def the_item(sessions: Sessions) -> ItemRow:
    """The only item there is."""
    with sessions() as session:
        return session.scalars(select(ItemRow)).one()


def kinds(sessions: Sessions) -> list[str]:
    """The kinds of all events, in order."""
    with sessions() as session:
        return list(session.scalars(select(EventRow.kind).order_by(EventRow.seq)))


def backlog(session: Session) -> dict[tuple[Any, ...], int]:
    """The counts of the backlog that are not zero."""
    rows = session.scalars(select(BacklogRow).where(BacklogRow.n != 0))
    return {(r.brand, r.state, r.team, r.sentiment, r.flags, r.slot): r.n for r in rows}


def counted(session: Session) -> dict[tuple[Any, ...], int]:
    """What the backlog should say, counted from the open items."""
    found: dict[tuple[Any, ...], int] = {}
    for r in session.scalars(select(ItemRow).where(ItemRow.state.in_([str(s) for s in OPEN]))):
        key = (r.brand, r.state, r.team, r.sentiment, r.flags, r.slot)
        found[key] = found.get(key, 0) + 1
    return found
