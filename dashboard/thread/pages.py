"""The permalink of an item: its thread, who did what, and the labels a person may correct."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from dashboard.accounts.auth import wants_fragment
from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.converters import column_number
from dashboard.frame.i18n import gettext as _
from dashboard.thread import audit, corrections
from dashboard.thread.conflicts import who_did_what
from dashboard.thread.item_detail import Pane, pane
from earshot.domain import Sentiment
from earshot.items.lifecycle import Stale

pages = Blueprint("mention", __name__)


@pages.get("/m/<int:item_id>")
@needs(Permission.READ_ITEMS)
def permalink(item_id: int) -> str:
    with app_context().readers.begin() as reading:
        found = pane(reading, viewer(), item_id) or _missing()
        entries = audit.timeline(reading, viewer().brand, item_id)
    return render_template("mention.html", pane=found, entries=entries)


def _missing() -> Pane:
    abort(404)


@pages.post("/m/<int:item_id>/labels")
@needs(Permission.CORRECT)
def correct_labels(item_id: int) -> Response | str | tuple[str, int]:
    who, now = viewer(), app_context().clock()
    topic, sentiment = request.form.get("topic", ""), request.form.get("sentiment", "")
    expect = request.form.get("expect", type=column_number)
    with app_context().readers.begin() as reading:
        before = pane(reading, who, item_id) or _missing()
    known = topic in ("", *before.topics) and sentiment in {s.value for s in Sentiment}
    if expect is None or not known:
        abort(400)
    try:
        with app_context().sessions.begin() as writing:
            corrections.correct(
                writing, who, item_id, expect, topic=topic, sentiment=sentiment, now=now
            )
    except Stale:
        with app_context().readers.begin() as reading:
            words = who_did_what(reading, item_id)
        return render_template("conflict.html", conflicts=[(item_id, words)]), 409
    if wants_fragment():
        with app_context().readers.begin() as reading:
            return render_template("_labels.html", pane=pane(reading, who, item_id) or _missing())
    flash(_("Labels corrected. The model learns from this the next time it is trained."))
    return redirect(url_for("mention.permalink", item_id=item_id))
