"""How values are shown in templates: times in the reader's zone, numbers, labels in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from babel.dates import format_datetime
from babel.numbers import format_decimal, format_percent
from flask import Flask, request
from markupsafe import Markup

from dashboard.frame import deadlines, home
from dashboard.frame.app_context import app_context, signed_in
from dashboard.frame.i18n import gettext as _
from dashboard.frame.i18n import lazy
from dashboard.thread.audit import plain
from earshot.domain import ItemState, ReplyState, Role, Sentiment
from earshot.items import reply_length
from earshot.items.reply_length import ReplyLength

RELATIVE = timedelta(hours=24)

STATES: Mapping[str, str] = {
    ItemState.NEW: lazy("New"),
    ItemState.QUEUED: lazy("Queued"),
    ItemState.ASSIGNED: lazy("Assigned"),
    ItemState.ANSWERING: lazy("Being answered"),
    ItemState.AWAITING_APPROVAL: lazy("Awaiting approval"),
    ItemState.SENDING: lazy("Sending"),
    ItemState.ANSWERED: lazy("Answered"),
    ItemState.CLOSED: lazy("Closed"),
    ItemState.SNOOZED: lazy("Snoozed"),
    ItemState.DISMISSED: lazy("Dismissed"),
    ItemState.EXPIRED: lazy("Expired"),
}
REPLY_STATES: Mapping[str, str] = {
    ReplyState.AWAITING_APPROVAL: lazy("awaiting approval"),
    ReplyState.QUEUED: lazy("queued"),
    ReplyState.SENDING: lazy("sending"),
    ReplyState.SENT: lazy("sent, waiting for confirmation"),
    ReplyState.CONFIRMED: lazy("confirmed"),
    ReplyState.UNKNOWN: lazy("not sure it arrived: checking the thread"),
    ReplyState.FAILED: lazy("failed"),
    ReplyState.WITHDRAWN: lazy("withdrawn"),
    ReplyState.DELETED: lazy("deleted"),
}
SENTIMENTS: Mapping[str, tuple[str, str]] = {
    Sentiment.POSITIVE: ("▲", lazy("Positive")),
    Sentiment.NEUTRAL: ("■", lazy("Neutral")),
    Sentiment.NEGATIVE: ("▼", lazy("Negative")),
}
ROLES: Mapping[str, str] = {
    Role.LISTENER: lazy("listener"),
    Role.RESPONDER: lazy("responder"),
    Role.MANAGER: lazy("manager"),
    Role.ADMIN: lazy("admin"),
}
BADGES: Mapping[str, str] = {
    deadlines.Level.OVERDUE: lazy("Overdue %(left)s"),
    deadlines.Level.RISK: lazy("At risk %(left)s"),
    deadlines.Level.LATER: lazy("Due in %(left)s"),
}
FAR_BADGES: Mapping[str, str] = {
    deadlines.Level.RISK: lazy("At risk, due %(at)s"),
    deadlines.Level.LATER: lazy("Due %(at)s"),
}
"""For deadlines a day or more away."""


def set_up(app: Flask) -> None:
    """Give templates their filters and what every page shows."""
    app.jinja_env.filters.update(
        when=when,
        moment=moment,
        number=number,
        share=share,
        state_words=lambda state: _(STATES.get(state, state)),
        reply_words=lambda state: _(REPLY_STATES.get(state, state)),
        role_words=lambda role: _(ROLES.get(role, role)),
        sentiment_words=lambda value: _(SENTIMENTS[value][1]) if value in SENTIMENTS else value,
        # `_()` of Jinja takes its argument for safe HTML and for a format: sentences only
        translated=_,
        web_url=web_url,
        duration=deadlines.duration,
        reply_used=reply_used,
        stored_length=reply_length.stored,
        plain=plain,
        sentiment_sign=lambda value: SENTIMENTS[value][0] if value in SENTIMENTS else "",
    )
    app.jinja_env.globals.update(sla=sla)
    app.context_processor(shell)


def reply_used(text: str, length: ReplyLength) -> str:
    """How much of its length a reply uses, as `composer.js` shows it."""
    used, bound = reply_length.tightest(text, length)
    return f"{used} / {bound.limit}"


def shell() -> dict[str, object]:
    """What the frame around every page needs."""
    who = signed_in()
    navigation = [entry for entry in home.NAVIGATION if who and who.can(entry.permission)]
    return {
        "viewer": who,
        "navigation": navigation,
        "here": next((e.path for e in navigation if _is_below(request.path, e.path)), ""),
        "script_words": script_words(),
        "server_now": int(app_context().clock().timestamp()),
    }


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def script_words() -> dict[str, str]:
    """Sentences for scripts, which read them from the page: `%(name)s` is filled in there."""
    return {
        "overdue": _("Overdue %(left)s"),
        "risk": _("At risk %(left)s"),
        "later": _("Due in %(left)s"),
        "risk_far": _("At risk, due %(at)s"),
        "later_far": _("Due %(at)s"),
        "select_all": _("Select all %(n)s"),
        "conn_connecting": _("Connecting"),
        "conn_live": _("Live"),
        "conn_reconnecting": _("Reconnecting"),
        "conn_polling": _("Every 10 s"),
        "conn_signed_out": _("Signed out"),
        "signed_out": _("You have been signed out. Nothing was sent or changed."),
        "sign_in": _("Sign in"),
        "goes_out": _("Sending your reply in %(seconds)s s"),
        "going_out": _("Sending your reply …"),
        "saved": _("Draft saved"),
        "not_saved": _("Draft not saved to the server; this browser has a copy"),
        "undo": _("Undo"),
        "retry": _("Retry"),
        "dismiss": _("Dismiss"),
        "undone": _("Undone."),
        "failed": _("Could not save. Nothing was changed."),
        "new": _("%(n)s new: press . to show"),
        "assign": _("%(n)s assigned"),
        "done": _("%(n)s done"),
        "snooze": _("%(n)s snoozed"),
        "not_us": _("%(n)s marked as not relevant"),
        "selected": _("%(n)s selected"),
        "became_overdue": _("One of your items is overdue."),
        "confirm_many": _("This changes %(n)s items at once. Continue?"),
        "nothing_to_undo": _("Nothing to undo."),
    }


def _place() -> tuple[str, str]:
    who = signed_in()
    return (who.locale, who.timezone.key) if who else ("en", "UTC")


def moment(value: datetime) -> str:
    """An absolute time in the reader's zone, with the zone's name."""
    who = signed_in()
    locale, _zone = _place()
    return format_datetime(
        value, "d MMM y, HH:mm z", tzinfo=who.timezone if who else None, locale=locale
    )


def when(value: datetime | None) -> Markup:
    """A `<time>`: how long ago within a day, the date after; the whole on hover."""
    if value is None:
        return Markup("")
    age = app_context().clock() - value
    words = ago_words(age) if timedelta(0) <= age < RELATIVE else moment(value)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), moment(value), words
    )


def ago_words(age: timedelta) -> str:
    """How long ago, in words, for less than a day."""
    minutes = int(age.total_seconds()) // 60
    if minutes < 1:
        return _("just now")
    if minutes < 60:  # noqa: PLR2004 -- an hour
        return _("%(n)d min ago", n=minutes)
    return _("%(n)d h ago", n=minutes // 60)


def web_url(url: str) -> str:
    """A link from outside if it leads to the web, else nothing: `javascript:` is one too."""
    return url if url.startswith(("https://", "http://")) else ""


def number(value: float) -> str:
    """A number with the reader's separators."""
    return format_decimal(value, locale=_place()[0])


def share(value: float) -> str:
    """A probability as whole per cent."""
    return format_percent(value, "0 %", locale=_place()[0])


def sla(due_at: datetime | None, target_s: int) -> Markup:
    """The badge of a deadline; the page's clock keeps it true. Nothing without a deadline."""
    found = deadlines.badge(due_at, target_s, app_context().clock())
    if found is None:
        return Markup("")
    at = _due_words(found.due)
    words = FAR_BADGES.get(found.level) if found.far else None
    return Markup(
        '<span class="sla {}" data-due="{}" data-risk="{}" data-at="{}">{}</span>'
    ).format(
        found.level,
        found.due,
        found.risk_s,
        at,
        _(words, at=at) if words else _(BADGES[found.level], left=found.left),
    )


def _due_words(due: int) -> str:
    """A deadline, in seconds since 1970, as weekday or date with the time, in the reader's zone."""
    who = signed_in()
    pattern = deadlines.time_pattern(due - app_context().clock().timestamp())
    at = datetime.fromtimestamp(due, UTC)
    return format_datetime(at, pattern, tzinfo=who.timezone if who else None, locale=_place()[0])
