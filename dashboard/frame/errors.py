"""Pages for what went wrong, with a request id that the log has too."""

from __future__ import annotations

import logging
import secrets

from flask import Flask, Response, current_app, g, render_template
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError

from dashboard.frame.i18n import gettext as _
from dashboard.frame.i18n import lazy
from dashboard.frame.inputs import BadInput, wants_fragment

log = logging.getLogger(__name__)

TITLES = {
    400: lazy("Bad request"),
    403: lazy("You don't have access to this page"),
    404: lazy("Page not found"),
    405: lazy("Not allowed here"),
    409: lazy("Somebody else changed this first"),
    413: lazy("Request too large"),
    429: lazy("Too many requests"),
    500: lazy("Something went wrong"),
    503: lazy("Too busy right now"),
}
ADVICE = {
    400: lazy("Go back, reload the page and try again. The form may have been open for too long."),
    403: lazy("Ask an admin for access, or switch to another brand."),
    404: lazy("The address may be wrong, or the page may belong to another brand."),
    409: lazy("Go back and reload to see what changed. Your change was not saved."),
    429: lazy("Wait a moment, then try again."),
    503: lazy("Many people are signing in right now. Try again in a few seconds."),
    500: lazy("Try again. If it happens again, give an admin the request ID below."),
}


def set_up(app: Flask) -> None:
    """Number every request, and answer every error with a page that names the number."""

    @app.before_request
    def number_request() -> None:
        g.request_id = secrets.token_hex(8)

    @app.after_request
    def say_number(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        return response

    app.register_error_handler(HTTPException, show)
    app.register_error_handler(BadInput, refuse)
    app.register_error_handler(Exception, broke)


def broke(error: Exception) -> tuple[str, int]:
    """An error that nobody expected: logged whole, shown only as a number."""
    request_id = g.get("request_id", "")
    log.error("request failed", exc_info=error, extra={"request_id": request_id})
    if current_app.testing:
        raise error
    return show(InternalServerError())


def refuse(error: BadInput) -> tuple[str, int]:
    """A form whose field can't be used: its name, its value, and what it should be."""
    found = _(
        "The field “%(field)s” is “%(value)s”: %(why)s. Nothing was changed. Reload the page and"
        " try again.",
        field=error.field,
        value=error.value,
        why=error.why,
    )
    return show(BadRequest(), found)


def show(error: HTTPException, advice: str = "") -> tuple[str, int]:
    """The page, or for a script only its pane; `advice` in place of what is said by default."""
    status = error.code or 500
    title = TITLES.get(status, error.name)
    usual = ADVICE.get(status, "")
    page = render_template(
        "_error.html" if wants_fragment() else "error.html",
        status=status,
        title=_(title),
        advice=advice or (_(usual) if usual else ""),
        request_id=g.get("request_id", ""),
    )
    return page, status
