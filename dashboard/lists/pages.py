"""The explorer: what is behind every number, as a list and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, stream_with_context
from sqlalchemy.orm import Session

from dashboard.accounts.permissions import Permission, needs
from dashboard.board import backlog_counts
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.deadlines import Level
from dashboard.frame.inputs import column_number, wants_fragment
from dashboard.lists import closed_clocks, due, item_pages, spreadsheet
from dashboard.lists.closed_clocks import ClockLine
from dashboard.lists.filters import parse
from dashboard.lists.item_pages import Conditions, ItemLine, Key
from dashboard.lists.item_questions import FLAGS, WITHOUT, Question, question
from dashboard.triage import assignees
from earshot.domain import ItemState, Sentiment
from earshot.items import lifecycle

pages = Blueprint("items", __name__)

Listed = tuple[ItemLine, ClockLine | None]

_EXPORT_SIZE = 500
_COLUMNS = (
    "id",
    "state",
    "platform",
    "source",
    "author_name",
    "author_handle",
    "reach",
    "lang",
    "topic",
    "sentiment",
    "intent",
    "urgency",
    "team",
    "clock_started_at",
    "due_at",
    "answered_at",
    "preview",
)


def _question() -> Question:
    return question(request.args, request.args.getlist("state"))


def _conditions(asked: Question) -> Conditions:
    found = Conditions(
        parse(asked.q),
        viewer(),
        team=asked.team,
        topic=asked.topic,
        sentiment=asked.sentiment,
        platform=asked.platform,
        source=asked.source,
    )
    found.flag, found.without = asked.flag_bit, asked.without_bit
    found.slots = (asked.slot_from, asked.slot_to)
    if asked.due:
        found.due = (Level(asked.due), app_context().clock())
    return found


def _narrowed(asked: Question) -> Conditions:
    """What a list of closed clocks asks of their items: the clocks know the rest."""
    found = Conditions(parse(asked.q), viewer(), sentiment=asked.sentiment, source=asked.source)
    found.flag = asked.flag_bit
    return found


def _count(session: Session, asked: Question) -> int | None:
    """The number of the roll-up; None when no roll-up knows the question."""
    if not asked.countable:
        return None
    if asked.of_clocks:
        return closed_clocks.count(session, viewer().brand, asked)
    if asked.due:
        return due.count(session, viewer().brand, Level(asked.due), app_context().clock()).n
    return backlog_counts.open_items(
        session,
        viewer().brand,
        asked.states,
        team=asked.team,
        sentiment=asked.sentiment,
        flag=asked.flag_bit,
        without=asked.without_bit,
        slots=(asked.slot_from, asked.slot_to),
    )


@pages.get("/items")
@needs(Permission.READ_ITEMS)
def explore() -> str:
    asked, brand = _question(), viewer().brand
    with app_context().readers.begin() as reading:
        if asked.of_clocks:
            after = request.args.get("after", type=column_number)
            clocks = closed_clocks.page(
                reading, brand, asked, after=after, narrowed=_narrowed(asked)
            )
            listed: list[Listed] = [(line.item, line) for line in clocks.lines]
            more = str(clocks.more) if clocks.more else ""
        else:
            key = Key.parse(request.args.get("after", ""))
            found = item_pages.page(reading, brand, asked.states, _conditions(asked), after=key)
            listed = [(line, None) for line in found.lines]
            more = str(found.more) if found.more else ""
        values = {
            "asked": asked,
            "listed": listed,
            "address": _address(asked),
            "older": _address(asked, after=more) if more else "",
        }
        if wants_fragment():
            return render_template("_item_rows.html", **values)
        return render_template(
            "items.html",
            **values,
            count=_count(reading, asked),
            teams=assignees.teams(reading, brand),
            states=list(ItemState),
            open_states=lifecycle.OPEN,
            sentiments=list(Sentiment),
            flags=[*FLAGS, *WITHOUT],
            problems=parse(asked.q).problems,
        )


def _address(asked: Question, **more: str) -> str:
    return urlencode([*asked.parameters(), *more.items()])


@pages.get("/items.csv")
@needs(Permission.EXPORT)
def export() -> Response:
    """All items of the question, written as they are read: a page of rows at a time.

    A filter that is not understood is answered with the page that says why.
    """
    asked = _question()
    if parse(asked.q).problems:
        return Response(explore(), 422)
    rows = ([getattr(line, name) for name in _COLUMNS] for line in _all(asked))
    body = (line.encode() for line in spreadsheet.lines(_COLUMNS, rows))
    return Response(
        stream_with_context(body),
        mimetype="text/csv",
        headers={"Content-Disposition": 'attachment; filename="items.csv"'},
    )


def _all(asked: Question) -> Iterator[ItemLine]:
    """Every item of the question; each page in a short transaction of its own."""
    brand = viewer().brand
    clock: int | None = None
    key: Key | None = None
    while True:
        with app_context().readers.begin() as reading:
            if asked.of_clocks:
                clocks = closed_clocks.page(
                    reading,
                    brand,
                    asked,
                    after=clock,
                    narrowed=_narrowed(asked),
                    size=_EXPORT_SIZE,
                )
                lines, clock = tuple(line.item for line in clocks.lines), clocks.more
            else:
                found = item_pages.page(
                    reading, brand, asked.states, _conditions(asked), after=key, size=_EXPORT_SIZE
                )
                lines, key = found.lines, found.more
        yield from lines
        if clock is None and key is None:
            return
