"""A person's own settings, their sessions, and whether they are on duty."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select, update
from werkzeug.wrappers import Response

from dashboard.accounts import browser_sessions, people
from dashboard.accounts.auth import cookie_name, throttle, too_many
from dashboard.accounts.passwords import WeakPassword, verify
from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import LOCALES
from dashboard.frame.i18n import gettext as _
from earshot.database.tables import MembershipRow, PersonRow
from earshot.items import lifecycle
from earshot.items.events import EventKind

pages = Blueprint("me", __name__)

THEMES = ("auto", "light", "dark")


def _page(error: str = "", status: int = 200) -> tuple[str, int]:
    token = request.cookies[cookie_name()]
    with app_context().readers.begin() as reading:
        listed = browser_sessions.sessions_of(reading, viewer().person_id, app_context().clock())
    page = render_template(
        "me.html",
        zones=sorted(available_timezones()),
        locales=LOCALES,
        themes=THEMES,
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
    zone = request.form.get("timezone", "")
    locale = request.form.get("locale", "")
    theme = request.form.get("theme", "")
    if zone not in available_timezones() or locale not in LOCALES or theme not in THEMES:
        return _page(_("Choose a time zone, a format and a theme from the lists."), 422)
    with app_context().sessions.begin() as writing:
        writing.execute(
            update(PersonRow)
            .where(PersonRow.id == viewer().person_id)
            .values(
                timezone=ZoneInfo(zone).key,
                locale=locale,
                theme=theme,
                single_keys=request.form.get("single_keys") == "on",
            )
        )
    flash(_("Saved."))
    return redirect(url_for("me.me"))


@pages.post("/me/password")
@needs(Permission.USE_DESK)
def change_password() -> Response | tuple[str, int]:
    """Set a new password: signs out everywhere, so that a stolen session ends with it."""
    who, now = viewer(), app_context().clock()
    with app_context().readers.begin() as reading:
        before = reading.scalar(
            select(PersonRow.password_hash).where(PersonRow.id == who.person_id)
        )
    address = request.remote_addr or ""
    if before:
        # who found an open browser shall not find out the password there
        pause = throttle().attempt(address, who.email, now)
        if pause:
            return _page(too_many(pause), 429)
        if not verify(request.form.get("present", ""), before):
            return _page(_("The current password is wrong."), 422)
        throttle().succeeded(address, who.email)
    agent = request.headers.get("User-Agent", "")
    try:
        with app_context().sessions.begin() as writing:
            people.set_password(writing, who.person_id, request.form.get("new", ""))
            lifecycle.record(writing, who.brand, now, who.actor, EventKind.PERSON_PASSWORD, [{}])
            token = browser_sessions.begin(writing, who.person_id, agent, now)
    except WeakPassword:
        return _page(_("A password needs 10 to 256 characters."), 422)
    flash(_("Password changed. Other browsers were signed out."))
    answer = redirect(url_for("me.me"))
    answer.set_cookie(
        cookie_name(),
        token or "",
        max_age=browser_sessions.ABSOLUTE,
        secure=app_context().web.secure_cookies,
        httponly=True,
        samesite="Lax",
    )
    return answer


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
    """Go on or off duty in the brand in view: the router offers work only to people on duty."""
    who, now = viewer(), app_context().clock()
    on_duty = request.form.get("on_duty") == "on"
    with app_context().sessions.begin() as writing:
        writing.execute(
            update(MembershipRow)
            .where(MembershipRow.brand == who.brand, MembershipRow.person_id == who.person_id)
            .values(on_duty=on_duty, seen_at=now)
        )
        event = {
            "subject": str(who.person_id),
            "before": {"on_duty": who.on_duty},
            "after": {"on_duty": on_duty},
        }
        lifecycle.record(writing, who.brand, now, who.actor, EventKind.PERSON_DUTY, [event])
    flash(_("You are on duty.") if on_duty else _("You are off duty."))
    return redirect(url_for("queue.queue"))


@pages.post("/me/heartbeat")
@needs(Permission.USE_DESK)
def heartbeat() -> tuple[str, int]:
    """A visible page says each half minute that its person is there."""
    with app_context().sessions.begin() as writing:
        browser_sessions.attend(writing, viewer(), app_context().clock(), acted=False)
    return "", 204
