"""How many items are open, from the roll-up: never by counting items."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from earshot.database.tables import BacklogRow
from earshot.domain import ItemState


def open_items(
    session: Session,
    brand: str,
    states: Collection[ItemState],
    *,
    team: str = "",
    sentiment: str = "",
    flag: int = 0,
    without: int = 0,
    slots: tuple[int | None, int | None] = (None, None),
) -> int:
    """How many items of the brand are in `states`.

    `flag` asks for a bit of `flags`, `without` for the absence of one. `slots` are the first
    slot and the one after the last in which the clock started.
    """
    question = select(func.coalesce(func.sum(BacklogRow.n), 0)).where(
        BacklogRow.brand == brand, BacklogRow.state.in_(states)
    )
    if team:
        question = question.where(BacklogRow.team == team)
    if sentiment:
        question = question.where(BacklogRow.sentiment == sentiment)
    if flag:
        question = question.where(BacklogRow.flags.op("&")(flag) != 0)
    if without:
        question = question.where(BacklogRow.flags.op("&")(without) == 0)
    first, end = slots
    if first is not None:
        question = question.where(BacklogRow.slot >= first)
    if end is not None:
        question = question.where(BacklogRow.slot < end)
    return int(session.scalar(question) or 0)


def by_team(session: Session, brand: str) -> dict[str, int]:
    """Items that wait for an answer or are being answered, by team."""
    waiting = (ItemState.QUEUED, ItemState.ASSIGNED, ItemState.ANSWERING, ItemState.SENDING)
    rows = session.execute(
        select(BacklogRow.team, func.sum(BacklogRow.n))
        .where(BacklogRow.brand == brand, BacklogRow.state.in_(waiting), BacklogRow.team != "")
        .group_by(BacklogRow.team)
    )
    return {team: int(n) for team, n in rows}
