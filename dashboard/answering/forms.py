"""Sending, withdrawing and retrying replies as forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.answering import queries, replies, reply_changes
from dashboard.answering.pages import conflict, following_item, show
from dashboard.answering.replies import AlreadyPending, Outcome, Queued, Refused, Written
from dashboard.frame.app_context import Viewer, app_context, viewer
from dashboard.frame.converters import column_number
from dashboard.frame.formats import ago_words
from dashboard.frame.i18n import gettext as _
from dashboard.thread import audit
from earshot.domain import ItemState
from earshot.items import assignments
from earshot.items.lifecycle import Forbidden, Stale

pages = Blueprint("replies", __name__)

Page = str | Response | tuple[str, int]


@pages.post("/queue/<int:item_id>/send")
@needs(Permission.ANSWER)
def send(item_id: int) -> Page:
    """Queue a reply and go on with the next item; what was typed is never lost."""
    who, now = viewer(), app_context().clock()
    text = request.form.get("text", "").replace("\r\n", "\n")
    revision = request.form.get("mention_revision", type=column_number)
    nonce = request.form.get("nonce", "")
    then = request.form.get("then", ItemState.ANSWERED)
    if revision is None or not nonce or then not in replies.THEN:
        abort(400)
    written = Written(
        item_id=item_id,
        text=text,
        nonce=nonce[:64],
        then=ItemState(then),
        mention_id=request.form.get("mention", ""),
        mention_revision=revision,
    )
    try:
        with app_context().sessions.begin() as writing:
            assignments.accept(writing, who.brand, item_id, who.person_id, now)
            outcome = replies.queue_reply(
                writing, who, written, now=now, undo_s=app_context().web.undo_send_s
            )
    except (Stale, Forbidden):
        notice = _("The item has changed. Read the thread again. Your text is saved.")
        return show(item_id, status=409, notice=notice, text=text)
    return _answer(item_id, outcome, text, now)


def _answer(item_id: int, outcome: Outcome, text: str, now: datetime) -> Page:
    match outcome:
        case Queued(reply_id, not_before):
            with app_context().readers.begin() as reading:
                groups = queries.held_by(reading, viewer(), now)
            following = following_item(groups, item_id)
            at = int(not_before.timestamp())
            if following is None:
                return redirect(url_for("queue.queue", sent=reply_id, at=at))
            return redirect(url_for("queue.item", item_id=following, sent=reply_id, at=at))
        case AlreadyPending():
            return show(item_id, status=409, notice=_other_reply(outcome, now), text=text)
        case Refused(reason, detail):
            status = 409 if reason == "held" else 422
            return show(item_id, status=status, notice=_refusal(reason, detail), text=text)


def _other_reply(other: AlreadyPending, now: datetime) -> str:
    with app_context().readers.begin() as reading:
        name = audit.names_of(reading, [other.person_id]).get(other.person_id, _("Someone"))
    ago = ago_words(now - other.created_at)
    return _(
        "%(name)s answered %(ago)s: “%(text)s” Your text is saved.",
        name=name,
        ago=ago,
        text=other.text[:500],
    )


def _refusal(reason: str, detail: str) -> str:
    match reason:
        case "empty":
            return _("Write a reply first.")
        case "long":
            return _(
                "The reply is too long for the platform: %(n)s. Your text is still here.", n=detail
            )
        case "barred":
            return _("The platform does not allow a reply: %(why)s", why=detail)
        case _:
            return _("This item is not assigned to you. Take it first. Your text is saved.")


Act = Callable[[Session, Viewer, int, datetime], int]


def _on_reply(reply_id: int, act: Act, said: str) -> Page:
    try:
        with app_context().sessions.begin() as writing:
            item_id = act(writing, viewer(), reply_id, app_context().clock())
    except (Stale, Forbidden):
        item = request.form.get("item", type=column_number)
        flash(_("Too late: the reply has changed since."), "wrong")
        return conflict(item) if item else (redirect(url_for("queue.queue")))
    flash(said)
    return redirect(url_for("queue.item", item_id=item_id))


@pages.post("/replies/<int:reply_id>/withdraw")
@needs(Permission.ANSWER)
def withdraw(reply_id: int) -> Page:
    return _on_reply(reply_id, reply_changes.withdraw, _("Not sent. Your text is a draft again."))


@pages.post("/replies/<int:reply_id>/edit")
@needs(Permission.ANSWER)
def edit(reply_id: int) -> Page:
    return _on_reply(reply_id, reply_changes.edit_failed, _("Your text is a draft again."))


@pages.post("/replies/<int:reply_id>/retry")
@needs(Permission.ANSWER)
def retry(reply_id: int) -> Page:
    """Try a failed reply again; with `forced`, whatever the check of the context says."""
    forced = request.form.get("forced") == "1"

    def again(session: Session, who: Viewer, reply: int, now: datetime) -> int:
        return reply_changes.retry(session, who, reply, now, forced=forced)

    return _on_reply(reply_id, again, _("The reply is queued again."))
