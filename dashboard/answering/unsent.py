"""A reply that came after its writer's sign-in had ended: kept as their draft, sent to nobody.

The composer carries a signed note of whom its page was made for. Whoever posts the form may
be nobody by then, or somebody else at the same browser, so the text goes to the one place
where only its writer sees it, and never back into a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.accounts import browser_sessions
from dashboard.answering import drafts
from dashboard.frame.app_context import AppContext, Viewer
from dashboard.frame.inputs import Input
from earshot.database.tables import MembershipRow, PersonRow
from earshot.domain import Role


@dataclass(frozen=True, slots=True)
class Kept:
    """Whose draft for which item the text has become."""

    person_id: int
    item_id: int


class Unsent(Input, frozen=True, kw_only=True):
    """What the composer's form has for this: the text, and the note of `note`."""

    text: str = ""
    written_by: str = ""


def note(app: AppContext, who: Viewer, item_id: int, now: datetime) -> str:
    """What the composer carries: for whom, of which brand, on which item, and when."""
    return _signer(app).dumps([who.person_id, who.brand, item_id, int(now.timestamp())])


def _signer(app: AppContext) -> URLSafeSerializer:
    return URLSafeSerializer(app.web.secret_key, salt="unsent reply")


def keep(app: AppContext, given: Unsent, now: datetime) -> Kept | None:
    """Keep the text as its writer's draft; None when there is no text or no note.

    A note counts as long as a sign-in can last, and only while its person answers for the
    brand.
    """
    if not given.text.strip():
        return None
    try:
        person_id, brand, item_id, at = _signer(app).loads(given.written_by)
    except BadData:
        return None
    if now.timestamp() - at > browser_sessions.ABSOLUTE.total_seconds():
        return None
    with app.sessions.begin() as writing:
        if not _answers(writing, brand, person_id):
            return None
        if not drafts.item_exists(writing, brand, item_id):
            return None
        drafts.keep(writing, brand, person_id, item_id, given.text, now)
    return Kept(person_id, item_id)


def _answers(session: Session, brand: str, person_id: int) -> bool:
    roles = session.scalar(
        select(MembershipRow.roles)
        .join(PersonRow, PersonRow.id == MembershipRow.person_id)
        .where(MembershipRow.brand == brand, MembershipRow.person_id == person_id, PersonRow.active)
    )
    return Role.RESPONDER in (roles or ())
