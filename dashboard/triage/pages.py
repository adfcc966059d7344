"""Triage: what nobody has decided on yet, as a list with a detail pane."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import gettext as _
from dashboard.frame.inputs import column_number, wants_fragment
from dashboard.lists import item_pages
from dashboard.lists.filters import parse
from dashboard.lists.item_pages import Conditions, Key
from dashboard.thread.item_detail import pane
from dashboard.triage import assignees, views
from dashboard.triage.snooze import Until, until
from dashboard.triage.views import VIEWS, Place, View, place_of_request
from earshot.database.tables import ItemRow, SourceHealthRow

pages = Blueprint("triage", __name__)

_IDS = 200

Answer = str | Response


def _conditions(place: Place) -> tuple[View, Conditions, tuple[str, ...]]:
    view, asked = VIEWS[place.view], parse(place.q)
    conditions = Conditions(asked, viewer(), sentiment=view.sentiment)
    conditions.flag = view.flag
    return view, conditions, asked.problems


@pages.get("/triage")
@needs(Permission.TRIAGE)
def triage() -> Answer:
    place = place_of_request()
    view, conditions, problems = _conditions(place)
    brand, after = viewer().brand, Key.parse(request.args.get("after", ""))
    with app_context().readers.begin() as reading:
        found = item_pages.page(reading, brand, (view.state,), conditions, after=after)
        if wants_fragment():
            return render_template("_triage_rows.html", page=found, place=place)
        chosen = request.args.get("item", type=column_number)
        return render_template(
            "triage.html",
            place=place,
            page=found,
            problems=problems,
            views=VIEWS,
            counts=views.counts(reading, brand),
            pane=pane(reading, viewer(), chosen) if chosen else None,
            after_this=_next_of(found.lines, chosen),
            troubled=_troubled(reading, brand),
            undo=request.args.get("undo", ""),
        )


def _next_of(lines: tuple[item_pages.ItemLine, ...], chosen: int | None) -> int | None:
    """The item below the chosen one, where a verdict without a script leads to."""
    ids = [line.id for line in lines]
    if chosen not in ids:
        return None
    return next(iter(ids[ids.index(chosen) + 1 :]), None)


def _troubled(session: Session, brand: str) -> list[SourceHealthRow]:
    """Sources that don't deliver: they are in the side bar, not in a message that goes."""
    rows = session.scalars(
        select(SourceHealthRow)
        .where(SourceHealthRow.brand == brand, SourceHealthRow.state != "ok")
        .order_by(SourceHealthRow.source)
    )
    return list(rows)


@pages.get("/triage/rows")
@needs(Permission.TRIAGE)
def rows() -> Answer:
    """The named items as rows, as far as they are in this view."""
    place = place_of_request()
    view, conditions, _problems = _conditions(place)
    try:
        ids = [column_number(part) for part in request.args.get("ids", "").split(",")[:_IDS]]
    except ValueError:
        abort(400)
    with app_context().readers.begin() as reading:
        lines = reading.execute(
            select(*item_pages.columns())
            .where(
                ItemRow.id.in_(ids),
                ItemRow.brand == viewer().brand,
                ItemRow.state == view.state,
                *conditions.on(ItemRow),
            )
            .order_by(ItemRow.clock_started_at.desc(), ItemRow.id.desc())
        ).all()
    page = item_pages.Page(tuple(item_pages.line_of(line) for line in lines), None)
    return render_template("_triage_rows.html", page=page, place=place)


@pages.get("/triage/<int:item_id>")
@needs(Permission.TRIAGE)
def detail(item_id: int) -> Answer:
    """The detail pane of an item; without a script, triage with the item open."""
    place = place_of_request()
    if not wants_fragment():
        return redirect(f"/triage?{place.query(item=item_id)}")
    with app_context().readers.begin() as reading:
        found = pane(reading, viewer(), item_id)
        if found is None:
            abort(404)
        return render_template("_detail.html", pane=found, place=place, after_this=None)


@pages.get("/triage/assign")
@needs(Permission.TRIAGE)
def choose_answerer() -> Answer:
    brand = viewer().brand
    with app_context().readers.begin() as reading:
        return _choice(
            "_assign.html",
            _("Assign"),
            teams=assignees.teams(reading, brand),
            responders=assignees.responders(reading, brand, app_context().clock()),
            suggested=request.args.get("suggested", ""),
        )


@pages.get("/triage/snooze")
@needs(Permission.TRIAGE)
def choose_time() -> Answer:
    now, zone = app_context().clock(), viewer().timezone
    times = {str(choice): until(choice, "", now, zone) for choice in Until if choice != Until.DATE}
    return _choice("_snooze.html", _("Snooze until"), times=times)


def _choice(part: str, title: str, **values: object) -> str:
    """A list to choose from, as a dialog's content or as a page of its own."""
    items = request.args.getlist("item")[:_IDS]
    template = part if wants_fragment() else "choice.html"
    return render_template(
        template,
        whole=not wants_fragment(),
        part=part,
        title=title,
        items=items,
        place=place_of_request(),
        **values,
    )
