"""Commands that are no roles: train, check, ledger, schema, people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot import brand as brands_file
from earshot.database import db as database
from earshot.database import schema
from earshot.database.tables import PersonRow
from earshot.log.spool.spool import messages_spooled
from earshot.runtime import connect
from earshot.settings import Settings
from operations.accounting import ledger as books
from operations.cli.error_messages import in_words
from operations.cli.sources import build_matcher, build_sources


@contextmanager
def session_of(settings: Settings) -> Iterator[Session]:
    """One transaction on the settings' database, its schema checked, errors in words."""
    with in_words(settings):
        engine = connect.open_database(settings)
        schema.require(engine)
        with database.open_sessions(engine).begin() as session:
            yield session


@click.command()
@click.argument("labels", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def train(labels: Path, out: Path) -> None:
    """Train a model from LABELS, a CSV with the columns text, task and label.

    What the file does not teach stays as in the model that is shipped. Set classify.model to
    the file that is written to use it.
    """
    from classifier.model.bundle import BadBundle
    from classifier.train import train_labels
    from classifier.training.training_labels import BadLabels

    try:
        report = train_labels(labels, out)
    except (BadBundle, BadLabels, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(report)


def counted(n: int, what: str) -> str:
    """`1 brand`, `2 brands`."""
    return f"{n} {what}{'' if n == 1 else 's'}"


@click.command()
@click.pass_obj
def check(settings: Settings) -> None:
    """Check every setting, brand and policy, and report what is wrong."""
    from router.policy.policy_file import load_policies

    with in_words(settings):
        brands = brands_file.load(settings.resolve(settings.brands))
        load_policies(settings.resolve(settings.brands), brands)
        sources = build_sources(settings)
        for brand in brands.values():
            build_matcher(brand)
    click.echo(f"OK: {counted(len(brands), 'brand')}, {counted(len(sources), 'source')}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.option("--since", default="", metavar="DAY", help="Only this day and later ones (ISO, UTC).")
@click.pass_obj
def ledger(settings: Settings, as_json: bool, since: str) -> None:  # noqa: FBT001 -- click passes options by name
    """Prove that every collected post is accounted for; exit with 1 if not."""
    with session_of(settings) as session:
        log = connect.open_log(settings, "ledger")
        folder = connect.spool_folder(settings)
        drawn = books.draw_up(
            session, lambda: books.in_flight(log) + messages_spooled(folder), since
        )
        log.close()
    if as_json:
        click.echo(msgspec.json.encode(drawn.to_json()))
    else:
        for line in books.in_words(drawn):
            click.echo(line)
    if drawn.difference:
        sys.exit(1)


@click.group("db")
def db() -> None:
    """Upgrade the database schema, or show its revision."""


@db.command()
@click.argument("revision", default="head")
@click.option(
    "--before", is_flag=True, help="Only the steps that are safe while the old version runs."
)
@click.option(
    "--after", is_flag=True, help="The remaining steps, once no role of the old version runs."
)
@click.pass_obj
def upgrade(settings: Settings, revision: str, before: bool, after: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Upgrade the schema to REVISION (head: the newest), or part of the way."""
    if before + after + (revision != "head") > 1:
        raise click.UsageError("say one of --before, --after and REVISION")
    with in_words(settings):
        engine = connect.open_database(settings)
        if before:
            schema.upgrade_before_deployment(engine)
        else:
            schema.upgrade(engine, revision)
        click.echo(f"the schema is at {schema.current(engine)}")


@db.command()
@click.pass_obj
def current(settings: Settings) -> None:
    """Show the revision of the schema, the one this version needs, and its newest one."""
    with in_words(settings):
        found = schema.current(connect.open_database(settings))
        click.echo(
            f"the schema is at {found or 'nothing'}, needed is {schema.needed()},"
            f" newest is {schema.newest()}"
        )


@click.group()
def person() -> None:
    """Manage the people who can sign in."""


@person.command()
@click.argument("email")
@click.option("--hours", default=12, show_default=True, help="How long the link works.")
@click.pass_obj
def link(settings: Settings, email: str, hours: int) -> None:
    """Print a one-time sign-in link for EMAIL. Earlier ones stop working."""
    from dashboard.accounts import people

    with session_of(settings) as session:
        known = session.scalar(
            select(PersonRow.id).where(PersonRow.email == people.normal_email(email))
        )
        if known is None:
            raise click.ClickException(
                f"{email} has no account; make one with `earshot person add`"
            )
        if not people.may_sign_in(session, known):
            raise click.ClickException(
                f"the account of {email} is disabled; open it with `earshot person enable {email}`"
            )
        token = people.sign_in_link(session, known, datetime.now(UTC), timedelta(hours=hours))
    base = settings.web.public_url or f"http://{settings.web.host}:{settings.web.port}"
    click.echo(f"{base}/signin/{token}")
