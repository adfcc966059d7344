"""Sending, withdrawing and retrying replies as forms."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, flash, redirect, url_for
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.answering import acts, queries
from dashboard.answering.pages import show
from dashboard.answering.replies import AlreadyPending, Outcome, Queued, Refused
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.formats import ago_words
from dashboard.frame.i18n import gettext as _
from dashboard.frame.inputs import form_input
from dashboard.thread import audit
from dashboard.thread.conflicts import conflict_on, conflict_page

pages = Blueprint("replies", __name__)

Page = str | Response | tuple[str, int]


@pages.post("/queue/<int:item_id>/send")
@needs(Permission.ANSWER)
def send(item_id: int) -> Page:
    """Queue a reply and go on with the next item; what was typed is never lost."""
    given, app = form_input(acts.Send), app_context()
    now = app.clock()
    match acts.send(app, viewer(), item_id, given, now):
        case acts.Changed():
            notice = _("The item has changed. Read the thread again. Your text is saved.")
            return show(item_id, status=409, notice=notice, text=given.text)
        case outcome:
            return _answer(item_id, outcome, given.text, now)


def _answer(item_id: int, outcome: Outcome, text: str, now: datetime) -> Page:
    match outcome:
        case Queued(reply_id, not_before):
            with app_context().readers.begin() as reading:
                groups = queries.held_by(reading, viewer(), now)
            following = queries.following(groups, item_id)
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


@pages.post("/replies/<int:reply_id>/withdraw")
@needs(Permission.ANSWER)
def withdraw(reply_id: int) -> Page:
    given, app = form_input(acts.ChangeReply), app_context()
    outcome = acts.withdraw(app, viewer(), reply_id, app.clock())
    return _changed(outcome, given.item, _("Not sent. Your text is a draft again."))


@pages.post("/replies/<int:reply_id>/edit")
@needs(Permission.ANSWER)
def edit(reply_id: int) -> Page:
    given, app = form_input(acts.ChangeReply), app_context()
    outcome = acts.edit(app, viewer(), reply_id, app.clock())
    return _changed(outcome, given.item, _("Your text is a draft again."))


@pages.post("/replies/<int:reply_id>/retry")
@needs(Permission.ANSWER)
def retry(reply_id: int) -> Page:
    given, app = form_input(acts.Retry), app_context()
    outcome = acts.retry(app, viewer(), reply_id, given, app.clock())
    return _changed(outcome, given.item, _("The reply is queued again."))


def _changed(outcome: int | acts.Changed, item_id: int | None, said: str) -> Page:
    """Back to the item of the reply, or what is said to one who came too late."""
    if isinstance(outcome, int):
        flash(said)
        return redirect(url_for("queue.item", item_id=outcome))
    flash(_("Too late: the reply has changed since."), "wrong")
    if item_id is None:
        return redirect(url_for("queue.queue"))
    return conflict_page([conflict_on(app_context(), viewer(), item_id)])
