"""What a responder does with an item: take it, answer it, return it, close it; each once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.answering import drafts, queries, replies, reply_changes, undo
from dashboard.answering.replies import Outcome, Written
from dashboard.frame.app_context import AppContext, Viewer
from dashboard.frame.inputs import Input, Number
from dashboard.thread.conflicts import Conflict, conflict_on
from dashboard.triage import verdicts
from earshot.database.tables import ItemRow
from earshot.domain import ItemState
from earshot.items import assignments, lifecycle
from earshot.items.lifecycle import Change, Forbidden, Stale

REASON_LIMIT = 200


class Take(Input, frozen=True, kw_only=True):
    """`expect` is the version of the item that the person saw, if they saw it."""

    expect: Number | None = None


class Release(Input, frozen=True, kw_only=True):
    """Why the item goes back, in the person's words; what is longer than 200 characters is cut."""

    expect: Number | None = None
    reason: str = ""


class Close(Input, frozen=True, kw_only=True):
    """The version of the item that the person saw."""

    expect: Number


class UndoClose(Input, frozen=True, kw_only=True):
    """The version that closing made."""

    expect: Number


class Draft(Input, frozen=True, kw_only=True):
    """What is typed so far; empty: nothing is kept."""

    text: str = ""


class Send(Input, frozen=True, kw_only=True):
    """What the composer sends. `nonce` is that of its form: the same when it arrives twice.

    `mention` and `mention_revision` are what the writer saw.
    """

    mention_revision: Number
    nonce: Annotated[str, Meta(min_length=1, max_length=64)]
    text: str = ""
    mention: str = ""
    then: Literal["answered", "closed"] = "answered"


class ChangeReply(Input, frozen=True, kw_only=True):
    """The item whose page it was, to return to when the reply has changed since."""

    item: Number | None = None


class Retry(Input, frozen=True, kw_only=True):
    """`forced` sends whatever the check of the context says."""

    item: Number | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such item of the brand."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The item or the reply has changed since the person saw it; nothing was done."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The item is closed, at `version`; `following` is the most urgent other one, if any."""

    version: int
    following: int | None


def take_next(app: AppContext, who: Viewer, now: datetime) -> int | None:
    """The item that the person has now, or None when nothing waits for their teams."""
    with app.sessions.begin() as writing:
        return queries.take_next(writing, who, now)


def take(app: AppContext, who: Viewer, item_id: int, given: Take, now: datetime) -> Conflict | None:
    """Take the item; None when it is the person's."""
    try:
        with app.sessions.begin() as writing:
            queries.take(writing, who, item_id, given.expect, now)
    except (Stale, Forbidden):
        return conflict_on(app, who, item_id)
    return None


def accept(app: AppContext, who: Viewer, item_id: int, now: datetime) -> Conflict | None:
    """Accept an offer; None when it is accepted."""
    with app.sessions.begin() as writing:
        accepted = assignments.accept(writing, who.brand, item_id, who.person_id, now)
    return None if accepted else conflict_on(app, who, item_id)


def release(
    app: AppContext, who: Viewer, item_id: int, given: Release, now: datetime
) -> Conflict | None:
    """Return the item to the queue, where it keeps its place; None when it is there."""
    try:
        with app.sessions.begin() as writing:
            assignments.hand_back(
                writing,
                who.brand,
                item_id,
                who.person_id,
                now,
                expect=given.expect,
                reason=given.reason.strip()[:REASON_LIMIT],
            )
    except (Stale, Forbidden):
        return conflict_on(app, who, item_id)
    return None


def close(
    app: AppContext, who: Viewer, item_id: int, given: Close, now: datetime
) -> Closed | Conflict | Missing:
    """End an item that needs no reply; only who holds it may."""
    with app.readers.begin() as reading:
        following = queries.following(queries.held_by(reading, who, now), item_id)
        item = reading.execute(
            select(ItemRow.assignee_id).where(ItemRow.id == item_id, ItemRow.brand == who.brand)
        ).first()
    if item is None:
        return Missing()
    if item.assignee_id != who.person_id:
        return conflict_on(app, who, item_id)
    try:
        with app.sessions.begin() as writing:
            version = verdicts.decide(writing, who, item_id, given.expect, verdicts.Done(), now)
    except (Stale, Forbidden):
        return conflict_on(app, who, item_id)
    return Closed(version, following)


def undo_close(
    app: AppContext, who: Viewer, item_id: int, given: UndoClose, now: datetime
) -> Conflict | None:
    """Take back that one has closed an item: it is one's own again, as it was.

    Raises `undo.TooLate`.
    """
    try:
        with app.sessions.begin() as writing:
            undo.take_back(writing, who, item_id, given.expect, now)
    except (Stale, Forbidden):
        return conflict_on(app, who, item_id)
    return None


def save_draft(
    app: AppContext, who: Viewer, item_id: int, given: Draft, now: datetime
) -> Missing | None:
    """Keep what is typed. The first keystroke accepts an offer and begins the answer."""
    with app.sessions.begin() as writing:
        if not drafts.item_exists(writing, who.brand, item_id):
            return Missing()
        drafts.save(writing, who, item_id, given.text, now)
        begin_answering(writing, who, item_id, now)
    return None


def begin_answering(session: Session, who: Viewer, item_id: int, now: datetime) -> None:
    """Accept an offer and start on the item, if the person holds it. Raises as `move`."""
    state = session.scalar(
        select(ItemRow.state).where(
            ItemRow.id == item_id, ItemRow.brand == who.brand, ItemRow.assignee_id == who.person_id
        )
    )
    if state is None:
        return
    assignments.accept(session, who.brand, item_id, who.person_id, now)
    if state == ItemState.ASSIGNED:
        lifecycle.move(
            session,
            Change(
                item_id=item_id, brand=who.brand, actor=who.actor, at=now, to=ItemState.ANSWERING
            ),
        )


def send(
    app: AppContext, who: Viewer, item_id: int, given: Send, now: datetime
) -> Outcome | Changed:
    """Queue a reply. A form that arrives twice gives the same reply."""
    written = Written(
        item_id=item_id,
        text=given.text,
        nonce=given.nonce,
        then=ItemState(given.then),
        mention_id=given.mention,
        mention_revision=given.mention_revision,
    )
    try:
        with app.sessions.begin() as writing:
            assignments.accept(writing, who.brand, item_id, who.person_id, now)
            return replies.queue_reply(writing, who, written, now=now, undo_s=app.web.undo_send_s)
    except (Stale, Forbidden):
        return Changed()


def withdraw(app: AppContext, who: Viewer, reply_id: int, now: datetime) -> int | Changed:
    """Take a reply back before it goes out: its text is a draft again. Its item."""
    return _on_reply(app, lambda writing: reply_changes.withdraw(writing, who, reply_id, now))


def edit(app: AppContext, who: Viewer, reply_id: int, now: datetime) -> int | Changed:
    """Make the text of a failed reply a draft again. Its item."""
    return _on_reply(app, lambda writing: reply_changes.edit_failed(writing, who, reply_id, now))


def retry(
    app: AppContext, who: Viewer, reply_id: int, given: Retry, now: datetime
) -> int | Changed:
    """Try a failed reply again. Its item."""
    return _on_reply(
        app,
        lambda writing: reply_changes.retry(writing, who, reply_id, now, forced=given.forced),
    )


def _on_reply(app: AppContext, act: Callable[[Session], int]) -> int | Changed:
    try:
        with app.sessions.begin() as writing:
            return act(writing)
    except (Stale, Forbidden):
        return Changed()
