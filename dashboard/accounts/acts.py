"""What people do with their own account: sign in, change it, go on and off duty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import select, update

from dashboard.accounts import browser_sessions, people
from dashboard.accounts.passwords import WeakPassword, verify
from dashboard.accounts.throttle import Throttle
from dashboard.frame.app_context import AppContext, Viewer
from dashboard.frame.i18n import LOCALES
from dashboard.frame.inputs import Input
from earshot.database.tables import MembershipRow, PersonRow
from earshot.items import lifecycle
from earshot.items.events import EventKind

THEMES = ("auto", "light", "dark")

EMAIL_LIMIT = 254
"""The longest address that can be delivered to (RFC 5321, 4.5.3.1.3)."""


class SignIn(Input, frozen=True, kw_only=True):
    """An e-mail address, of which at most 254 characters count, and a password."""

    email: str = ""
    password: str = ""

    @property
    def address(self) -> str:
        """The address as it is stored."""
        return people.normal_email(self.email)[:EMAIL_LIMIT]


class SwitchBrand(Input, frozen=True, kw_only=True):
    """The slug of another brand of the person's."""

    brand: str = ""


class ChangeSettings(Input, frozen=True, kw_only=True):
    """How the desk looks to a person; `single_keys` lets one key act."""

    timezone: str = ""
    locale: str = ""
    theme: str = ""
    single_keys: bool = False


class ChangePassword(Input, frozen=True, kw_only=True):
    """The password in use, which may be none yet, and the one to use."""

    present: str = ""
    new: str = ""


class Duty(Input, frozen=True, kw_only=True):
    """Whether the person takes work."""

    on_duty: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many attempts failed: the next counts after `pause`."""

    pause: timedelta


@dataclass(frozen=True, slots=True)
class WrongPassword:
    """It is not the password in use, or nobody has the address."""


@dataclass(frozen=True, slots=True)
class TooWeak:
    """The new password is too short or too long."""


def sign_in(
    app: AppContext, throttle: Throttle, given: SignIn, address: str, now: datetime
) -> int | Throttled | WrongPassword:
    """The id of the person who signs in from the network `address`.

    Takes as long for an address that nobody has. Raises TooBusy.
    """
    pause = throttle.attempt(address, given.address, now)
    if pause:
        return Throttled(pause)
    with app.readers.begin() as reading:
        person = reading.execute(
            select(PersonRow.id, PersonRow.password_hash).where(
                PersonRow.email == given.address, PersonRow.active
            )
        ).first()
    right = verify(given.password, person.password_hash if person else "")
    if person is None or not right:
        return WrongPassword()
    throttle.succeeded(address, given.address)
    return int(person.id)


def change_settings(app: AppContext, who: Viewer, given: ChangeSettings) -> bool:
    """Keep a person's settings; False when one of them is not in its list."""
    known = given.timezone in available_timezones() and given.locale in LOCALES
    if not known or given.theme not in THEMES:
        return False
    with app.sessions.begin() as writing:
        writing.execute(
            update(PersonRow)
            .where(PersonRow.id == who.person_id)
            .values(
                timezone=ZoneInfo(given.timezone).key,
                locale=given.locale,
                theme=given.theme,
                single_keys=given.single_keys,
            )
        )
    return True


def change_password(
    app: AppContext,
    throttle: Throttle,
    who: Viewer,
    given: ChangePassword,
    address: str,
    agent: str,
    now: datetime,
) -> str | Throttled | WrongPassword | TooWeak:
    """Set a new password and sign out everywhere, so that a stolen session ends with it.

    The token of a new session of the browser `agent`, which may be empty. Raises TooBusy.
    """
    with app.readers.begin() as reading:
        before = reading.scalar(
            select(PersonRow.password_hash).where(PersonRow.id == who.person_id)
        )
    if before:
        # who found an open browser shall not find out the password there
        pause = throttle.attempt(address, who.email, now)
        if pause:
            return Throttled(pause)
        if not verify(given.present, before):
            return WrongPassword()
        throttle.succeeded(address, who.email)
    try:
        with app.sessions.begin() as writing:
            people.set_password(writing, who.person_id, given.new)
            lifecycle.record(writing, who.brand, now, who.actor, EventKind.PERSON_PASSWORD, [{}])
            return browser_sessions.begin(writing, who.person_id, agent, now) or ""
    except WeakPassword:
        return TooWeak()


def set_duty(app: AppContext, who: Viewer, given: Duty, now: datetime) -> None:
    """Go on or off duty in the brand in view: the router offers work only to people on duty."""
    with app.sessions.begin() as writing:
        writing.execute(
            update(MembershipRow)
            .where(MembershipRow.brand == who.brand, MembershipRow.person_id == who.person_id)
            .values(on_duty=given.on_duty, seen_at=now)
        )
        event = {
            "subject": str(who.person_id),
            "before": {"on_duty": who.on_duty},
            "after": {"on_duty": given.on_duty},
        }
        lifecycle.record(writing, who.brand, now, who.actor, EventKind.PERSON_DUTY, [event])
