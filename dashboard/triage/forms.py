"""Verdicts as forms: what a person decided, on one item or on many, and taking it back."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from dashboard.accounts.auth import wants_fragment
from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.converters import column_number
from dashboard.frame.i18n import ngettext
from dashboard.thread.conflicts import who_did_what
from dashboard.triage import assignees, verdicts
from dashboard.triage.snooze import NoSuchTime, until
from dashboard.triage.verdicts import Done, NotAMember, NotUs, Snooze, ToPerson, ToTeam, Verdict
from dashboard.triage.views import Place, place_of_request
from earshot.items.lifecycle import Forbidden, Stale

pages = Blueprint("triage_acts", __name__)

AT_ONCE = 200

Answer = Response | tuple[str, int] | tuple[dict[str, object], int]


@pages.post("/triage/act")
@needs(Permission.TRIAGE)
def act() -> Answer:
    """Carry out one verdict on some items, each on its own: a conflict stops only its item."""
    place, now = place_of_request(), app_context().clock()
    asked = _items()
    try:
        verdict = _verdict()
    except NoSuchTime as error:
        return _refused(str(error), 422)
    client = request.headers.get("X-Client", "")[:40]
    done, conflicts = [], []
    with app_context().sessions.begin() as writing:
        for item_id, version in asked:
            try:
                with writing.begin_nested():
                    new = verdicts.decide(
                        writing, viewer(), item_id, version, verdict, now, client=client
                    )
                done.append((item_id, new))
            except (Stale, Forbidden):
                conflicts.append((item_id, who_did_what(writing, item_id)))
            except NotAMember as error:
                return _refused(str(error), 422)
    return _outcome(verdict.name, done, conflicts, place)


@pages.post("/triage/undo")
@needs(Permission.TRIAGE)
def undo() -> Answer:
    """Take back one's own last verdicts."""
    place, now = place_of_request(), app_context().clock()
    client = request.headers.get("X-Client", "")[:40]
    done, conflicts = [], []
    with app_context().sessions.begin() as writing:
        for item_id, version in _items():
            try:
                with writing.begin_nested():
                    new = verdicts.undo(writing, viewer(), item_id, version, now, client=client)
                done.append((item_id, new))
            except (Stale, Forbidden):
                conflicts.append((item_id, who_did_what(writing, item_id)))
    return _outcome("undo", done, conflicts, place)


def _items() -> list[tuple[int, int]]:
    """The items of a form as pairs of id and version.

    In the order of their ids, so that two who act on the same items wait in one direction.
    """
    pairs = []
    for part in request.form.getlist("item"):
        number, _sep, version = part.partition(":")
        try:
            pairs.append((column_number(number), column_number(version)))
        except ValueError:
            abort(400)
    if not 0 < len(pairs) <= AT_ONCE:
        abort(400)
    return sorted(pairs)


def _verdict() -> Verdict:
    match request.form.get("action", ""):
        case "done":
            return Done()
        case "not_us":
            return NotUs()
        case "snooze":
            choice, on = request.form.get("until", ""), request.form.get("on", "")
            return Snooze(until(choice, on, app_context().clock(), viewer().timezone))
        case "assign":
            return _answerer()
        case _:
            return abort(400)


def _answerer() -> ToTeam | ToPerson:
    kind, _sep, name = request.form.get("target", "").partition(":")
    if kind == "team" and name:
        with app_context().readers.begin() as reading:
            known = {team.name for team in assignees.teams(reading, viewer().brand)}
        if name in known:
            return ToTeam(name)
    if kind == "person":
        try:
            return ToPerson(viewer().person_id if name == "me" else column_number(name))
        except ValueError:
            abort(400)
    return abort(400)


def _refused(message: str, status: int) -> Answer:
    if wants_fragment():
        answer: dict[str, object] = {"error": message}
        return answer, status
    flash(message, "wrong")
    return redirect(f"/triage?{place_of_request().query()}")


def _outcome(
    act: str, done: list[tuple[int, int]], conflicts: list[tuple[int, str]], place: Place
) -> Answer:
    """What became of each item: for a script as values, else as the page to go on with."""
    if wants_fragment():
        answer: dict[str, object] = {
            "done": [{"id": str(item), "version": version} for item, version in done],
            "conflicts": [{"id": str(item), "words": words} for item, words in conflicts],
        }
        return answer, 200 if done else 409
    if done:
        for _item, words in conflicts:
            flash(words, "wrong")
    tokens = ""
    if done:
        flash(_said(act, len(done)))
        tokens = "" if act == "undo" else ",".join(f"{item}:{version}" for item, version in done)
    following = request.form.get("next", "")
    if conflicts and not done:
        return render_template("conflict.html", conflicts=conflicts), 409
    more = {"item": following if following.isdigit() else "", "undo": tokens[:2000]}
    return redirect(f"/triage?{place.query(**more)}")


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
