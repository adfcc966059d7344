"""Every route declares what it needs; what a role may not see, it does not get."""

from __future__ import annotations

import pytest
from flask import Flask

from dashboard.accounts.permissions import (
    GRANTS,
    Permission,
    Undeclared,
    declared,
    granted,
    needs,
    public,
)
from earshot.domain import Role
from tests.dashboard.world import World


def test_every_view_declares_the_permission_it_needs(world: World) -> None:
    views = [
        (rule.endpoint, world.app.view_functions[rule.endpoint])
        for rule in world.app.url_map.iter_rules()
        if rule.endpoint != "static"
    ]
    assert len(views) > 20
    for _endpoint, view in views:
        declared(view)


def test_a_view_without_a_declaration_is_refused(world: World) -> None:
    def forgotten() -> str:
        return "secret"

    app: Flask = world.app
    app.add_url_rule("/forgotten", view_func=forgotten)
    with pytest.raises(Undeclared, match="forgotten declares no permission"):
        world.browser("alice").get("/forgotten")


def test_only_signing_in_is_public(world: World) -> None:
    everybody = {
        rule.rule
        for rule in world.app.url_map.iter_rules()
        if rule.endpoint != "static" and declared(world.app.view_functions[rule.endpoint]) is None
    }
    assert everybody == {"/login", "/signin/<token>"}


def test_roles_add_up() -> None:
    both = granted([Role.LISTENER, Role.RESPONDER])
    assert both == GRANTS[Role.LISTENER] | GRANTS[Role.RESPONDER]
    assert granted([]) == frozenset()


def test_a_declaration_leaves_the_view_as_it_is() -> None:
    @needs(Permission.TRIAGE)
    def view(number: int) -> int:
        return number + 1

    @public
    def other() -> str:
        return "open"

    assert view(1) == 2
    assert declared(view) is Permission.TRIAGE
    assert declared(other) is None
