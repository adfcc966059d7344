"""The items behind the numbers of `response`: one line a closed clock, page by page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from dashboard.lists import item_pages
from dashboard.lists.item_pages import SIZE, Conditions, ItemLine, columns, line_of
from dashboard.lists.item_questions import Question
from earshot.database.tables import ClockRow, ItemRow, ResponseRow


@dataclass(frozen=True, slots=True)
class ClockLine:
    """A closed clock with its item: how long it ran and whether the promise was kept."""

    item: ItemLine
    seconds: float
    met: bool


@dataclass(frozen=True, slots=True)
class ClockPage:
    """`more` is the id below which the next page begins."""

    lines: tuple[ClockLine, ...]
    more: int | None


def count(session: Session, brand: str, asked: Question) -> int:
    """How many closed clocks the roll-up has for the question."""
    question = select(func.coalesce(func.sum(ResponseRow.n), 0)).where(
        *_conditions(ResponseRow, brand, asked)
    )
    return int(session.scalar(question) or 0)


def page(
    session: Session,
    brand: str,
    asked: Question,
    *,
    after: int | None,
    narrowed: Conditions | None = None,
    size: int = SIZE,
) -> ClockPage:
    """The next clocks that fit, the last closed first.

    `narrowed` is what else their items must be: it is asked of at most `SCAN` clocks, and a
    page that stopped there says where to go on.
    """
    clocks = [*_conditions(ClockRow, brand, asked)]
    if after is not None:
        clocks.append(ClockRow.id < after)
    narrow = narrowed.on(ItemRow) if narrowed else []
    end = _end_of_scan(session, clocks) if narrow else None
    if end is not None:
        clocks.append(ClockRow.id >= end)
    rows = session.execute(
        select(ClockRow, *columns())
        .join(ItemRow, ItemRow.id == ClockRow.item_id)
        .where(*clocks, *narrow, ItemRow.brand == brand)
        .order_by(ClockRow.id.desc())
        .limit(size + 1)
    ).all()
    lines = tuple(_line(row[0], line_of(row[1:])) for row in rows[:size])
    return ClockPage(lines, rows[size - 1][0].id if len(rows) > size else end)


def _end_of_scan(session: Session, clocks: Iterable[ColumnElement[bool]]) -> int | None:
    """The last clock that one page may read; None when it may read to the end."""
    ids = select(ClockRow.id).where(*clocks).order_by(ClockRow.id.desc())
    return session.scalar(ids.offset(item_pages.SCAN - 1).limit(1))


def _line(clock: ClockRow, item: ItemLine) -> ClockLine:
    return ClockLine(item, (clock.stopped_at - clock.started_at).total_seconds(), clock.met)


def _conditions(
    table: type[ResponseRow | ClockRow], brand: str, asked: Question
) -> list[ColumnElement[bool]]:
    """The same conditions on the roll-up and on the clocks, so that the two agree."""
    found = [table.brand == brand, table.metric == asked.metric]
    found += [
        getattr(table, name) == value
        for name in ("team", "topic", "platform")
        if (value := getattr(asked, name))
    ]
    if asked.day_from:
        found.append(table.day >= asked.day_from)
    if asked.day_to:
        found.append(table.day <= asked.day_to)
    if asked.bucket_from is not None:
        found.append(table.bucket >= asked.bucket_from)
    if asked.bucket_to is not None:
        found.append(table.bucket <= asked.bucket_to)
    if asked.met is not None:
        found.append(table.met.is_(asked.met))
    return found
