"""Signing in and out, and the guard that lets a request reach its page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response as AnyResponse

from dashboard.accounts import acts, browser_sessions, people, signed_out
from dashboard.accounts.passwords import TooBusy
from dashboard.accounts.permissions import Permission, declared, needs, public
from dashboard.accounts.throttle import Throttle
from dashboard.frame.app_context import EXTENSION, AppContext, app_context, signed_in, viewer
from dashboard.frame.errors import show
from dashboard.frame.i18n import gettext as _
from dashboard.frame.inputs import form_input, wants_fragment

pages = Blueprint("auth", __name__)

PASSIVE = frozenset({"live.stream", "live.poll", "me.heartbeat"})
"""What a page asks for by itself: it keeps nobody signed in."""

Answer = str | AnyResponse | tuple[str, int]


def set_up(app: Flask) -> None:
    """Guard every request of `app`."""
    data: AppContext = app.extensions[EXTENSION]
    app.extensions["earshot.throttle"] = Throttle(data.sessions, data.readers)
    app.before_request(guard)
    app.register_error_handler(TooBusy, _too_busy)
    app.register_error_handler(CSRFError, _wrong_token)


def _too_busy(_error: TooBusy) -> Answer:
    page, status = show(ServiceUnavailable())
    return Response(page, status, headers={"Retry-After": "5"})


def throttle() -> Throttle:
    """The attempts at the running application."""
    found: Throttle = current_app.extensions["earshot.throttle"]
    return found


def cookie_name() -> str:
    """The cookie's name; browsers bind a `__Host-` cookie to this host, path / and TLS."""
    return "__Host-earshot" if app_context().web.secure_cookies else "earshot"


def guard() -> Answer | None:
    """Find out who asks, and refuse what they may not see."""
    endpoint = request.endpoint
    if endpoint is None or endpoint == "static":
        return None
    permission = declared(current_app.view_functions[endpoint])
    _load_viewer(passive=endpoint in PASSIVE or "X-By-Itself" in request.headers)
    if permission is None:
        return None
    who = signed_in()
    if who is None:
        had_cookie = cookie_name() in request.cookies
        return signed_out.ask_to_sign_in(by_script=wants_fragment(), had_cookie=had_cookie)
    if not who.can(permission):
        abort(403)
    return None


def _wrong_token(_error: CSRFError) -> Answer:
    """A form of another sign-in than the present one, or of none."""
    if request.endpoint == "auth.sign_in":
        email = form_input(acts.SignIn).address
        return _refuse(email, _("This page was open for too long. Please sign in again."), 400)
    _load_viewer(passive=True)
    had_cookie = cookie_name() in request.cookies
    return signed_out.wrong_token(signed_in(), by_script=wants_fragment(), had_cookie=had_cookie)


def _load_viewer(*, passive: bool) -> None:
    token = request.cookies.get(cookie_name(), "")
    if not token:
        return
    now = app_context().clock()
    with app_context().readers.begin() as reading:
        found = browser_sessions.find(reading, token, now)
    if found is None:
        return
    g.viewer = found.viewer
    if not passive and abs(now - found.session_seen_at) >= browser_sessions.TOUCH:
        with app_context().sessions.begin() as writing:
            browser_sessions.touch(writing, token, now)
            browser_sessions.attend(writing, found.viewer, now, acted=True)


@pages.get("/login")
@public
def login() -> Answer:
    if signed_in() is not None:
        return redirect(_next() or url_for("home.home"))
    said = _("You have been signed out. Sign in to continue.") if "ended" in request.args else ""
    return render_template("login.html", email="", error="", next=_next(), said=said)


@pages.post("/login")
@public
def sign_in() -> Answer:
    given, app = form_input(acts.SignIn), app_context()
    now = app.clock()
    match acts.sign_in(app, throttle(), given, request.remote_addr or "", now):
        case acts.Throttled(pause):
            app.metrics.add("sign_ins", outcome="throttled")
            return _refuse(given.address, too_many(pause), 429)
        case acts.WrongPassword():
            app.metrics.add("sign_ins", outcome="wrong")
            return _refuse(given.address, _("Wrong e-mail or password."), 422)
        case person_id:
            app.metrics.add("sign_ins", outcome="right")
            return _enter(person_id, now)


def too_many(pause: timedelta) -> str:
    seconds = int(pause.total_seconds()) + 1
    return _("Too many attempts. Try again in %(seconds)d s.", seconds=seconds)


def _refuse(email: str, message: str, status: int) -> Answer:
    return render_template("login.html", email=email, error=message, next=_next(), said=""), status


@pages.get("/signin/<token>")
@public
def link(token: str) -> Answer:
    """A page with a button: the preview of a link in a chat must not use it up."""
    return render_template("signin_link.html", token=token, error="")


@pages.post("/signin/<token>")
@public
def follow_link(token: str) -> Answer:
    now = app_context().clock()
    with app_context().sessions.begin() as writing:
        person_id = people.use_sign_in_link(writing, token, now)
    if person_id is None:
        message = _("This link has expired or was already used. Ask for a new one, or sign in.")
        return render_template("signin_link.html", token=token, error=message), 410
    return _enter(person_id, now)


def _enter(person_id: int, now: datetime) -> Answer:
    """Begin a session under a new token, whatever the browser held before."""
    with app_context().sessions.begin() as writing:
        old = request.cookies.get(cookie_name(), "")
        if old:
            browser_sessions.end(writing, old)
        agent = request.headers.get("User-Agent", "")
        token = browser_sessions.begin(writing, person_id, agent, now)
    if token is None:
        message = _("You don't belong to a brand yet. Ask an admin to add you.")
        return _refuse("", message, 403)
    session.clear()
    return signed_in_as(token, _next() or url_for("home.home"))


def signed_in_as(token: str, page: str) -> Response:
    """Go on with `page` in the session of `token`."""
    answer = cast("Response", redirect(page))
    answer.set_cookie(
        cookie_name(),
        token,
        max_age=browser_sessions.ABSOLUTE,
        secure=app_context().web.secure_cookies,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return answer


def _next() -> str:
    """Where to go after signing in: only a path of this site."""
    return signed_out.local_path(request.values.get("next", ""))


@pages.post("/logout")
@needs(Permission.USE_DESK)
def logout() -> Answer:
    with app_context().sessions.begin() as writing:
        browser_sessions.end(writing, request.cookies[cookie_name()])
    session.clear()
    answer = redirect(url_for("auth.login"))
    answer.delete_cookie(
        cookie_name(), secure=app_context().web.secure_cookies, httponly=True, samesite="Lax"
    )
    return answer


@pages.post("/brand")
@needs(Permission.USE_DESK)
def switch_brand() -> Answer:
    brand = form_input(acts.SwitchBrand).brand
    if brand not in viewer().brands:
        abort(403)
    with app_context().sessions.begin() as writing:
        browser_sessions.switch_brand(writing, request.cookies[cookie_name()], brand)
    flash(_("Switched to %(brand)s.", brand=brand))
    return redirect(url_for("home.home"))
