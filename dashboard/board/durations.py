"""Durations and periods in words, as a manager reads them."""

from __future__ import annotations

from datetime import date

from babel.dates import format_interval, format_skeleton
from babel.numbers import format_percent

from dashboard.board.response_stats import AgeBar
from dashboard.frame.app_context import viewer
from dashboard.frame.i18n import gettext as _


def duration(seconds: float) -> str:
    """A duration: `under 1 min`, `14 min`, `2 h 05 min`, `3 d 4 h`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return _("under 1 min") if seconds else _("0 min")
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return _("%(n)d min", n=minutes)
    days, rest = divmod(hours, 24)
    if days > 1:
        return _("%(d)d d %(h)d h", d=days, h=rest) if rest else _("%(d)d d", d=days)
    return _("%(h)d h %(m)02d min", h=hours, m=minutes) if minutes else _("%(h)d h", h=hours)


def age_words(bar: AgeBar) -> str:
    """The ages of a bar."""
    if bar.to_s is None:
        return _("over %(start)s", start=duration(bar.from_s))
    if bar.from_s == 0:
        return _("under %(end)s", end=duration(bar.to_s))
    return _("%(start)s to %(end)s", start=duration(bar.from_s), end=duration(bar.to_s))


def exact_share(value: float) -> str:
    """A share of one in per cent with one decimal, as the reader writes numbers."""
    return format_percent(value, "0.0 %", locale=viewer().locale)


def period(first: str, last: str) -> str:
    """The days from `first` to `last`, two ISO dates, as the reader writes them.

    Either may be empty: the period then has no bound on that side.
    """
    locale = viewer().locale
    if first and last and first != last:
        days = date.fromisoformat(first), date.fromisoformat(last)
        return format_interval(*days, "MMMd", locale=locale)
    day = first or last
    shown = format_skeleton("MMMd", date.fromisoformat(day), locale=locale) if day else ""
    if first == last:
        return shown
    return _("from %(day)s", day=shown) if first else _("until %(day)s", day=shown)
