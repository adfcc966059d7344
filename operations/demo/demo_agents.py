"""Shell: simulated colleagues for the demo, who answer what they are assigned.

They use what a person uses: they are offered items, accept them, take a while, and put a reply
into the outbox. They exist so that a newcomer sees items answered and measured; every one of
them is marked as simulated, and the role runs only where no source is configured.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dashboard.accounts import people
from dashboard.accounts.permissions import granted
from dashboard.answering.replies import Refused, Written, queue_reply
from dashboard.frame.app_context import Viewer
from earshot.database.db import Sessions
from earshot.database.tables import AssignmentRow, ItemRow, MembershipRow, MentionRow, PersonRow
from earshot.domain import ItemState, Role
from earshot.items import assignments, lifecycle
from earshot.items.lifecycle import Change, Forbidden, Stale

EVERY_S = 1.0
THINKING_S = (8, 45)
"""The shortest and longest that a colleague takes over an answer, in seconds."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """One simulated person: what they know and which languages they speak."""

    name: str
    email: str
    teams: tuple[str, ...]
    langs: tuple[str, ...]


COLLEAGUES = (
    Colleague("Joan Ferrer", "joan@crew.invalid", ("care",), ("en", "es")),
    Colleague("Mei Tanaka", "mei@crew.invalid", ("tech", "care"), ("en", "fr")),
    Colleague("Lena Brandt", "lena@crew.invalid", ("care", "tech"), ("en", "de")),
    Colleague("Tom Okafor", "tom@crew.invalid", ("social", "care"), ("en", "es", "de", "fr")),
)

ANSWERS = {
    "en": "Thank you for telling us. We have passed this to the people who can put it right, "
    "and will write here as soon as we know more.",
    "es": "Gracias por avisarnos. Lo hemos pasado a quien puede resolverlo y te escribimos aquí "
    "en cuanto sepamos más.",
    "de": "Danke für den Hinweis. Wir haben das weitergegeben und melden uns hier, sobald wir "
    "mehr wissen.",
    "fr": "Merci de nous avoir prévenus. Nous avons transmis votre message et revenons vers vous "
    "ici dès que possible.",
}


def hire(session: Session, brand: str, now: datetime) -> None:
    """Give a brand its simulated colleagues; those who are there stay as they are."""
    for colleague in COLLEAGUES:
        known = session.scalar(select(PersonRow.id).where(PersonRow.email == colleague.email))
        if known is None:
            known = people.create_person(session, colleague.email, colleague.name, now)
            session.execute(update(PersonRow).where(PersonRow.id == known).values(simulated=True))
        if session.get(MembershipRow, (brand, known)) is None:
            people.join(
                session,
                brand,
                known,
                roles=[Role.RESPONDER],
                teams=colleague.teams,
                langs=colleague.langs,
                slots=1,
                on_duty=True,
            )


def run(
    sessions: Sessions,
    clock: Callable[[], datetime],
    stop: threading.Event,
    step_done: Callable[[], None],
) -> None:
    """Let the colleagues work until `stop` is set."""
    while not stop.is_set():
        work(sessions, clock())
        step_done()
        stop.wait(EVERY_S)


def work(sessions: Sessions, now: datetime) -> int:
    """One look of every colleague at their desk; how many items were dealt with."""
    with sessions.begin() as session:
        agents = _present(session, now)
        held = _held(session, [member.person_id for member in agents])
    done = 0
    by_id = {(member.brand, member.person_id): member for member in agents}
    for brand, person_id, item_id, made_at in held:
        who = by_id.get((brand, person_id))
        if who is None:
            continue
        try:
            with sessions.begin() as session:
                assignments.accept(session, brand, item_id, person_id, now)
                if now - made_at >= thinking_time(item_id):
                    _deal_with(session, who, item_id, now)
                    done += 1
        except (Stale, Forbidden):
            continue  # somebody else took it along in the meantime
    return done


def thinking_time(item_id: int) -> timedelta:
    """How long an answer to this item takes: the same however often it is asked."""
    shortest, longest = THINKING_S
    return timedelta(seconds=shortest + zlib.crc32(str(item_id).encode()) % (longest - shortest))


def _present(session: Session, now: datetime) -> list[Viewer]:
    """The simulated people, each seen at their desk now."""
    rows = session.execute(
        select(PersonRow, MembershipRow)
        .join(MembershipRow, MembershipRow.person_id == PersonRow.id)
        .where(PersonRow.simulated, PersonRow.active)
    ).all()
    session.execute(
        update(MembershipRow)
        .where(MembershipRow.person_id.in_([person.id for person, _ in rows]))
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )
    return [_viewer(person, membership) for person, membership in rows]


def _viewer(person: PersonRow, membership: MembershipRow) -> Viewer:
    roles = frozenset(Role(role) for role in membership.roles)
    return Viewer(
        person_id=person.id,
        name=person.name,
        email=person.email,
        brand=membership.brand,
        brands=(membership.brand,),
        roles=roles,
        teams=tuple(membership.teams),
        permissions=granted(roles),
        timezone=ZoneInfo(person.timezone),
        locale=person.locale,
        theme=person.theme,
        single_keys=person.single_keys,
        on_duty=membership.on_duty,
    )


def _held(session: Session, person_ids: Iterable[int]) -> list[tuple[str, int, int, datetime]]:
    """What is assigned to these people and not answered yet: brand, person, item, since when."""
    rows = session.execute(
        select(
            AssignmentRow.brand,
            AssignmentRow.person_id,
            AssignmentRow.item_id,
            AssignmentRow.made_at,
        )
        .join(ItemRow, ItemRow.id == AssignmentRow.item_id)
        .where(
            AssignmentRow.person_id.in_(list(person_ids)),
            AssignmentRow.state != "ended",
            ItemRow.state.in_([ItemState.ASSIGNED, ItemState.ANSWERING]),
        )
    )
    return [(row.brand, row.person_id, row.item_id, row.made_at) for row in rows]


def _deal_with(session: Session, who: Viewer, item_id: int, now: datetime) -> None:
    """Answer the newest mention of the item, or close what can't be answered."""
    item = session.get_one(ItemRow, item_id)
    mention = session.get(MentionRow, (who.brand, item.mention_id))
    reason = "there is nothing left to answer"
    if mention is not None and not mention.deleted:
        written = Written(
            item_id=item_id,
            text=ANSWERS.get(item.lang, ANSWERS["en"]),
            nonce=f"crew-{item.version}",
            then=ItemState.ANSWERED,
            mention_id=mention.id,
            mention_revision=mention.revision,
        )
        outcome = queue_reply(session, who, written, now=now, undo_s=0)
        if not isinstance(outcome, Refused):
            return
        reason = outcome.detail or outcome.reason
    change = Change(
        item_id=item_id,
        brand=who.brand,
        actor=who.actor,
        at=now,
        to=ItemState.CLOSED,
        why={"reason": reason},
        columns={"state_reason": reason},
    )
    lifecycle.move(session, change)
