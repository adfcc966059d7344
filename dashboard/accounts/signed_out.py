"""What a request gets that came too late: after its sign-in had ended, or another had begun.

Nothing of such a request is carried out, and every answer says so. A form's token ends with
the sign-in it was made in, so a token that does not fit is the same situation.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.answering import unsent
from dashboard.frame.app_context import Viewer, app_context
from dashboard.frame.i18n import gettext as _
from dashboard.frame.inputs import form_input

Answer = str | AnyResponse | tuple[str, int]

_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
"""A path with its query. Browsers read a backslash as a slash, and drop tabs and line ends."""


def local_path(wanted: str) -> str:
    """`wanted` if it is a page of this desk to go on with after signing in, else nothing."""
    if not _LOCAL.fullmatch(wanted) or wanted == "/":
        return ""
    parts = urlsplit(wanted)
    here = not parts.scheme and not parts.netloc
    outside = parts.path.startswith(("/login", "/logout", "/signin/"))
    return wanted if here and not outside else ""


def ask_to_sign_in(*, by_script: bool, had_cookie: bool) -> Answer:
    """The answer to a request of nobody."""
    if by_script:
        return _to_script(401)
    if request.method == "GET":
        here = local_path(request.full_path.rstrip("?"))
        return redirect(url_for("auth.login", next=here or "/", ended=1 if had_cookie else None))
    kept = _keep()
    page = render_template(
        "login.html", email="", error="", next=_back(kept), said=_nothing_done(kept)
    )
    return page, 401


def wrong_token(who: Viewer | None, *, by_script: bool, had_cookie: bool) -> Answer:
    """The answer to a form whose token is not of this sign-in."""
    if who is None:
        return ask_to_sign_in(by_script=by_script, had_cookie=had_cookie)
    if by_script:
        return _to_script(400)
    kept = _keep()
    if kept is not None and kept.person_id == who.person_id:
        return redirect(_back(kept))
    said = _nothing_done(kept, who)
    return render_template("other_sign_in.html", said=said, next=_back(None)), 400


def _keep() -> unsent.Kept | None:
    app = app_context()
    return unsent.keep(app, form_input(unsent.Unsent), app.clock())


def _to_script(status: int) -> Answer:
    """A script can't follow a redirect of a part of a page: it is told where to sign in."""
    login = url_for("auth.login", next=_page_of_request() or None)
    return Response(status=status, headers={"HX-Redirect": login})


def _page_of_request() -> str:
    """The page on which the request was made; empty when the browser doesn't tell, or lies."""
    parts = urlsplit(request.headers.get("Referer", ""))
    if parts.netloc != request.host:
        return ""
    return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def _back(kept: unsent.Kept | None) -> str:
    if kept is None:
        return _page_of_request()
    return url_for("queue.item", item_id=kept.item_id, unsent=1)


def _nothing_done(kept: unsent.Kept | None, who: Viewer | None = None) -> str:
    """What became of the form, to nobody or to another than its writer."""
    if kept is not None and who is not None:
        return _("Nothing was sent. The text was saved as a draft for the person who wrote it.")
    if kept is not None:
        return _(
            "You had been signed out. Nothing was sent. "
            "Your text was saved as a draft: you will find it when you sign in."
        )
    if request.endpoint == "replies.send":
        return _("You had been signed out. Nothing was sent.")
    return _("You had been signed out. Nothing was changed: sign in and try again.")
