"""What to tell a person whose act came too late."""

from __future__ import annotations

from sqlalchemy.orm import Session

from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.formats import ago_words
from dashboard.frame.i18n import gettext as _
from dashboard.thread import audit


def who_did_what(session: Session, item_id: int) -> str:
    """Who changed the item last, and how, as in `Tom assigned it to Bob, 2 min ago`."""
    entry = audit.last_entry(session, viewer().brand, item_id)
    if entry is None:
        return _("This item no longer exists.")
    ago = ago_words(app_context().clock() - entry.at)
    return _("%(who)s %(what)s, %(ago)s.", who=entry.who, what=entry.what, ago=ago)
