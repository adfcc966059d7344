"""Verdicts from a page or a script: what they send, and what each is answered."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import ngettext
from dashboard.frame.inputs import form_input, wants_fragment
from dashboard.thread.conflicts import conflict_page
from dashboard.triage import acts
from dashboard.triage.views import place_of_request

pages = Blueprint("triage_acts", __name__)

Answer = Response | tuple[str, int] | tuple[dict[str, object], int]


@pages.post("/triage/act")
@needs(Permission.TRIAGE)
def act() -> Answer:
    given, app = form_input(acts.Decide), app_context()
    match acts.decide(app, viewer(), given, app.clock(), client=_client()):
        case acts.Refused(message):
            return _refused(message)
        case acts.Decided() as outcome:
            return _answer(given.action, outcome)


@pages.post("/triage/undo")
@needs(Permission.TRIAGE)
def undo() -> Answer:
    given, app = form_input(acts.Undo), app_context()
    return _answer("undo", acts.undo(app, viewer(), given, app.clock(), client=_client()))


def _client() -> str:
    """The browser tab that acts, which is not told of it again."""
    return request.headers.get("X-Client", "")[:40]


def _refused(message: str) -> Answer:
    if wants_fragment():
        answer: dict[str, object] = {"error": message}
        return answer, 422
    flash(message, "wrong")
    return redirect(f"/triage?{place_of_request().query()}")


def _answer(act: str, outcome: acts.Decided) -> Answer:
    """What became of each item: for a script as values, else as the page to go on with."""
    done, conflicts = outcome.done, outcome.conflicts
    if wants_fragment():
        answer: dict[str, object] = {
            "done": [{"id": str(item), "version": version} for item, version in done],
            "conflicts": [{"id": str(one.item_id), "words": one.words} for one in conflicts],
        }
        return answer, 200 if done else 409
    if not done:
        return conflict_page(conflicts)
    for one in conflicts:
        flash(one.words, "wrong")
    flash(_said(act, len(done)))
    tokens = "" if act == "undo" else ",".join(f"{item}:{version}" for item, version in done)
    following = request.values.get("next", "")
    more = {"item": following if following.isdigit() else "", "undo": tokens[:2000]}
    return redirect(f"/triage?{place_of_request().query(**more)}")


def _said(act: str, n: int) -> str:
    match act:
        case "done":
            return ngettext("%(num)d done.", "%(num)d done.", n)
        case "not_us":
            return ngettext("%(num)d marked as not relevant.", "%(num)d marked as not relevant.", n)
        case "snooze":
            return ngettext("%(num)d snoozed.", "%(num)d snoozed.", n)
        case "assign":
            return ngettext("%(num)d assigned.", "%(num)d assigned.", n)
        case _:
            return ngettext("%(num)d decision undone.", "%(num)d decisions undone.", n)
