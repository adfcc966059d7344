"""A reply that came after its writer's sign-in had ended: kept as their draft, sent to nobody.

The composer carries a signed note of whom its page was made for. Whoever posts the form may
be nobody by then, or somebody else at the same browser, so the text goes to the one place
where only its writer sees it, and never back into a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import current_app, request
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.accounts import browser_sessions
from dashboard.answering import drafts
from dashboard.frame.app_context import Viewer, app_context
from earshot.database.tables import MembershipRow, PersonRow
from earshot.domain import Role

FIELD = "written_by"


@dataclass(frozen=True, slots=True)
class Kept:
    """Whose draft for which item the text has become."""

    person_id: int
    item_id: int


def note(who: Viewer, item_id: int, now: datetime) -> str:
    """What the composer carries: for whom, of which brand, on which item, and when."""
    return _signer().dumps([who.person_id, who.brand, item_id, int(now.timestamp())])


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="unsent reply")


def keep() -> Kept | None:
    """Keep the text of the request as its writer's draft; None when it has no text or note.

    A note counts as long as a sign-in can last, and only while its person answers for the
    brand.
    """
    text = request.form.get("text", "").replace("\r\n", "\n")
    if not text.strip():
        return None
    try:
        person_id, brand, item_id, at = _signer().loads(request.form.get(FIELD, ""))
    except BadData:
        return None
    now = app_context().clock()
    if now.timestamp() - at > browser_sessions.ABSOLUTE.total_seconds():
        return None
    with app_context().sessions.begin() as writing:
        if not _answers(writing, brand, person_id):
            return None
        if not drafts.item_exists(writing, brand, item_id):
            return None
        drafts.keep(writing, brand, person_id, item_id, text, now)
    return Kept(person_id, item_id)


def _answers(session: Session, brand: str, person_id: int) -> bool:
    roles = session.scalar(
        select(MembershipRow.roles)
        .join(PersonRow, PersonRow.id == MembershipRow.person_id)
        .where(MembershipRow.brand == brand, MembershipRow.person_id == person_id, PersonRow.active)
    )
    return Role.RESPONDER in (roles or ())
