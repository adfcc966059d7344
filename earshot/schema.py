"""The schema's history: bring a database up to date, and say where it stands."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine, text

from earshot.db import DatabaseError

ROOT = Path(__file__).resolve().parent.parent

_LOCK = 4_242_117
"""The advisory lock under which one process at a time migrates a PostgreSQL database."""


def config() -> Config:
    """Alembic's configuration; a connection is put into its attributes by the caller."""
    found = Config(ROOT / "alembic.ini")
    found.set_main_option("script_location", str(ROOT / "migrations"))
    return found


def newest() -> str:
    """The revision that this version of Earshot needs."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    if head is None:
        raise DatabaseError(f"{ROOT / 'migrations'} holds no migration; is the copy complete?")
    return head


def current(engine: Engine) -> str | None:
    """The revision of the database, or None when it has no schema yet."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`. Several processes may try at once; one does it."""
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
