"""Every sentence passes here: gettext of the request's language, typed."""

from __future__ import annotations

import flask_babel
from flask import Flask

from dashboard.frame.app_context import signed_in

LOCALES = {
    "en": "English",
    "en_GB": "English (United Kingdom)",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
}
"""How numbers and dates may be written; sentences follow where a catalogue exists."""


def gettext(message: str, **values: object) -> str:
    """`message` in the reader's language, with `%(name)s` filled from `values`."""
    return str(flask_babel.gettext(message, **values))


def ngettext(one: str, many: str, num: int, **values: object) -> str:
    """Singular or plural by `num`, which is also filled in as `%(num)s`."""
    return str(flask_babel.ngettext(one, many, num, **values))


def lazy(message: str) -> str:
    """Mark a sentence of a table for translation; translate it where it is shown."""
    return message


def set_up(app: Flask) -> None:
    """Choose language and zone by the person who is signed in."""

    def locale() -> str:
        who = signed_in()
        return who.locale if who and who.locale in LOCALES else "en"

    def zone() -> str:
        who = signed_in()
        return who.timezone.key if who else "UTC"

    flask_babel.Babel(app, locale_selector=locale, timezone_selector=zone)
