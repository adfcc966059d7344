"""A person's own settings, their sessions, and whether they are on duty."""

from __future__ import annotations

from zoneinfo import available_timezones

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from dashboard.accounts import acts, browser_sessions, people
from dashboard.accounts.auth import cookie_name, signed_in_as, throttle, too_many
from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import LOCALES
from dashboard.frame.i18n import gettext as _
from dashboard.frame.inputs import form_input

pages = Blueprint("me", __name__)


def _page(error: str = "", status: int = 200) -> tuple[str, int]:
    token = request.cookies[cookie_name()]
    with app_context().readers.begin() as reading:
        listed = browser_sessions.sessions_of(reading, viewer().person_id, app_context().clock())
    page = render_template(
        "me.html",
        zones=sorted(available_timezones()),
        locales=LOCALES,
        themes=acts.THEMES,
        listed=listed,
        this=browser_sessions.public_key(people.token_hash(token)),
        error=error,
    )
    return page, status


@pages.get("/me")
@needs(Permission.USE_DESK)
def me() -> tuple[str, int]:
    return _page()


@pages.post("/me")
@needs(Permission.USE_DESK)
def change() -> Response | tuple[str, int]:
    if not acts.change_settings(app_context(), viewer(), form_input(acts.ChangeSettings)):
        return _page(_("Choose a time zone, a format and a theme from the lists."), 422)
    flash(_("Saved."))
    return redirect(url_for("me.me"))


@pages.post("/me/password")
@needs(Permission.USE_DESK)
def change_password() -> Response | tuple[str, int]:
    app = app_context()
    outcome = acts.change_password(
        app,
        throttle(),
        viewer(),
        form_input(acts.ChangePassword),
        address=request.remote_addr or "",
        agent=request.headers.get("User-Agent", ""),
        now=app.clock(),
    )
    match outcome:
        case acts.Throttled(pause):
            return _page(too_many(pause), 429)
        case acts.WrongPassword():
            return _page(_("The current password is wrong."), 422)
        case acts.TooWeak():
            return _page(_("A password needs 10 to 256 characters."), 422)
        case token:
            flash(_("Password changed. Other browsers were signed out."))
            return signed_in_as(token, url_for("me.me"))


@pages.post("/me/sessions/<key>")
@needs(Permission.USE_DESK)
def revoke(key: str) -> Response:
    with app_context().sessions.begin() as writing:
        if not browser_sessions.revoke(writing, viewer().person_id, key):
            abort(404)
    flash(_("That browser is signed out."))
    return redirect(url_for("me.me"))


@pages.post("/me/duty")
@needs(Permission.ANSWER)
def duty() -> Response:
    given, app = form_input(acts.Duty), app_context()
    acts.set_duty(app, viewer(), given, app.clock())
    flash(_("You are on duty.") if given.on_duty else _("You are off duty."))
    return redirect(url_for("queue.queue"))


@pages.post("/me/heartbeat")
@needs(Permission.USE_DESK)
def heartbeat() -> tuple[str, int]:
    """A visible page says each half minute that its person is there."""
    with app_context().sessions.begin() as writing:
        browser_sessions.attend(writing, viewer(), app_context().clock(), acted=False)
    return "", 204
