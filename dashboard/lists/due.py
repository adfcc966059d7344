"""Which open items are over due or at risk, as SQL on the index of due times.

Roll-ups can't say it, since it changes by time passing. So these two numbers, alone on the
board, are counted: within the index `brand, state, due_at`, and up to a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from dashboard.frame.deadlines import RISK_AT_LEAST_S, RISK_SHARE, Level
from earshot.database.tables import ItemRow, Utc
from earshot.items.lifecycle import OPEN

COUNT_LIMIT = 10_000
"""Beyond so many the exact number helps nobody, and counting would cost."""


class risk_begins(FunctionElement[datetime]):  # noqa: N801 -- used as a function of SQL
    """When an item becomes at risk, from its due time and target: as `deadlines.badge` says."""

    type = Utc()
    inherit_cache = True
    name = "risk_begins"


@compiles(risk_begins, "sqlite")
def _sqlite(element: risk_begins, compiler: Any, **options: Any) -> str:
    due, target = (compiler.process(clause, **options) for clause in element.clauses)
    spare = f"max(CAST({target} * {RISK_SHARE} AS INTEGER), {RISK_AT_LEAST_S})"
    return f"({due} - {spare} * 1000000)"


@compiles(risk_begins, "postgresql")
def _postgresql(element: risk_begins, compiler: Any, **options: Any) -> str:
    due, target = (compiler.process(clause, **options) for clause in element.clauses)
    spare = f"greatest(floor({target} * {RISK_SHARE}), {RISK_AT_LEAST_S})"
    return f"({due} - {spare} * interval '1 second')"


def condition(level: Level, now: datetime, item: type[ItemRow] = ItemRow) -> ColumnElement[bool]:
    """Whether an item is over due or at risk at `now`. Raises ValueError for other levels."""
    if level is Level.OVERDUE:
        return item.due_at < now
    if level is Level.RISK:
        return and_(item.due_at >= now, risk_begins(item.due_at, item.target_s) < now)
    raise ValueError(f"only over due and at risk are asked for, not {level}")


@dataclass(frozen=True, slots=True)
class DueCount:
    """`more` when there are more than `n`, which then is `COUNT_LIMIT`."""

    n: int
    more: bool


def count(session: Session, brand: str, level: Level, now: datetime) -> DueCount:
    """How many open items of the brand are over due, or at risk."""
    found = (
        select(ItemRow.id)
        .where(ItemRow.brand == brand, ItemRow.state.in_(sorted(OPEN)), condition(level, now))
        .limit(COUNT_LIMIT + 1)
    )
    n = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    return DueCount(min(n, COUNT_LIMIT), n > COUNT_LIMIT)
