"""What a role may do, and what a page needs. The guard in `dashboard.accounts.auth` compares them.

A view without a declaration is refused, so that a forgotten decorator fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import ParamSpec, TypeVar

from earshot.domain import Role


class Permission(StrEnum):
    USE_DESK = "use the desk"
    READ_ITEMS = "read items"
    TRIAGE = "triage"
    CORRECT = "correct labels"
    ANSWER = "answer"
    EXPORT = "export items"
    SEE_BOARD = "see the board"
    SEE_HEALTH = "see the health of sources"
    SEE_DEAD = "see dead letters"
    SETTLE_DEAD = "retry or drop dead letters"


P = Permission
_EVERYONE = frozenset({P.USE_DESK, P.READ_ITEMS})
_OVERSIGHT = frozenset({P.SEE_BOARD, P.SEE_HEALTH, P.SEE_DEAD, P.EXPORT})

GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.LISTENER: _EVERYONE | {P.TRIAGE, P.CORRECT, P.SEE_HEALTH},
    Role.RESPONDER: _EVERYONE | {P.ANSWER, P.CORRECT},
    Role.MANAGER: _EVERYONE | _OVERSIGHT | {P.TRIAGE, P.CORRECT},
    Role.ADMIN: _EVERYONE | _OVERSIGHT | {P.TRIAGE, P.CORRECT, P.SETTLE_DEAD},
}

_MARK = "__permission__"
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")
_View = Callable[_Args, _Result]


def granted(roles: Iterable[Role]) -> frozenset[Permission]:
    """All that the roles together may do."""
    return frozenset().union(*(GRANTS[role] for role in roles))


def needs(permission: Permission) -> Callable[[_View[_Args, _Result]], _View[_Args, _Result]]:
    """Declare that a view is for signed-in people who hold `permission` in the brand in view."""

    def mark(view: _View[_Args, _Result]) -> _View[_Args, _Result]:
        setattr(view, _MARK, permission)
        return view

    return mark


def public(view: _View[_Args, _Result]) -> _View[_Args, _Result]:
    """Declare that a view is for everybody, signed in or not."""
    setattr(view, _MARK, None)
    return view


class Undeclared(Exception):
    """A view says neither which permission it needs nor that it is public."""


def declared(view: Callable[..., object]) -> Permission | None:
    """The permission that a view needs; None when it is public. Raises Undeclared."""
    try:
        return getattr(view, _MARK)  # type: ignore[no-any-return]  # set by needs() and public()
    except AttributeError:
        name = getattr(view, "__name__", repr(view))
        raise Undeclared(
            f"the view {name} declares no permission; decorate it with @needs or @public"
        ) from None
