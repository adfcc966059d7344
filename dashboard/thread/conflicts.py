"""What to tell a person whose act came too late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import render_template
from sqlalchemy.orm import Session

from dashboard.frame.app_context import AppContext, Viewer
from dashboard.frame.formats import ago_words
from dashboard.frame.i18n import gettext as _
from dashboard.thread import audit


@dataclass(frozen=True, slots=True)
class Conflict:
    """An act on an item was not carried out: `words` say who changed the item first, and how."""

    item_id: int
    words: str


def conflict_in(session: Session, app: AppContext, who: Viewer, item_id: int) -> Conflict:
    """Who changed the item last, and how, as in `Tom assigned it to Bob, 2 min ago`."""
    entry = audit.last_entry(session, who.brand, item_id)
    if entry is None:
        return Conflict(item_id, _("This item no longer exists."))
    ago = ago_words(app.clock() - entry.at)
    words = _("%(who)s %(what)s, %(ago)s.", who=entry.who, what=entry.what, ago=ago)
    return Conflict(item_id, words)


def conflict_on(app: AppContext, who: Viewer, item_id: int) -> Conflict:
    """The same, in a transaction of its own."""
    with app.readers.begin() as reading:
        return conflict_in(reading, app, who, item_id)


def conflict_page(conflicts: Iterable[Conflict]) -> tuple[str, int]:
    """The page that says so."""
    return render_template("conflict.html", conflicts=tuple(conflicts)), 409
