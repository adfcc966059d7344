"""The responder's queue: what is theirs by deadline, and one item to answer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.answering import acts, drafts, queries, undo, unsent
from dashboard.answering.queries import Answer, Assignment, Groups
from dashboard.answering.reply_limits import length_for
from dashboard.board import backlog_counts
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import gettext as _
from dashboard.frame.inputs import column_number, form_input, wants_fragment
from dashboard.thread.conflicts import Conflict, conflict_page
from dashboard.thread.item_detail import Pane, pane
from earshot.database.tables import ReplyRow
from earshot.domain import ItemState
from earshot.items.holding import HELD
from earshot.items.reply_length import ReplyLength

pages = Blueprint("queue", __name__)

Page = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desktop:
    """All that the queue page shows beside the list. `length` bounds the reply."""

    pane: Pane
    mine: bool
    draft: str
    nonce: str
    written_by: str
    length: ReplyLength
    assignment: Assignment | None
    similar: tuple[Answer, ...]


@pages.get("/queue")
@needs(Permission.ANSWER)
def queue() -> Page:
    return show(None)


@pages.get("/queue/<int:item_id>")
@needs(Permission.ANSWER)
def item(item_id: int) -> Page:
    return show(item_id)


def show(
    item_id: int | None, *, status: int = 200, notice: str = "", text: str | None = None
) -> Page:
    """The queue with an item open; `text` keeps what was typed when sending was refused."""
    who, now = viewer(), app_context().clock()
    with app_context().readers.begin() as reading:
        groups = queries.held_by(reading, who, now)
        offered = queries.offers(reading, who)
        listed = [line.id for line in groups.in_order]
        if wants_fragment() and item_id is None:
            return _rows(reading, groups, offered)
        found = _desktop(reading, item_id, text) if item_id is not None else None
        if item_id is not None and found is None:
            abort(404)
        sent_item = _sent_item(reading)
        states = queries.reply_states(reading, who, listed)
        closed = undo.last_closed(reading, who, now)
        if found is not None and found.draft and "unsent" in request.args:
            notice = notice or _(
                "Nothing was sent, because you had been signed out. Your text is below."
            )
        team_waits = backlog_counts.open_items(reading, who.brand, (ItemState.QUEUED,))
    page = render_template(
        "queue.html",
        groups=groups,
        offered=offered,
        replies=states,
        confirmed=(),
        gone_at=0,
        chosen=item_id,
        open=found,
        team_waits=team_waits,
        notice=notice,
        sent=_sent(),
        sent_item=sent_item,
        closed=closed,
    )
    return page, status


def _rows(reading: Session, groups: Groups, offered: dict[int, datetime | None]) -> str:
    """The list alone. `was` names the rows that the page shows as on their way."""
    who, now = viewer(), app_context().clock()
    was = [number for part in request.args.getlist("was") if (number := _number(part)) is not None]
    confirmed = queries.just_confirmed(reading, who, was[: queries.MOST], now)
    listed = [line.id for line in (*groups.in_order, *confirmed)]
    return render_template(
        "_queue_rows.html",
        groups=groups,
        offered=offered,
        replies=queries.reply_states(reading, who, listed),
        confirmed=confirmed,
        gone_at=int((now + queries.SHOWN_CONFIRMED).timestamp()),
        chosen=None,
    )


def _number(text: str) -> int | None:
    try:
        return column_number(text)
    except ValueError:
        return None


def _sent() -> dict[str, int] | None:
    """The reply that was just queued: its id and when it goes out, in seconds since 1970."""
    reply, at = (
        request.args.get("sent", type=column_number),
        request.args.get("at", type=column_number),
    )
    if reply is None or at is None or at <= app_context().clock().timestamp():
        return None
    return {"reply": reply, "at": at, "left": int(at - app_context().clock().timestamp())}


def _sent_item(session: Session) -> int | None:
    """The item whose reply was just queued: the browser's copy of the text may go then."""
    reply = request.args.get("sent", type=column_number)
    if reply is None:
        return None
    return session.scalar(
        select(ReplyRow.item_id).where(
            ReplyRow.id == reply,
            ReplyRow.brand == viewer().brand,
            ReplyRow.person_id == viewer().person_id,
        )
    )


