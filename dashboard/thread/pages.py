"""The permalink of an item: its thread, who did what, and the labels a person may correct."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import gettext as _
from dashboard.frame.inputs import form_input, wants_fragment
from dashboard.thread import acts, audit
from dashboard.thread.conflicts import Conflict, conflict_page
from dashboard.thread.item_detail import Pane, pane

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
    given, app = form_input(acts.CorrectLabels), app_context()
    outcome = acts.correct_labels(app, viewer(), item_id, given, app.clock())
    if outcome is None:
        abort(404)
    if isinstance(outcome, Conflict):
        return conflict_page([outcome])
    if wants_fragment():
        return render_template("_labels.html", pane=outcome)
    flash(_("Labels corrected. The model learns from this the next time it is trained."))
    return redirect(url_for("mention.permalink", item_id=item_id))
