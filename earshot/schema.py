"""The schema's history: bring a database up to date, and say where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from earshot.db import DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic is loaded only where something is to be migrated: every role asks where the schema
# stands when it starts, and loading it takes a third of a second.

ROOT = Path(__file__).resolve().parent.parent

VERSION_TABLE = "alembic_version"

_LOCK = 4_242_117
"""The advisory lock under which one process at a time migrates a PostgreSQL database."""


def config() -> Config:
    """Alembic's configuration; a connection is put into its attributes by the caller."""
    from alembic.config import Config  # noqa: PLC0415 -- see above

    found = Config(ROOT / "alembic.ini")
    found.set_main_option("script_location", str(ROOT / "migrations"))
    return found


def newest() -> str:
    """The revision that this version of Earshot needs: the highest number of its migrations."""
    revisions = [
        path.name.partition("_")[0] for path in (ROOT / "migrations").glob("versions/*.py")
    ]
    if not revisions:
        raise DatabaseError(f"{ROOT / 'migrations'} holds no migration; is the copy complete?")
    return max(revisions)


def current(engine: Engine) -> str | None:
    """The revision of the database, or None when it has no schema yet."""
    if not inspect(engine).has_table(VERSION_TABLE):
        return None
    with engine.connect() as connection:
        found: str | None = connection.scalar(text(f"select version_num from {VERSION_TABLE}"))  # noqa: S608 -- our own constant
    return found


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`. Several processes may try at once; one does it."""
    if revision in ("head", newest()) and current(engine) == newest():
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


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to `revision` (`base`: no schema). Data of what goes is lost."""
    from alembic import command  # noqa: PLC0415 -- see above

    settings = config()
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, revision)


def require(engine: Engine) -> None:
    """Raise DatabaseError unless the database has the schema that this version needs."""
    found, needed = current(engine), newest()
    if found != needed:
        raise DatabaseError(
            f"the database's schema is at {found or 'nothing'}, this version needs {needed}; "
            "run `earshot db upgrade`"
        )
