"""`earshot doctor`: one line for each thing that Earshot needs."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime

import click
import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from earshot import brand as brands_file
from earshot.brand import Brand
from earshot.database import db
from earshot.log.contract import LogError
from earshot.log.topics import TOPICS
from earshot.runtime import connect
from earshot.secrets.sealing import CredentialError
from earshot.settings import Settings, SettingsError
from earshot.yaml_source import OperatorError
from operations.accounting.ledger import PATH
from operations.backup.backup import database_file
from operations.checks import database, machine, roles
from operations.checks import log as log_checks
from operations.checks.finding import Finding, Well, Wrong, in_words, to_json
from operations.checks.spool import spooled
from operations.cli.sources import Built, build_matcher, build_sources


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, for scripts.")
@click.option("--stopped", is_flag=True, help="Skip the checks that need running roles.")
@click.pass_obj
def doctor(settings: Settings, as_json: bool, stopped: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Check everything that Earshot needs, and report what is wrong.

    Exit code 1 when something is. It asks each platform once whether it takes our credentials.
    """
    wrong = False
    for finding in examine(settings, stopped=stopped):
        wrong |= isinstance(finding, Wrong)
        click.echo(msgspec.json.encode(to_json(finding)) if as_json else in_words(finding))
    if wrong:
        sys.exit(1)


def examine(settings: Settings, *, stopped: bool = False) -> Iterator[Finding]:
    """Everything, one after the other; what rests on something that is wrong is left out.

    `stopped` leaves out what only running roles can show.
    """
    yield machine.folder(settings.home_path)
    yield machine.room(settings.home_path)
    brands = yield from _brands(settings)
    if brands is not None:
        yield _policies(settings, brands)
        yield _model(settings, brands)
    sources = yield from _sources(settings)
    yield from _database(settings, None if stopped else list(sources))
    yield from _log(settings, stopped=stopped)
    for built in sources.values():
        yield _access(built)
    if not stopped:
        # where one machine has everything every role runs on it, else somewhere
        alone = not settings.database.url and not settings.log.url
        needed = roles.NEEDED if alone else ()
        yield roles.probes(settings.telemetry.host, settings.telemetry.port, needed)


def _told(subject: str, error: Exception) -> Wrong:
    """An error of ours as a finding: its last clause says what to do."""
    said, _, remedy = str(error).rpartition("; ")
    return Wrong(subject, said or str(error), remedy if said else "correct that")


def _brands(settings: Settings) -> Generator[Finding, None, Mapping[str, Brand] | None]:
    try:
        brands = brands_file.load(settings.resolve(settings.brands))
        for brand in brands.values():
            build_matcher(brand)
    except OperatorError as error:
        yield _told("brands", error)
        return None
    yield Well("brands", ", ".join(sorted(brands)))
    return brands


def _policies(settings: Settings, brands: Mapping[str, Brand]) -> Finding:
    from router.policy.policy_file import load_policies

    try:
        policies = load_policies(settings.resolve(settings.brands), brands)
    except OperatorError as error:
        return _told("policies", error)
    versions = (f"{slug} {policy.version}" for slug, policy in sorted(policies.items()))
    return Well("policies", ", ".join(versions))


def _model(settings: Settings, brands: Mapping[str, Brand]) -> Finding:
    from classifier.model.load import load_classifier

    try:
        load_classifier(settings.classify.model, brands)
    except (ValueError, OSError) as error:  # BadBundle is a ValueError
        return Wrong(
            "model",
            f"classify.model: {error}",
            "name another file, or leave it empty for the model that is shipped",
        )
    return Well("model", settings.classify.model or "the one that is shipped")


def _sources(settings: Settings) -> Generator[Finding, None, Mapping[str, Built]]:
    try:
        sources = build_sources(settings)
    except (SettingsError, OperatorError, CredentialError, db.DatabaseError, DBAPIError) as error:
        yield _told("settings", error)
        return {}
    yield Well("settings", f"sources {', '.join(sources)}")
    return sources


def _database(settings: Settings, sources: Sequence[str] | None) -> Iterator[Finding]:
    """The database, and what `sources` and replies have left in it (None: leave that out)."""
    file = database_file(settings)
    if file is not None and not file.exists():
        yield Wrong("database", f"{file} is not there", "run `earshot db upgrade`, or restore it")
        return
    try:
        engine = connect.open_database(settings)
    except (SettingsError, db.DatabaseError) as error:
        yield _told("database", error)
        return
    try:
        found = database.reachable(engine)
        yield found
        if isinstance(found, Well):
            yield from _of_database(engine, sources)
    finally:
        engine.dispose()


def _of_database(engine: Engine, sources: Sequence[str] | None) -> Iterator[Finding]:
    yield database.durable(engine)
    sound = database.sound(engine)
    yield sound
    if isinstance(sound, Wrong):
        return
    found = database.revision(engine)
    yield found
    if isinstance(found, Wrong):
        return
    yield database.clock(engine, lambda: datetime.now(UTC))
    yield database.held(engine)
    yield database.purging(engine)
    if sources is not None:
        now = datetime.now(UTC)
        with db.open_readers(engine).begin() as session:
            yield from roles.sources(session, sources, now)
            yield roles.outbox(session, now)
            yield roles.maintenance(session, now)


def _log(settings: Settings, *, stopped: bool) -> Iterator[Finding]:
    most_bytes = settings.log.spool_mb * 2**20
    yield from spooled(connect.spool_folder(settings), most_bytes, datetime.now(UTC))
    folder = settings.home_path / "log"
    if not settings.log.url and not folder.exists():
        if stopped:
            yield Well("log", "it is made at the first start")
        else:
            yield Wrong("log", f"{folder} is not there", "start `earshot up`, which makes it")
        return
    try:
        log = connect.open_log(settings, "doctor")
    except (SettingsError, LogError) as error:
        yield _told("log", error)
        return
    yield Well("log", f"{settings.log.url or folder} answers")
    with closing(log):
        count = settings.log.partitions
        wanted = {t.name: count for t in TOPICS} | {t.dead: 1 for t in TOPICS}
        yield log_checks.partitions(log, wanted)
        if not stopped:
            try:
                yield from log_checks.waiting(log, PATH, datetime.now(UTC))
            except LogError as error:
                yield _told("log", error)


def _access(built: Built) -> Finding:
    from collectors.contract.source import PlatformError

    subject = f"credentials of {built.name}"
    try:
        return Well(subject, built.platform.check_credentials(built.config))
    except PlatformError as error:
        remedy = "correct them" if error.permanent else "try again; the platform may be down"
        return Wrong(subject, str(error), remedy)
