"""`earshot purge`: take out what is past its retention, or what one author wrote."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import click
from sqlalchemy import Engine, select

from earshot.database import db, schema
from earshot.database.tables import SourceHealthRow
from earshot.runtime import connect
from earshot.settings import Settings
from earshot.time.clock import shared_clock
from operations.accounting.ledger import PATH
from operations.cli.error_messages import in_words
from operations.retention import clock_watch
from operations.retention import purge as purges
from operations.retention.purge import Reach

ACTOR = "role:cli"


@click.command()
@click.option("--source", default="", help="Only what this source collected.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Delete what ended before this day (UTC) instead of using the retention.",
)
@click.option(
    "--author", default="", metavar="PLATFORM:ID", help="Everything that this author wrote."
)
@click.option("--dry-run", is_flag=True, help="Show how much would be deleted, and delete nothing.")
@click.option("--confirm", is_flag=True, help="The clock is right: purge although it jumped.")
@click.pass_obj
def purge(
    settings: Settings,
    source: str,
    before: datetime | None,
    author: str,
    dry_run: bool,  # noqa: FBT001 -- click passes options by name
    confirm: bool,  # noqa: FBT001 -- as above
) -> None:
    """Delete what is past its retention, or everything by one author.

    What somebody still waits for is kept. Numbers stay, and the ledger counts what went. By a
    clock that jumped ahead nothing is taken out without --confirm.
    """
    if author and (source or before or dry_run or confirm or ":" not in author):
        raise click.UsageError("--author can't be combined with other options; write PLATFORM:ID")
    if dry_run and confirm:
        raise click.UsageError("--dry-run takes out nothing, so there is nothing to --confirm")
    with in_words(settings):
        engine = connect.open_database(settings)
        schema.require(engine)
        now = shared_clock(engine, lambda: datetime.now(UTC))()
        sources = _sources(engine, source)
        if author:
            said = f"{_erase(engine, sources, author, now)} posts were erased"
            upto = now
        else:
            reaches = _reaches(settings, sources, before, now)
            _see_to_the_clock(engine, now, confirm=confirm, counts=bool(reaches) and before is None)
            said = "\n".join(_take_out(engine, reach, now, dry_run=dry_run) for reach in reaches)
            upto = max((reach.before for reach in reaches), default=now)
        if not dry_run and (author or said):
            _trim(settings, (now - upto).total_seconds())
            _forget(engine)
        engine.dispose()
    click.echo(said or "nothing to delete: [retention] in the settings is not set")


def _see_to_the_clock(engine: Engine, now: datetime, *, confirm: bool, counts: bool) -> None:
    """End a hold if asked to. `counts`: what goes is reckoned from `now`, so it must be believed.

    Raises ClickException where it is not.
    """
    with db.open_sessions(engine).begin() as session:
        if confirm:
            clock_watch.confirm(session, now, ACTOR)
        elif counts and (why := clock_watch.standing(session, now)):
            raise click.ClickException(
                f"{why}; nothing was taken out. If the clock is right, add --confirm; else set it"
            )


def _sources(engine: Engine, wanted: str) -> Sequence[tuple[str, str]]:
    """Every brand and source that was ever collected from, or the one of that name."""
    with db.open_readers(engine).begin() as session:
        rows = session.execute(select(SourceHealthRow.brand, SourceHealthRow.source)).all()
    found = sorted((row.brand, row.source) for row in rows if wanted in ("", row.source))
    if wanted and not found:
        known = ", ".join(sorted({row.source for row in rows})) or "none"
        raise click.BadParameter(f"{wanted!r}: no such source; there are {known}")
    return found


def _reaches(
    settings: Settings,
    sources: Sequence[tuple[str, str]],
    before: datetime | None,
    now: datetime,
) -> Sequence[Reach]:
    if before is None:
        return list(purges.due(settings.retention, sources, now))
    day = before.replace(tzinfo=UTC)
    return [Reach(brand=brand, source=name, before=day) for brand, name in sources]


def _take_out(engine: Engine, reach: Reach, now: datetime, *, dry_run: bool) -> str:
    sessions = db.open_sessions(engine)
    if dry_run:
        with db.open_readers(engine).begin() as session:
            items = purges.count(session, reach)
        return f"{reach.brand} {reach.source}: {items} items that ended before {reach.before:%F}"
    gone = {"items": 0, "dead letters": 0}
    for what, step in (("items", purges.purge_items), ("dead letters", purges.purge_letters)):
        done = purges.BATCH
        while done == purges.BATCH:
            with sessions.begin() as session:
                done = step(session, reach, ACTOR, now)
            gone[what] += done
    told = ", ".join(f"{n} {what}" for what, n in gone.items())
    return f"{reach.brand} {reach.source}: {told} taken out"


def _erase(engine: Engine, sources: Sequence[tuple[str, str]], author: str, now: datetime) -> int:
    platform, _, name = author.partition(":")
    erased = 0
    for brand in sorted({brand for brand, _ in sources}):
        with db.open_sessions(engine).begin() as session:
            erased += purges.erase_author(session, brand, platform, name, ACTOR, now)
    return erased


def _trim(settings: Settings, keep_s: float) -> None:
    """Drop what every stage has read and is as old as what went. Kafka keeps its own retention."""
    with closing(connect.open_log(settings, "purge")) as log:
        for topic, _ in PATH:
            log.trim(topic, keep_s)


def _forget(engine: Engine) -> None:
    """Empty SQLite's write-ahead log, which holds what stood in the file before."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
            cursor.execute("pragma wal_checkpoint(truncate)")
