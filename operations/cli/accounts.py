"""`earshot person`: add, change, list, disable and enable people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot import brand as brands_file
from earshot.database.tables import PersonRow
from earshot.domain import Role
from earshot.items.events import EventKind
from earshot.items.lifecycle import Stale, record
from earshot.settings import Settings
from operations.cli.administration import counted, person, session_of

if TYPE_CHECKING:
    from dashboard.accounts.directory import Account

__all__ = ["person"]

ACTOR = "role:cli"


@person.command()
@click.argument("email")
@click.argument("name")
@click.option("--brand", required=True)
@click.option(
    "--role", "roles", multiple=True, type=click.Choice([r.value for r in Role]), required=True
)
@click.option("--team", "teams", multiple=True)
@click.option("--lang", "langs", multiple=True, default=("en",), show_default=True)
@click.option("--slots", default=4, show_default=True)
@click.option("--change", is_flag=True, help="Change the place that they already have.")
@click.pass_context
def add(
    context: click.Context, /, email: str, name: str, brand: str, *, change: bool, **place: Any
) -> None:
    """Create an account for EMAIL, called NAME, or add it to another brand.

    If they already belong to the brand, nothing changes without --change: the command reports
    what would change.
    """
    from dashboard.accounts import people

    settings: Settings = context.obj
    if brand not in brands_file.load(settings.resolve(settings.brands)):
        raise click.BadParameter(f"there is no brand {brand!r}", param_hint="--brand")
    wanted: dict[str, Any] = {
        key: list(v) if isinstance(v, tuple) else v for key, v in place.items()
    }
    with _refused(), session_of(settings) as session:
        now = datetime.now(UTC)
        address = people.normal_email(email)
        found = session.scalar(select(PersonRow.id).where(PersonRow.email == address))
        known = found or people.create_person(session, email, name, now)
        given = {
            key: value
            for key, value in wanted.items()
            if context.get_parameter_source(key) is ParameterSource.COMMANDLINE
        }
        said = _change(session, brand, known, given, now, email=address, change=change)
        if not said:
            people.join(
                session,
                brand,
                known,
                roles=[Role(role) for role in wanted["roles"]],
                teams=wanted["teams"],
                langs=wanted["langs"],
                slots=wanted["slots"],
            )
            event = {"subject": str(known), "after": wanted}
            record(session, brand, now, ACTOR, EventKind.PERSON_ADDED, [event])
            said = f"{email} has the roles {', '.join(place['roles'])} for {brand}"
    click.echo(said)


def _change(
    session: Session,
    brand: str,
    known: int,
    given: dict[str, Any],
    now: datetime,
    *,
    email: str,
    change: bool,
) -> str:
    """What became of a place that is there; empty: there is none. Raises ClickException."""
    from dashboard.accounts import directory

    differ = directory.differences(session, brand, known, given)
    if differ is None:
        return ""
    told = "; ".join(f"{key}: {_shown(a)} → {_shown(b)}" for key, (a, b) in differ.items())
    if not differ:
        return f"{email} already belongs to {brand}; nothing to change"
    if not change:
        raise click.ClickException(
            f"{email} already belongs to {brand}. Nothing was changed; add --change to set {told}"
        )
    directory.change_place(session, brand, known, given, ACTOR, now)
    return f"changed for {email} in {brand}: {told}"


def _shown(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


@person.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """List everybody: address, name, state, and the roles and teams in each brand."""
    from dashboard.accounts import directory

    with session_of(settings) as session:
        for account in directory.accounts(session):
            click.echo(_line(account))


def _line(account: Account) -> str:
    state = "active" if account.active else "disabled"
    places = [
        f"{place.brand}: {_shown(list(place.roles))}"
        + (f" ({_shown(list(place.teams))})" if place.teams else "")
        for place in account.places
    ]
    kind = " (simulated)" if account.simulated else ""
    return f"{account.email}  {account.name}{kind}  {state}  {'; '.join(places) or 'no brand'}"


@person.command()
@click.argument("email")
@click.pass_obj
def disable(settings: Settings, email: str) -> None:
    """Disable the account of EMAIL at once, and return its items to the queue."""
    from dashboard.accounts import directory

    with _refused(), session_of(settings) as session:
        known = directory.known(session, email)
        closed = directory.disable(session, known.id, ACTOR, datetime.now(UTC))
    if closed is None:
        click.echo(f"{email} is already disabled")
        return
    click.echo(
        f"{email} is disabled: {counted(closed.sessions, 'browser')} signed out,"
        f" {counted(closed.items, 'item')} returned to the queue"
    )


@person.command()
@click.argument("email")
@click.pass_obj
def enable(settings: Settings, email: str) -> None:
    """Enable the account of EMAIL again, with the roles it had."""
    from dashboard.accounts import directory

    with _refused(), session_of(settings) as session:
        known = directory.known(session, email)
        opened = directory.enable(session, known.id, ACTOR, datetime.now(UTC))
    click.echo(f"{email} is enabled" if opened else f"{email} was already enabled")


@contextmanager
def _refused() -> Iterator[None]:
    """What can't be done as an error of the command."""
    from dashboard.accounts.people import PersonError

    try:
        yield
    except PersonError as error:
        raise click.ClickException(str(error)) from error
    except Stale as error:
        raise click.ClickException(f"{error}; nothing was changed, try again") from error
