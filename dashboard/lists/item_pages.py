"""Lists of items, page by page by key, with a bound on what one page may read.

The order is that of the index: by `clock_started_at` and id, the newest first. A filter is
applied to at most `SCAN` items of each state; a page that stopped there says where to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from sqlalchemy import ColumnElement, false, func, not_, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from dashboard.frame.app_context import Viewer
from dashboard.frame.deadlines import Level
from dashboard.frame.inputs import column_number
from dashboard.lists import due
from dashboard.lists.filters import Filter, Terms
from earshot.database.folding import fold, folded
from earshot.database.tables import ItemRow
from earshot.domain import ItemFlag, ItemState

SCAN = 5_000
SIZE = 50

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = {
    "unsure": ItemFlag.UNSURE,
    "high-reach": ItemFlag.HIGH_REACH,
    "vip": ItemFlag.VIP,
    "history": ItemFlag.HISTORY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLine:
    """An item as a list shows it."""

    id: int
    version: int
    state: str
    state_reason: str
    platform: str
    source: str
    author_id: str
    author_name: str
    author_handle: str
    reach: int
    lang: str
    topic: str
    topic_confidence: float
    sentiment: str
    intent: str
    urgency: str
    preview: str
    mentions: int
    priority: str
    team: str
    flags: int
    reopened: int
    clock_started_at: datetime
    target: str
    target_s: int
    due_at: datetime | None
    answered_at: datetime | None
    snoozed_until: datetime | None
    assignee_id: int | None
    changed_at: datetime


FIELDS = tuple(ItemLine.__dataclass_fields__)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A place in the order of a list, written `microseconds.id` in addresses."""

    clock_started_at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.clock_started_at - _EPOCH) // timedelta(microseconds=1)}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> Key | None:
        """The key that `text` writes; None for anything else."""
        moment, _, number = text.partition(".")
        try:
            return cls(_EPOCH + timedelta(microseconds=int(moment)), column_number(number))
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class Page:
    """Some items in order; `more` is where the next page begins (None: this was the last)."""

    lines: tuple[ItemLine, ...]
    more: Key | None


class Conditions:
    """What a list asks of an item, as SQL on whichever alias of the table is read."""

    def __init__(
        self, asked: Filter | None = None, who: Viewer | None = None, **equal: str
    ) -> None:
        self._filter = asked or Filter()
        self._person = who.person_id if who else None
        self._equal = {name: value for name, value in equal.items() if value}
        self.flag = 0
        self.without = 0
        self.slots: tuple[int | None, int | None] = (None, None)
        self.due: tuple[Level, datetime] | None = None

    def on(self, item: type[ItemRow]) -> list[ColumnElement[bool]]:
        """The conditions on `item`; empty when every item fits."""
        asked = self._filter
        if asked.problems:
            return [false()]
        found = [getattr(item, name) == value for name, value in self._equal.items()]
        found += [or_(*each) for each in self._fields(asked.wanted, item) if each]
        found += self._signs_and_words(asked.wanted, item)
        unwanted = [
            *(one for each in self._fields(asked.unwanted, item) for one in each),
            *self._signs_and_words(asked.unwanted, item),
        ]
        # What is neither true nor false of a row, because a column is empty, does not apply.
        found += [not_(func.coalesce(one, false())) for one in unwanted]
        return found + self._numbers(item)

    @staticmethod
    def _fields(terms: Terms, item: type[ItemRow]) -> list[list[ColumnElement[bool]]]:
        """For each field the conditions of its values."""
        return [
            [folded(column) == value for value in values]
            for values, column in (
                (terms.topic, item.topic),
                (terms.sentiment, item.sentiment),
                (terms.channel, item.platform),
                (terms.lang, item.lang),
                (terms.team, item.team),
                (terms.source, item.source),
            )
        ]

    def _signs_and_words(self, terms: Terms, item: type[ItemRow]) -> list[ColumnElement[bool]]:
        signs = {
            "reopened": item.reopened > 0,
            "unassigned": item.assignee_id.is_(None),
            "mine": item.assignee_id == self._person,
            **{name: item.flags.op("&")(bit) != 0 for name, bit in _FLAGS.items()},
        }
        return [
            *(signs[name] for name in sorted(terms.signs)),
            *(folded(item.preview).contains(fold(word), autoescape=True) for word in terms.words),
        ]

    def _numbers(self, item: type[ItemRow]) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.flag:
            found.append(item.flags.op("&")(self.flag) != 0)
        if self.without:
            found.append(item.flags.op("&")(self.without) == 0)
        first, end = self.slots
        if first is not None:
            found.append(item.slot >= first)
        if end is not None:
            found.append(item.slot < end)
        if self.due is not None:
            found.append(due.condition(*self.due, item))
        return found


def page(
    session: Session,
    brand: str,
    states: Iterable[ItemState],
    conditions: Conditions,
    *,
    after: Key | None = None,
    size: int = SIZE,
) -> Page:
    """The next `size` items of the brand in any of `states` that fit the conditions."""
    lines: list[ItemLine] = []
    stopped: list[Key] = []
    for state in states:
        some, stop = _of_state(session, brand, state, conditions, after, size + 1)
        lines += some
        stopped += [stop] if stop else []
    lines.sort(key=attrgetter("clock_started_at", "id"), reverse=True)
    if stopped:
        # Below this key one of the states was not read: what lies there belongs to a later page.
        horizon = max(stopped)
        lines = [line for line in lines if key_of(line) >= horizon]
        if len(lines) <= size:
            return Page(tuple(lines), horizon)
    if len(lines) > size:
        return Page(tuple(lines[:size]), key_of(lines[size - 1]))
    return Page(tuple(lines), None)


def key_of(line: ItemLine) -> Key:
    return Key(line.clock_started_at, line.id)


def _of_state(
    session: Session,
    brand: str,
    state: ItemState,
    conditions: Conditions,
    after: Key | None,
    limit: int,
) -> tuple[list[ItemLine], Key | None]:
    """Fitting items of one state in order, and the key where reading stopped, if it had to."""
    order = (ItemRow.clock_started_at.desc(), ItemRow.id.desc())
    inner = select(ItemRow).where(ItemRow.brand == brand, ItemRow.state == state).order_by(*order)
    if after is not None:
        place = tuple_(ItemRow.clock_started_at, ItemRow.id)
        inner = inner.where(place < (after.clock_started_at, after.id))
    if not conditions.on(ItemRow):
        return _lines(session.execute(inner.with_only_columns(*columns()).limit(limit))), None
    read = aliased(ItemRow, inner.limit(SCAN).subquery())
    fitting = (
        select(*columns(read))
        .where(*conditions.on(read))
        .order_by(read.clock_started_at.desc(), read.id.desc())
        .limit(limit)
    )
    lines = _lines(session.execute(fitting))
    if len(lines) == limit:
        return lines, None
    last = session.execute(
        inner.with_only_columns(ItemRow.clock_started_at, ItemRow.id).offset(SCAN - 1).limit(1)
    ).first()
    return lines, Key(last.clock_started_at, last.id) if last else None


def columns(item: type[ItemRow] = ItemRow) -> list[ColumnElement[object]]:
    """The columns of an `ItemLine`, from the table or an alias of it."""
    return [getattr(item, name) for name in FIELDS]


def _lines(rows: Iterable[Sequence[object]]) -> list[ItemLine]:
    return [line_of(row) for row in rows]


def line_of(row: Sequence[object]) -> ItemLine:
    """The line of a row that was selected by `columns`."""
    return ItemLine(**dict(zip(FIELDS, row, strict=True)))  # type: ignore[arg-type]  # typed by the table
