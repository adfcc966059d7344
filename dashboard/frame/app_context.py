"""What every page works with, and who is looking: values carried by the application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast
from zoneinfo import ZoneInfo

from flask import current_app, g

from dashboard.accounts.permissions import Permission
from earshot.brand import Brand
from earshot.database.db import Sessions
from earshot.domain import Role
from earshot.runtime.metrics import Metrics

EXTENSION = "earshot"


class WebSettings(Protocol):
    """The settings of the web server that pages depend on."""

    @property
    def secret_key(self) -> str: ...
    @property
    def secure_cookies(self) -> bool: ...
    @property
    def proxies(self) -> int: ...
    @property
    def undo_send_s(self) -> int: ...
    @property
    def threads(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """`sessions` write, `readers` only read; `clock` answers the time now, aware and in UTC."""

    sessions: Sessions
    readers: Sessions
    brands: Mapping[str, Brand]
    web: WebSettings
    clock: Callable[[], datetime]
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The person who is signed in, with the brand in view and what they may do there."""

    person_id: int
    name: str
    email: str
    brand: str
    brands: tuple[str, ...]
    roles: frozenset[Role]
    teams: tuple[str, ...]
    permissions: frozenset[Permission]
    timezone: ZoneInfo
    locale: str
    theme: str
    single_keys: bool
    on_duty: bool

    @property
    def actor(self) -> str:
        """How events name this person."""
        return f"person:{self.person_id}"

    def can(self, permission: Permission) -> bool:
        return permission in self.permissions


def app_context() -> AppContext:
    """The desk of the running application."""
    return cast("AppContext", current_app.extensions[EXTENSION])


def signed_in() -> Viewer | None:
    """Who is looking, or None on pages for everybody."""
    return cast("Viewer | None", g.get("viewer"))


def viewer() -> Viewer:
    """Who is looking. Raises RuntimeError on a page that needs no sign-in."""
    found = signed_in()
    if found is None:
        raise RuntimeError("nobody is signed in: a view that asks for the viewer must use @needs")
    return found
