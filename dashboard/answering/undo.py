"""Taking back a closing without reply: the item returns to whoever had it, as they had it.

The browser's signed cookie keeps which items its person closed, so that Undo is offered after
a reload and on every page of the queue. Whether a closing can still be taken back is decided
on the item's last event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import session as cookie
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.frame.app_context import Viewer
from dashboard.triage import verdicts
from dashboard.triage.verdicts import UNDO_WITHIN, Done
from earshot.database.tables import EventRow, ItemRow
from earshot.domain import ItemState
from earshot.items import assignments, lifecycle
from earshot.items.assignments import BY_HAND
from earshot.items.events import EventKind
from earshot.items.holding import HELD, Hold
from earshot.items.lifecycle import Change, Stale

_COOKIE = "closed"
_MOST = 5


class TooLate(Exception):
    """The closing is longer ago than `UNDO_WITHIN`: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Closed:
    """An item that can be taken back until `until`, in seconds since 1970."""

    item_id: int
    version: int
    author: str
    until: int


def remember(who: Viewer, item_id: int, version: int, now: datetime) -> None:
    """Note in the cookie of the answer that the person has closed an item."""
    closed = [(who.brand, item_id, version, int(now.timestamp())), *_remembered()]
    cookie[_COOKIE] = closed[:_MOST]


def forget(item_id: int) -> None:
    """Offer an item no more."""
    cookie[_COOKIE] = [one for one in _remembered() if one[1] != item_id]


def _remembered() -> list[tuple[str, int, int, int]]:
    """Brand, item, version, and when, in seconds since 1970; the newest first."""
    return [(brand, item, version, at) for brand, item, version, at in cookie.get(_COOKIE, [])]


def last_closed(session: Session, who: Viewer, now: datetime) -> Closed | None:
    """What the person closed last in this browser, if it can still be taken back."""
    for brand, item_id, version, at in _remembered():
        until = at + int(UNDO_WITHIN.total_seconds())
        if brand != who.brand or until < now.timestamp():
            continue
        item = session.execute(
            select(ItemRow.author_name, ItemRow.author_handle).where(
                ItemRow.id == item_id,
                ItemRow.brand == who.brand,
                ItemRow.version == version,
                ItemRow.state == ItemState.DISMISSED,
            )
        ).first()
        if item is not None:
            author = item.author_name or item.author_handle
            return Closed(item_id, version, author, until)
    return None


def take_back(session: Session, who: Viewer, item_id: int, expect: int, now: datetime) -> int:
    """Give an item back to the person who has closed it, as it was; its new version.

    Its state, clock, target and assignment are those from before. Raises TooLate more than
    `UNDO_WITHIN` after the closing, and Stale when the last thing that happened to the item
    is not this person's closing of what they held.
    """
    event = verdicts.last_event(session, who.brand, item_id)
    if event is None or not _closed_by(event, who):
        raise Stale(f"item {item_id} was not closed by person {who.person_id} just now")
    if now - event.at > UNDO_WITHIN:
        raise TooLate(f"item {item_id} was closed at {event.at.astimezone(UTC).isoformat()}")
    stood = verdicts.stood(session, event)
    del stood["assignee_id"]  # the hold says who has it
    return lifecycle.move(
        session,
        Change(
            item_id=item_id,
            brand=who.brand,
            actor=who.actor,
            at=now,
            to=ItemState(stood.pop("state")),
            kind=EventKind.ITEM_UNDONE,
            why={"taken_back": Done.name},
            columns=stood,
            expect=expect,
            hold=_hold(session, who, item_id, event.at),
        ),
    )


def _hold(session: Session, who: Viewer, item_id: int, closed_at: datetime) -> Hold:
    """What the person had; who closed what was only offered to them has chosen to deal with it."""
    had = assignments.held_until(session, who.brand, item_id, who.person_id, closed_at)
    return had or Hold(
        person_id=who.person_id,
        policy_version=BY_HAND,
        explain={"by": who.actor, "why": "a person chose"},
    )


def _closed_by(event: EventRow, who: Viewer) -> bool:
    before, why = event.before or {}, event.why or {}
    return (
        event.actor == who.actor
        and why.get("verdict") == Done.name
        and before.get("assignee_id") == who.person_id
        and before.get("state") in HELD
    )