def _desktop(session: Session, item_id: int, text: str | None) -> Desktop | None:
    who = viewer()
    found = pane(session, who, item_id)
    if found is None:
        return None
    return Desktop(
        pane=found,
        mine=found.item.assignee_id == who.person_id and ItemState(found.item.state) in HELD,
        draft=drafts.draft_of(session, who, item_id) if text is None else text,
        nonce=secrets.token_hex(8),
        written_by=unsent.note(app_context(), who, item_id, app_context().clock()),
        length=length_for(session, who.brand, found.newest.mention_id if found.newest else ""),
        assignment=queries.assignment_of(session, who.brand, item_id),
        similar=tuple(queries.similar_answers(session, who.brand, found.item)),
    )


@pages.post("/queue/next")
@needs(Permission.ANSWER)
def take_next() -> Page:
    app = app_context()
    taken = acts.take_next(app, viewer(), app.clock())
    if taken is None:
        flash(_("Nothing is waiting for your teams."))
    return redirect(_to(taken))


@pages.post("/queue/<int:item_id>/take")
@needs(Permission.ANSWER)
def take(item_id: int) -> Page:
    given, app = form_input(acts.Take), app_context()
    conflict = acts.take(app, viewer(), item_id, given, app.clock())
    return conflict_page([conflict]) if conflict else redirect(_to(item_id))


@pages.post("/queue/<int:item_id>/accept")
@needs(Permission.ANSWER)
def accept(item_id: int) -> Page:
    """Accept an offer. Sent by the page when it opens an offered item."""
    app = app_context()
    conflict = acts.accept(app, viewer(), item_id, app.clock())
    if wants_fragment():
        return "", 409 if conflict else 204
    return conflict_page([conflict]) if conflict else redirect(_to(item_id))


@pages.post("/queue/<int:item_id>/release")
@needs(Permission.ANSWER)
def release(item_id: int) -> Page:
    given, app = form_input(acts.Release), app_context()
    conflict = acts.release(app, viewer(), item_id, given, app.clock())
    if conflict:
        return conflict_page([conflict])
    flash(_("Returned to the queue. The item keeps its place."))
    return redirect(_to(None))


@pages.post("/queue/<int:item_id>/done")
@needs(Permission.ANSWER)
def done(item_id: int) -> Page:
    given, app, who = form_input(acts.Close), app_context(), viewer()
    now = app.clock()
    outcome = acts.close(app, who, item_id, given, now)
    if isinstance(outcome, acts.Missing):
        abort(404)
    if isinstance(outcome, Conflict):
        return conflict_page([outcome])
    undo.remember(who, item_id, outcome.version, now)
    return redirect(_to(outcome.following))


@pages.post("/queue/<int:item_id>/undo")
@needs(Permission.ANSWER)
def undo_close(item_id: int) -> Page:
    given, app = form_input(acts.UndoClose), app_context()
    undo.forget(item_id)
    try:
        conflict = acts.undo_close(app, viewer(), item_id, given, app.clock())
    except undo.TooLate:
        flash(
            _("Too late: you can undo this for five minutes only. Take the item again instead."),
            "wrong",
        )
        return redirect(_to(item_id))
    if conflict:
        return conflict_page([conflict])
    flash(_("Undone. The item is assigned to you again."))
    return redirect(_to(item_id))


@pages.post("/queue/<int:item_id>/draft")
@needs(Permission.ANSWER)
def draft(item_id: int) -> Page:
    given, app = form_input(acts.Draft), app_context()
    if acts.save_draft(app, viewer(), item_id, given, app.clock()) is not None:
        abort(404)
    return "", 204


def _to(item_id: int | None) -> str:
    return url_for("queue.queue") if item_id is None else url_for("queue.item", item_id=item_id)
