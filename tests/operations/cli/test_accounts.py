"""`earshot person`: people are added, changed, listed, disabled and enabled by command."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from dashboard.accounts import people
from earshot.database import db, schema
from earshot.database.tables import EventRow, MembershipRow
from earshot.runtime import connect
from earshot.settings import Settings
from operations.cli import main
from operations.cli.up import prepare
from tests.operations.test_cli import ROOT, bare

Person = Callable[..., Result]


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    home = tmp_path / "home"
    monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(home)))
    monkeypatch.chdir(ROOT)
    schema.upgrade(connect.open_database(Settings(home=str(home))))

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, ["person", *words])

    return call


def add_ana(person: Person, *words: str) -> Result:
    return person("add", "Ana@Example.org", "Ana", "--brand", "acme", "--role", "responder", *words)


def rows(tmp_path: Path) -> tuple[MembershipRow, list[str]]:
    engine = connect.open_database(Settings(home=str(tmp_path / "home")))
    with db.open_sessions(engine)() as session:
        place = session.scalars(select(MembershipRow)).one()
        kinds = list(session.scalars(select(EventRow.kind).order_by(EventRow.seq)))
    engine.dispose()
    return place, kinds


def test_an_account_is_added_listed_disabled_and_enabled(person: Person, tmp_path: Path) -> None:
    assert add_ana(person, "--team", "care").exit_code == 0
    admin = person("add", "mia@example.org", "Mia", "--brand", "acme", "--role", "admin")
    assert admin.exit_code == 0
    assert person("list").output.splitlines() == [
        "ana@example.org  Ana  active  acme: responder (care)",
        "mia@example.org  Mia  active  acme: admin",
    ]
    closed = person("disable", "ana@example.org")
    assert closed.output == (
        "ana@example.org is disabled: 0 browsers signed out, 0 items returned to the queue\n"
    )
    assert "Ana  disabled  acme: responder (care)" in person("list").output
    link = person("link", "ana@example.org")
    assert link.exit_code == 1
    assert "open it with `earshot person enable ana@example.org`" in link.output
    assert person("disable", "ana@example.org").output == "ana@example.org is already disabled\n"
    assert person("enable", "ana@example.org").output == "ana@example.org is enabled\n"
    assert "/signin/" in person("link", "ana@example.org").output


def test_the_last_admin_is_refused_with_the_remedy(person: Person) -> None:
    person("add", "mia@example.org", "Mia", "--brand", "acme", "--role", "admin")
    refused = person("disable", "mia@example.org")
    assert refused.exit_code == 1
    assert "nobody else is an admin of acme; make somebody one first with" in refused.output


def test_an_unknown_address_is_refused(person: Person) -> None:
    for command in ("disable", "enable"):
        refused = person(command, "nobody@example.org")
        assert refused.exit_code == 1
        assert "nobody@example.org has no account; `earshot person list` names all" in (
            refused.output
        )


def test_adding_a_known_person_again_changes_nothing_and_says_what_would(
    person: Person, tmp_path: Path
) -> None:
    add_ana(person, "--team", "care", "--lang", "es")
    again = person("add", "ana@example.org", "Ana", "--brand", "acme", "--role", "listener")
    assert again.exit_code == 1
    assert (
        "ana@example.org already belongs to acme. Nothing was changed; add --change to set"
        " roles: responder → listener" in again.output
    )
    place, _ = rows(tmp_path)
    assert (place.roles, place.teams, place.langs) == (["responder"], ["care"], ["es"])


def test_with_change_what_is_said_is_changed_and_the_rest_stays(
    person: Person, tmp_path: Path
) -> None:
    add_ana(person, "--team", "care", "--lang", "es", "--slots", "2")
    changed = add_ana(person, "--team", "tech", "--change")
    assert changed.output == "changed for ana@example.org in acme: teams: care → tech\n"
    place, kinds = rows(tmp_path)
    assert (place.teams, place.langs, place.slots) == (["tech"], ["es"], 2)
    assert kinds == ["person.added", "person.changed"]
    said = add_ana(person, "--change").output
    assert said == "ana@example.org already belongs to acme; nothing to change\n"


def test_a_person_without_a_language_speaks_english(person: Person, tmp_path: Path) -> None:
    add_ana(person)
    assert rows(tmp_path)[0].langs == ["en"]


def test_a_disabled_owner_gets_no_link_at_the_next_start(person: Person, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path / "home"), brands=str(ROOT / "config" / "brands"))
    assert prepare(settings, terminal=True)
    person("add", "mia@example.org", "Mia", "--brand", "acme", "--role", "admin")
    assert person("disable", "you@localhost").exit_code == 0
    assert prepare(settings, terminal=True) == ""


def test_no_link_goes_into_a_log_once_the_owner_has_signed_in(
    person: Person, tmp_path: Path
) -> None:
    settings = Settings(home=str(tmp_path / "home"), brands=str(ROOT / "config" / "brands"))
    assert prepare(settings, terminal=False)
    token = prepare(settings, terminal=False)
    assert token
    sessions = db.open_sessions(connect.open_database(settings))
    with sessions.begin() as session:
        assert people.use_sign_in_link(session, token, datetime.now(UTC)) is not None
    sessions.kw["bind"].dispose()
    assert prepare(settings, terminal=False) == ""
    assert prepare(settings, terminal=True)
    assert "/signin/" in person("link", "you@localhost").output
