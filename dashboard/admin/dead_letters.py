"""Dead letters: what could not be handled, to be read, retried or dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from msgspec import Meta
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import gettext as _
from dashboard.frame.i18n import ngettext
from dashboard.frame.inputs import Input, Number, form_input
from earshot.log import dead_letters
from earshot.log.dead_letters import DeadLetter, readable

pages = Blueprint("dead", __name__)

SIZE = 50


class Chosen(Input, frozen=True, kw_only=True):
    """The dead letters to settle: those of one page at most. None is an answer, too."""

    id: Annotated[tuple[Number, ...], Meta(max_length=SIZE)] = ()


@pages.get("/admin/dead")
@needs(Permission.SEE_DEAD)
def letters() -> str:
    after = request.args.get("after", 0, type=int)
    with app_context().readers.begin() as reading:
        found = dead_letters.waiting(reading, brand=viewer().brand, after=after, limit=SIZE + 1)
    return render_template(
        "dead.html",
        letters=found[:SIZE],
        more=found[SIZE - 1].id if len(found) > SIZE else None,
        first=after == 0,
        may_settle=viewer().can(Permission.SETTLE_DEAD),
    )


@pages.get("/admin/dead/<int:letter_id>")
@needs(Permission.SEE_DEAD)
def letter(letter_id: int) -> str:
    found = _find(letter_id)
    headers = dead_letters.original_headers(found.headers)
    return render_template(
        "dead_letter.html",
        letter=found,
        key=readable(found.key, 200),
        value=readable(found.value),
        headers={name: readable(value.encode(), 400) for name, value in headers.items()},
        may_settle=viewer().can(Permission.SETTLE_DEAD),
    )


def _find(letter_id: int) -> DeadLetter:
    with app_context().readers.begin() as reading:
        found = dead_letters.find(reading, viewer().brand, letter_id)
    return found or abort(404)


@pages.post("/admin/dead/retry")
@needs(Permission.SETTLE_DEAD)
def retry() -> Response:
    done = _settle(dead_letters.want_retry)
    flash(ngettext("Retrying %(num)d dead letter.", "Retrying %(num)d dead letters.", done))
    return redirect(url_for("dead.letters"))


@pages.post("/admin/dead/drop")
@needs(Permission.SETTLE_DEAD)
def drop() -> Response:
    done = _settle(dead_letters.drop)
    flash(ngettext("%(num)d dead letter dropped.", "%(num)d dead letters dropped.", done))
    return redirect(url_for("dead.letters"))


def _settle(act: Callable[..., int]) -> int:
    """Carry out `act` on the letters that the form names; how many that were."""
    given, who, app = form_input(Chosen), viewer(), app_context()
    if not given.id:
        flash(_("Select at least one dead letter."), "wrong")
    with app.sessions.begin() as writing:
        return act(writing, given.id, who.actor, app.clock(), brand=who.brand)
