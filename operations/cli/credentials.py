"""`earshot credential`: platform secrets in the database, sealed, never shown again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from earshot import brand as brands_file
from earshot.database import db as database
from earshot.database import schema
from earshot.runtime import connect
from earshot.secrets import credentials, key_file
from earshot.settings import Settings
from operations.cli.error_messages import in_words

ACTOR = "role:cli"


@click.group()
def credential() -> None:
    """Store platform secrets in the database, encrypted with a master key."""


def _change(settings: Settings, act: Callable[[Session], str]) -> None:
    """Do `act` in one transaction, and say what it says once that is durable."""
    with in_words(settings):
        engine = connect.open_database(settings)
        schema.require(engine)
        with database.open_sessions(engine).begin() as session:
            said = act(session)
        click.echo(said)


@credential.command("set")
@click.argument("brand")
@click.argument("name")
@click.pass_obj
def set_(settings: Settings, brand: str, name: str) -> None:
    """Store the secret NAME of BRAND: typed without echo, or read from standard input."""
    with in_words(settings):
        known = brands_file.load(settings.resolve(settings.brands))
    if brand not in known:
        raise click.BadParameter(
            f"there is no brand {brand!r}; there is {', '.join(sorted(known))}", param_hint="BRAND"
        )
    secret = _asked()

    def put(session: Session) -> str:
        ring = key_file.load_or_make(settings)
        credentials.put(session, ring, brand, name, secret, actor=ACTOR, now=datetime.now(UTC))
        return (
            f"{name} of {brand} is kept. A source names it so: "
            f'KEY = {{ credential = "{name}" }}. Restart `collect` and `send` to use it'
        )

    _change(settings, put)


def _asked() -> str:
    """The secret. It is no argument: those stand in the list of processes and the history."""
    if sys.stdin.isatty():
        return str(click.prompt("Secret", hide_input=True, confirmation_prompt=True))
    return sys.stdin.read(credentials.LENGTH_LIMIT + 2).removesuffix("\n").removesuffix("\r")


@credential.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """List the stored credentials, without their secrets."""

    def lines(session: Session) -> str:
        found = credentials.listed(session)
        return "\n".join(
            f"{one.brand}\t{one.name}\tkey {one.key_id}\t{one.changed_at:%Y-%m-%d %H:%M}Z"
            for one in found
        )

    _change(settings, lines)


@credential.command()
@click.argument("brand")
@click.argument("name")
@click.pass_obj
def remove(settings: Settings, brand: str, name: str) -> None:
    """Delete the secret NAME of BRAND."""

    def forget(session: Session) -> str:
        credentials.remove(session, brand, name, actor=ACTOR, now=datetime.now(UTC))
        return f"{name} of {brand} is forgotten; revoke it on the platform, too"

    _change(settings, forget)


@credential.command()
@click.option("--new-key", is_flag=True, help="Add a new master key to the file first.")
@click.pass_obj
def rotate(settings: Settings, new_key: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Encrypt every credential again with the first master key."""

    def seal_anew(session: Session) -> str:
        ring = key_file.add_key(settings) if new_key else key_file.load(settings)
        done = credentials.rotate(session, ring, actor=ACTOR, now=datetime.now(UTC))
        return f"{done} encrypted again; all use the key {ring.first} now"

    _change(settings, seal_anew)
