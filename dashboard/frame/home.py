"""The first page of a person, and the ways between pages."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import viewer
from dashboard.frame.i18n import lazy
from earshot.domain import Role

pages = Blueprint("home", __name__)

HOME = (
    (Role.LISTENER, "/triage"),
    (Role.RESPONDER, "/queue"),
    (Role.MANAGER, "/board"),
    (Role.ADMIN, "/admin/health"),
)
"""By the first role that a person has: work comes before numbers."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the navigation: where to, in which word, by which key after `g`."""

    path: str
    label: str
    permission: Permission
    key: str = ""


NAVIGATION = (
    NavItem("/triage", lazy("Triage"), Permission.TRIAGE, "t"),
    NavItem("/queue", lazy("My queue"), Permission.ANSWER, "q"),
    NavItem("/board", lazy("Board"), Permission.SEE_BOARD, "b"),
    NavItem("/items", lazy("Items"), Permission.READ_ITEMS, "i"),
    NavItem("/admin/health", lazy("Sources"), Permission.SEE_HEALTH),
    NavItem("/admin/dead", lazy("Dead letters"), Permission.SEE_DEAD),
)


@pages.get("/")
@needs(Permission.USE_DESK)
def home() -> Response:
    roles = viewer().roles
    for role, path in HOME:
        if role in roles:
            return redirect(path)
    return redirect(url_for("items.explore"))
