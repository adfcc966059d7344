"""Whoever gets the database without the keys gets no secret, nor does one row another's."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from earshot.database import db, schema
from earshot.database.tables import CredentialRow, EventRow, Table
from earshot.runtime import connect
from earshot.secrets import credentials, key_file
from earshot.secrets.credentials import LENGTH_LIMIT, put, reveal, rotate
from earshot.secrets.sealing import (
    CredentialError,
    KeyRing,
    Sealed,
    read_ring,
    seal,
    unseal,
    write_ring,
)
from earshot.settings import Settings, SettingsError, load
from operations.cli import main
from operations.cli.sources import build_sources
from tests.builders import NOON
from tests.system import wait_until

SECRET = "canary-4af1c9"
OLD = KeyRing({"old": b"o" * 32})
NEW = KeyRing({"new": b"n" * 32})
BOTH = KeyRing({**NEW.keys, **OLD.keys})
ACTOR = "person:1"


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    engine = db.connect(database_url)
    Table.metadata.create_all(engine)
    with db.open_sessions(engine).begin() as session:
        yield session
    engine.dispose()


def keep(session: Session, *, brand: str = "acme", name: str = "x", secret: str = SECRET) -> None:
    put(session, OLD, brand, name, secret, actor=ACTOR, now=NOON)


# ---------------------------------------------------------------- sealing


@given(
    secret=st.text(max_size=200).filter(lambda s: s.encode("utf-8", "ignore").decode() == s),
    place=st.tuples(st.sampled_from("ab"), st.sampled_from("xy")),
    other=st.tuples(st.sampled_from("ab"), st.sampled_from("xy")),
)
def test_a_sealed_secret_opens_at_its_place_and_at_no_other(
    secret: str, place: tuple[str, str], other: tuple[str, str]
) -> None:
    sealed = seal(OLD, *place, secret, b"n" * 12)
    assert unseal(OLD, *place, sealed) == secret
    if other != place:
        with pytest.raises(CredentialError, match="belongs elsewhere"):
            unseal(OLD, *other, sealed)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_anywhere_is_noticed(at: int, bit: int) -> None:
    sealed = seal(OLD, "acme", "x", SECRET, b"n" * 12)
    whole = bytearray(sealed.nonce + sealed.ciphertext)
    whole[at % len(whole)] ^= 1 << bit
    changed = Sealed("old", bytes(whole[:12]), bytes(whole[12:]))
    with pytest.raises(CredentialError, match="does not open"):
        unseal(OLD, "acme", "x", changed)


def test_a_wrong_key_under_the_right_name_says_what_to_do() -> None:
    sealed = seal(OLD, "acme", "x", SECRET, b"n" * 12)
    with pytest.raises(CredentialError, match=r"does not open .* Give the right key"):
        unseal(KeyRing({"old": b"?" * 32}), "acme", "x", sealed)
    with pytest.raises(CredentialError, match=r"'old', which is not among new: add that key"):
        unseal(NEW, "acme", "x", sealed)


def test_a_key_s_name_is_authenticated_too() -> None:
    twice = KeyRing({"a": b"k" * 32, "b": b"k" * 32})
    sealed = seal(twice, "acme", "x", SECRET, b"n" * 12)
    with pytest.raises(CredentialError):
        unseal(twice, "acme", "x", replace(sealed, key_id="b"))


def test_a_ring_is_written_as_it_is_read_and_never_printed() -> None:
    assert read_ring(write_ring(BOTH), "here").keys == BOTH.keys
    assert read_ring(write_ring(BOTH).replace("\n", ", "), "here").first == "new"
    assert "nnn" not in f"{BOTH!r}{BOTH}"


@pytest.mark.parametrize(
    "text", ["", "a", "a:b", "a:" + "AAAA" * 8, ":" + "A" * 43 + "=", "ü:" + "A" * 43 + "="]
)
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        read_ring(f"{text},{SECRET}", "credentials.keys")
    assert SECRET not in str(caught.value)
    with pytest.raises(CredentialError, match="twice"):
        read_ring(write_ring(OLD) * 2, "credentials.keys")


# ---------------------------------------------------------------- rows


def test_what_is_kept_is_revealed_and_replaced(session: Session) -> None:
    keep(session)
    keep(session, secret="other")
    assert reveal(session, OLD, "acme", "x") == "other"
    assert len(credentials.listed(session)) == 1


def test_a_row_that_was_swapped_with_another_is_refused(session: Session) -> None:
    keep(session, name="x")
    keep(session, name="y", secret="harmless")
    rows = {row.name: row for row in session.scalars(select(CredentialRow))}
    stolen = {"nonce": rows["x"].nonce, "ciphertext": rows["x"].ciphertext}
    session.execute(update(CredentialRow).where(CredentialRow.name == "y").values(**stolen))
    with pytest.raises(CredentialError, match="belongs elsewhere"):
        reveal(session, OLD, "acme", "y")


def test_a_row_that_was_given_to_another_brand_is_refused(session: Session) -> None:
    keep(session)
    session.execute(update(CredentialRow).values(brand="zen"))
    with pytest.raises(CredentialError, match="belongs elsewhere"):
        reveal(session, OLD, "zen", "x")


def test_a_credential_of_another_brand_is_none(session: Session) -> None:
    keep(session)
    with pytest.raises(CredentialError, match="there is no credential 'x' of zen"):
        reveal(session, OLD, "zen", "x")


def test_rotation_seals_every_row_anew_and_needs_the_old_key_no_more(session: Session) -> None:
    for number in range(5):
        keep(session, name=f"n{number}", secret=f"{SECRET}{number}")
    assert rotate(session, BOTH, actor=ACTOR, now=NOON) == 5
    assert rotate(session, BOTH, actor=ACTOR, now=NOON) == 0
    for number in range(5):
        assert reveal(session, NEW, "acme", f"n{number}") == f"{SECRET}{number}"


@pytest.mark.services
def test_a_secret_that_is_set_during_a_rotation_is_not_lost(new_postgres_database: str) -> None:
    engine = db.connect(new_postgres_database)
    Table.metadata.create_all(engine)
    sessions = db.open_sessions(engine)
    with sessions.begin() as session:
        keep(session)

    def set_anew() -> None:
        with sessions.begin() as session:
            keep(session, secret="newer")

    def has_to_wait() -> bool:
        waiting = text(
            "select count(*) from pg_stat_activity"
            " where wait_event_type = 'Lock' and datname = current_database()"
        )
        with engine.connect() as connection:
            return bool(connection.scalar(waiting))

    with ThreadPoolExecutor(1) as other:
        setting: list[Future[None]] = []

        def between() -> bytes:
            """A nonce, asked for after a row was read and before it is written."""
            setting.append(other.submit(set_anew))
            wait_until(lambda: setting[0].done() or has_to_wait(), 30, "the other to wait")
            return credentials.fresh_nonce()

        with sessions.begin() as session:
            assert rotate(session, BOTH, actor=ACTOR, now=NOON, nonce=between) == 1
        setting[0].result(30)
    with sessions.begin() as session:
        assert reveal(session, BOTH, "acme", "x") == "newer"
    engine.dispose()


def test_rotation_without_the_old_key_changes_nothing(session: Session) -> None:
    keep(session)
    with pytest.raises(CredentialError, match="add that key"):
        rotate(session, NEW, actor=ACTOR, now=NOON)
    session.expire_all()
    assert reveal(session, OLD, "acme", "x") == SECRET


def test_every_nonce_is_fresh(session: Session) -> None:
    for number in range(20):
        keep(session, name=f"n{number}", secret="the same")
    rows = session.scalars(select(CredentialRow)).all()
    assert len({row.nonce for row in rows}) == len({row.ciphertext for row in rows}) == 20


def test_every_change_leaves_an_event_without_the_secret(session: Session) -> None:
    keep(session)
    rotate(session, BOTH, actor=ACTOR, now=NOON)
    credentials.remove(session, "acme", "x", actor=ACTOR, now=NOON)
    events = session.scalars(select(EventRow).order_by(EventRow.seq)).all()
    told = [(e.kind, e.subject, e.actor, e.brand) for e in events]
    kinds = ("credential.set", "credential.rotated", "credential.removed")
    assert told == [(kind, "x", ACTOR, "acme") for kind in kinds]
    assert SECRET not in repr([(e.before, e.after, e.why) for e in events])


@pytest.mark.parametrize(
    ("name", "secret"), [("x", " "), ("x", "s" * (LENGTH_LIMIT + 1)), ("X y", "s"), ("../x", "s")]
)
def test_what_can_t_be_kept_is_refused_without_being_shown(
    session: Session, name: str, secret: str
) -> None:
    with pytest.raises(CredentialError) as caught:
        keep(session, name=name, secret=secret)
    assert secret.strip() not in str(caught.value) or len(secret.strip()) < 2
    assert not credentials.listed(session)


# ---------------------------------------------------------------- the command and the key file

Earshot = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "earshot.toml"
    config.write_text(
        '[sources.x-mentions]\nbrand = "acme"\nkind = "x"\naccount = "acme"\naccount_id = "1"\n'
        'bearer_token = { credential = "x-bearer" }\n'
    )
    made = load(config, {"EARSHOT_HOME": str(tmp_path / "home")})
    schema.upgrade(connect.open_database(made))
    return made


@pytest.fixture
def earshot(settings: Settings) -> Earshot:
    def run(*arguments: str, typed: str = "", **variables: str) -> Result:
        env = {"EARSHOT_HOME": settings.home, **variables}
        runner = CliRunner(env=env)
        return runner.invoke(main, ["credential", *arguments], input=typed)

    return run


def in_database(settings: Settings, text: str) -> bool:
    with sqlite3.connect(settings.home_path / "earshot.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    return text in dump or text.encode().hex() in dump.lower()


def test_the_command_keeps_a_secret_that_nothing_shows(
    earshot: Earshot, settings: Settings, tmp_path: Path
) -> None:
    said = [
        earshot("set", "acme", "x-bearer", typed=f"{SECRET}\n"),
        earshot("list"),
        earshot("rotate", "--new-key"),
        earshot("list"),
    ]
    assert [result.exit_code for result in said] == [0, 0, 0, 0], [r.output for r in said]
    assert "x-bearer" in said[1].output
    assert said[1].output != said[3].output
    assert not any(SECRET in result.output for result in said)
    assert build_sources(settings)["x-mentions"].config.bearer_token == SECRET  # type: ignore[attr-defined]  # of XConfig
    assert SECRET not in repr(build_sources(settings))
    assert not in_database(settings, SECRET)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept
    assert earshot("remove", "acme", "x-bearer").exit_code == 0
    gone = earshot("remove", "acme", "x-bearer")
    assert (gone.exit_code, "there is no credential" in gone.output) == (1, True)


def test_a_secret_is_no_argument(earshot: Earshot) -> None:
    refused = earshot("set", "acme", "x-bearer", SECRET)
    assert refused.exit_code == 2


def test_the_key_file_is_its_owner_s_alone_or_refused(earshot: Earshot, settings: Settings) -> None:
    assert earshot("set", "acme", "x", typed=SECRET).exit_code == 0
    keys = key_file.place(settings)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert earshot("rotate", "--new-key").exit_code == 0
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert [path.name for path in keys.parent.glob(f"{keys.name}*")] == [keys.name]
    keys.chmod(0o640)
    said = earshot("rotate")
    assert (said.exit_code, "chmod 600" in said.output) == (1, True)


def test_without_its_keys_a_credential_asks_for_them(earshot: Earshot, settings: Settings) -> None:
    assert earshot("set", "acme", "x-bearer", typed=SECRET).exit_code == 0
    key_file.place(settings).unlink()
    with pytest.raises(CredentialError, match="Put back the file"):
        build_sources(settings)
    earshot("set", "acme", "other", typed="s")
    with pytest.raises(CredentialError, match="add that key behind the others"):
        build_sources(settings)


def test_keys_may_stand_in_a_variable(earshot: Earshot, settings: Settings) -> None:
    ring = write_ring(OLD).strip()
    kept = earshot("set", "acme", "x-bearer", typed=SECRET, EARSHOT_CREDENTIALS__KEYS=ring)
    assert kept.exit_code == 0, kept.output
    assert not key_file.place(settings).exists()
    said = earshot("rotate", "--new-key", EARSHOT_CREDENTIALS__KEYS=ring)
    assert (said.exit_code, ring in said.output) == (1, False)


def test_only_a_secret_may_name_a_credential() -> None:
    source = {"brand": "acme", "kind": "x", "account": {"credential": "x"}}
    with pytest.raises(SettingsError, match="names a credential, but is no secret"):
        build_sources(Settings(sources={"x": source}))
    wrong: dict[str, Any] = {"brand": "acme", "kind": "x", "bearer_token": {"credential": 1}}
    with pytest.raises(SettingsError, match="must be the name of a credential"):
        build_sources(Settings(sources={"x": wrong}))
