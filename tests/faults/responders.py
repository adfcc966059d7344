"""People who answer what they are offered, through the desk's own functions, as fast as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from dashboard.accounts import people
from dashboard.accounts.permissions import granted
from dashboard.answering.replies import Queued, Written, queue_reply, reply_key
from dashboard.frame.app_context import Viewer
from earshot.database import db
from earshot.database.tables import AssignmentRow, ItemRow, MembershipRow, MentionRow, ReplyRow
from earshot.domain import ItemState, Role
from earshot.items import assignments, lifecycle
from earshot.items.lifecycle import Change, Forbidden, Stale
from tests.faults.world import BRAND

TEAMS = ("care", "tech", "social")
LANGS = ("en", "es", "de", "fr")
LOOK_EVERY_S = 0.1


@dataclass
class Responders:
    """So many people who are always there, until `wanted` replies are in the outbox.

    `queued` holds the keys of replies whose transaction was committed: none may be lost.
    """

    engine: Engine
    count: int
    wanted: int
    pause_s: float = 0.0
    queued: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def hire(self) -> None:
        now = datetime.now(UTC)
        with db.open_sessions(self.engine).begin() as session:
            for number in range(self.count):
                address = f"responder{number}@faults.invalid"
                person = people.create_person(session, address, f"Responder {number}", now)
                hire(session, person)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="responders", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(60)

    def _work(self) -> None:
        while not self._stop.is_set() and len(self.queued) < self.wanted:
            try:
                self._look()
            except DBAPIError:
                pass  # the database is away, or somebody was faster: look again
            except Exception as error:  # noqa: BLE001 -- told at the end of the run
                self.failures.append(f"{type(error).__name__}: {error}")
                return
            self._stop.wait(LOOK_EVERY_S)
        self._go_home()

    def _go_home(self) -> None:
        """Off duty, so that nothing more is offered to anybody."""
        while True:
            try:
                with db.open_sessions(self.engine).begin() as session:
                    session.execute(update(MembershipRow).values(on_duty=False))
            except DBAPIError:
                time.sleep(0.5)
            else:
                return

    def _look(self) -> None:
        now = datetime.now(UTC)
        with db.open_sessions(self.engine).begin() as session:
            session.execute(update(MembershipRow).values(seen_at=now))
        with db.open_readers(self.engine).begin() as session:
            held = held_items(session)
        for person_id, item_id in held:
            if len(self.queued) >= self.wanted or self._stop.is_set():
                return
            try:
                with db.open_sessions(self.engine).begin() as session:
                    key = answer(session, viewer(person_id), item_id, datetime.now(UTC))
            except (Stale, Forbidden):
                continue  # somebody else was faster
            if key:
                self.queued.add(key)
            self._stop.wait(self.pause_s)


def held_items(session: Session) -> Sequence[tuple[int, int]]:
    """Who holds what and can work on it now: person and item, the oldest first."""
    rows = session.execute(
        select(AssignmentRow.person_id, AssignmentRow.item_id)
        .join(ItemRow, ItemRow.id == AssignmentRow.item_id)
        .where(
            AssignmentRow.state != "ended",
            ItemRow.state.in_([ItemState.ASSIGNED, ItemState.ANSWERING]),
        )
        .order_by(AssignmentRow.id)
    )
    return [(row.person_id, row.item_id) for row in rows]


def hire(session: Session, person_id: int) -> None:
    """Let a person answer for the brand, in every team and language, and on duty."""
    people.join(
        session,
        BRAND,
        person_id,
        roles=[Role.RESPONDER],
        teams=TEAMS,
        langs=LANGS,
        on_duty=True,
    )


def viewer(person_id: int) -> Viewer:
    """The person at their desk."""
    roles = frozenset({Role.RESPONDER})
    return Viewer(
        person_id=person_id,
        name=f"Responder {person_id}",
        email=f"{person_id}@faults.invalid",
        brand=BRAND,
        brands=(BRAND,),
        roles=roles,
        teams=TEAMS,
        permissions=granted(roles),
        timezone=ZoneInfo("UTC"),
        locale="en",
        theme="auto",
        single_keys=True,
        on_duty=True,
    )


def answer(session: Session, who: Viewer, item_id: int, now: datetime) -> str:
    """Accept an item and answer it; the reply's key.

    What can't be answered, or needs a look at the platform first, is closed: no key.
    """
    assignments.accept(session, who.brand, item_id, who.person_id, now)
    item = session.get_one(ItemRow, item_id, populate_existing=True)
    mention = session.get(MentionRow, (who.brand, item.mention_id))
    tried = select(ReplyRow.id).where(
        ReplyRow.item_id == item_id, ReplyRow.mention_id == item.mention_id
    )
    if mention is not None and not mention.deleted and session.scalar(tried) is None:
        written = Written(
            item_id=item_id,
            text=f"We are looking into it, thank you. Number {item_id}, {item.version}.",
            nonce=f"faults-{item.version}",
            then=ItemState.ANSWERED,
            mention_id=mention.id,
            mention_revision=mention.revision,
        )
        outcome = queue_reply(session, who, written, now=now, undo_s=0)
        if isinstance(outcome, Queued):
            return reply_key(who.brand, written.mention_id, written.nonce)
    change = Change(
        item_id=item_id,
        brand=who.brand,
        actor=who.actor,
        at=now,
        to=ItemState.CLOSED,
        why={"reason": "there is nothing left to answer"},
    )
    lifecycle.move(session, change)
    return ""
