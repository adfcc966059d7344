"""Reading the event table as it grows: each committed event once, those that commit late too."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from dashboard.live.event_cursor import EventCursor, Range
from dashboard.live.notifications import Notification
from earshot.database.tables import EventRow

WINDOW = 1_000
"""How many numbers back a new reader looks for events that are not committed yet."""

HOLE_TIMEOUT_S = 10.0
"""How long a missing number is waited for: longer than any transaction of ours."""

READ_LIMIT = 5_000
"""How many events are read at once."""

_COLUMNS = (
    EventRow.seq,
    EventRow.brand,
    EventRow.kind,
    EventRow.item_id,
    EventRow.subject,
    EventRow.actor,
    EventRow.after,
    EventRow.why,
)


def newest(session: Session) -> EventCursor:
    """The position at the end of the table, with what may still commit before it."""
    high = session.scalar(select(func.max(EventRow.seq))) or 0
    seen = session.scalars(select(EventRow.seq).where(EventRow.seq > high - WINDOW))
    return EventCursor(max(0, high - WINDOW)).after(chain([high], seen))


def unseen(
    session: Session, position: EventCursor, *, brand: str = "", limit: int = READ_LIMIT
) -> list[Notification]:
    """About `limit` events at most that the position does not have, late ones first.

    `brand` empty means those of every brand.
    """
    # Holes first: what commits between two statements is then found by the next call.
    found: list[Notification] = []
    for place in [*_within(position.holes), EventRow.seq > position.high]:
        query = select(*_COLUMNS).where(place).order_by(EventRow.seq).limit(limit)
        if brand:
            query = query.where(EventRow.brand == brand)
        found += [_notification(row) for row in session.execute(query)]
        if len(found) >= limit:
            break
    return found


def _within(holes: Sequence[Range]) -> list[ColumnElement[bool]]:
    """Conditions that together find the numbers of `holes`, a hundred ranges in each."""
    return [
        or_(*(EventRow.seq.between(low, last) for low, last in holes[start : start + 100]))
        for start in range(0, len(holes), 100)
    ]


def _notification(row: Any) -> Notification:
    return Notification(
        seq=row.seq,
        brand=row.brand,
        kind=row.kind,
        item_id=row.item_id,
        subject=row.subject,
        actor=row.actor,
        state=_text(row.after, "state"),
        client=_text(row.why, "client"),
    )


def _text(value: Any, name: str) -> str:
    found = value.get(name, "") if isinstance(value, dict) else ""
    return found if isinstance(found, str) else ""


class EventReader:
    """A reader that moves on with each `read`. `now_s` is of a clock that never goes back."""

    def __init__(self, position: EventCursor, now_s: float) -> None:
        self.position = position
        self._marked = position.high
        self._marks = deque([(now_s, position.high)])

    def read(self, session: Session, now_s: float) -> list[Notification]:
        """The events that became visible since the last call."""
        found = unseen(session, self.position)
        position = self.position.after(notification.seq for notification in found)
        if position.high > self._marked:
            self._marked = position.high
            self._marks.append((now_s, position.high))
        while self._marks and now_s - self._marks[0][0] > HOLE_TIMEOUT_S:
            position = position.giving_up(self._marks.popleft()[1])
        self.position = position
        return found
