"""The schema's history: bring a database up to date, and say where it is.

A revision says its phase. One that only *expands* leaves everything in place that the version
before it reads and writes, so it is applied before a deployment, while that version runs. One
that *contracts* takes away what the new version no longer uses, so it is applied afterwards.
Within a version those that expand come first. The database keeps its floor: the newest revision
that contracted. Code that knows at least that one works on it, however much newer it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, delete, insert, inspect, select, text

from earshot.database.db import DatabaseError
from earshot.database.tables import SchemaFloorRow

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic is loaded only where something is to be migrated: every role asks where the schema
# is when it starts, and loading it takes a third of a second.

ROOT = Path(__file__).resolve().parents[2]

VERSION_TABLE = "alembic_version"

_LOCK = 4_242_117
"""The advisory lock under which one process at a time migrates a PostgreSQL database."""


class Phase(StrEnum):
    """When a revision may be applied."""

    EXPAND = "expand"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of the history, by the number that its file begins with."""

    number: str
    phase: Phase


_PHASE = re.compile(r'^phase = "(\w+)"', re.MULTILINE)


def history(folder: Path = ROOT / "migrations/versions") -> Sequence[Revision]:
    """Every revision that this version knows, the oldest first. Raises DatabaseError.

    Read from the files' text: to start, a role need not load Alembic. The first has made all.
    """
    found: list[Revision] = []
    for path in sorted(folder.glob("[0-9]*.py")):
        said = _PHASE.search(path.read_text(encoding="utf-8"))
        if found and (said is None or said[1] not in tuple(Phase)):
            raise DatabaseError(f'{path} says no phase: write phase = "expand" or "contract"')
        phase = Phase(said[1]) if said else Phase.EXPAND
        found.append(Revision(path.name.partition("_")[0], phase))
    if not found:
        raise DatabaseError(f"{folder} holds no migration; is the copy complete?")
    return found


def config() -> Config:
    """Alembic's configuration; a connection is put into its attributes by the caller."""
    from alembic.config import Config  # noqa: PLC0415 -- see above

    found = Config(ROOT / "alembic.ini")
    found.set_main_option("script_location", str(ROOT / "migrations"))
    return found


def newest() -> str:
    """The newest revision that this version of Earshot knows."""
    return history()[-1].number


def needed() -> str:
    """The oldest revision that this version works on: the newest that expands."""
    return [step.number for step in history() if step.phase is Phase.EXPAND][-1]


def floor(revisions: Sequence[Revision], applied: str) -> str:
    """What code must know to work on a schema at `applied`: the newest that contracted. Pure."""
    contracted = [
        step.number for step in revisions if step.phase is Phase.CONTRACT and step.number <= applied
    ]
    return contracted[-1] if contracted else revisions[0].number


def before_deployment(revisions: Sequence[Revision], applied: str) -> str:
    """The revision up to which a database at `applied` may be brought before a deployment. Pure.

    Raises DatabaseError when an older version's contraction is in the way.
    """
    if not applied:
        return revisions[-1].number  # new: no version runs on it
    pending = [step for step in revisions if step.number > applied]
    first = next((step for step in pending if step.phase is Phase.CONTRACT), None)
    if first is None:
        return revisions[-1].number
    behind = [s.number for s in pending if s.number > first.number and s.phase is Phase.EXPAND]
    if behind:
        raise DatabaseError(
            f"revision {first.number} of an earlier version is still to be applied, and"
            f" {behind[0]} comes after it: finish that upgrade with `earshot db upgrade --after`"
            f" of that version, or stop all roles and run `earshot db upgrade`"
        )
    allowed = [step.number for step in revisions if step.number < first.number]
    return max(allowed[-1], applied)


def current(engine: Engine) -> str | None:
    """The revision of the database, or None when it has no schema yet."""
    if not inspect(engine).has_table(VERSION_TABLE):
        return None
    with engine.connect() as connection:
        found: str | None = connection.scalar(text(f"select version_num from {VERSION_TABLE}"))  # noqa: S608 -- our own constant
    return found


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`. Several processes may try at once; one does it."""
    if revision in ("head", newest()) and _is_enough(engine, newest()):
        return
    from alembic import command  # noqa: PLC0415 -- see above
    from alembic.util.exc import CommandError  # noqa: PLC0415 -- see above

    settings = config()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        settings.attributes["connection"] = connection
        try:
            command.upgrade(settings, revision)
        except CommandError as error:
            raise DatabaseError(
                f"the schema can't be brought to {revision!r}: {error}; "
                "was this database used by a newer version of Earshot?"
            ) from error
        _keep_floor(connection)


def _is_enough(engine: Engine, wanted: str) -> bool:
    """Whether the schema is at `wanted`, or at what a newer version made and this one works on."""
    found = current(engine)
    return found == wanted or (found is not None and found > wanted >= _floor_of(engine))


def _keep_floor(connection: Connection) -> None:
    """Write down which code the schema works for, once it has the table for that."""
    if not inspect(connection).has_table(SchemaFloorRow.__tablename__):
        return
    applied = str(connection.scalar(text(f"select version_num from {VERSION_TABLE}")))  # noqa: S608 -- our own constant
    connection.execute(delete(SchemaFloorRow))
    connection.execute(insert(SchemaFloorRow), [{"revision": floor(history(), applied)}])


def upgrade_before_deployment(engine: Engine) -> None:
    """Apply what expands: what may be done while the version before this one runs."""
    upgrade(engine, before_deployment(history(), current(engine) or ""))


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to `revision` (`base`: no schema). Data of what goes is lost."""
    from alembic import command  # noqa: PLC0415 -- see above

    settings = config()
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, revision)


def require(engine: Engine) -> None:
    """Raise DatabaseError unless this version works on the database's schema."""
    found, least = current(engine), needed()
    if found is None or found < least:
        raise DatabaseError(
            f"the database's schema is at {found or 'nothing'}, this version needs {least}; "
            "run `earshot db upgrade`"
        )
    if found > newest() and _floor_of(engine) > newest():
        raise DatabaseError(
            f"the database's schema is at {found}, which no longer works for this version (it "
            f"knows {newest()}); run a newer version of Earshot"
        )


def _floor_of(engine: Engine) -> str:
    """The database's own floor; above everything when it keeps none."""
    if not inspect(engine).has_table(SchemaFloorRow.__tablename__):
        return "~"
    with engine.connect() as connection:
        return connection.scalar(select(SchemaFloorRow.revision)) or "~"
