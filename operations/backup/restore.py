"""Put a backup back into an empty place, so that nothing is lost and nothing is sent twice.

A backup is of the past. What a platform was told since is not in it: a reply that is there
as queued may long have been posted. So before a role can see the restored database, every such
reply becomes *unknown*, and is sought on the platform before anything is tried again. That is
done by `settle`, which the caller gives: this module knows no stage.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.orm import Session

from earshot.database import db, schema
from earshot.log.contract import Log
from earshot.runtime import connect
from earshot.settings import Settings
from operations.backup import manifest, postgres_dump
from operations.backup.backup import Offsets, database_file
from operations.backup.manifest import BackupError, Manifest

Settle = Callable[[Session, Manifest, datetime], int]
"""What is done to a restored database before it is used; how many replies became unknown."""

_STAGE = ".restoring"


def restore(
    settings: Settings, source: Path, settle: Settle, now: datetime, *, force: bool = False
) -> int:
    """Put the backup in `source` where the settings say; how many replies became unknown.

    Everything is verified first. `home` must be empty, or with `force` is emptied into a folder
    below it. A PostgreSQL database must be empty in any case. Raises BackupError.
    """
    taken = manifest.read(source)
    if taken.schema > schema.newest():
        raise BackupError(
            f"{source} was taken by Earshot {taken.version} with the schema {taken.schema}, this"
            f" version knows {schema.newest()}: restore it with that version or a newer one"
        )
    manifest.verify(source, taken)
    file = database_file(settings)
    if (file is None) != (taken.database == "postgresql"):
        raise BackupError(
            f"{source} holds a {taken.database} database, but database.url names another kind;"
            " correct database.url"
        )
    if file is None:
        _require_empty(settings)
    if taken.offsets and settings.log.url:
        with closing(connect.open_log(settings, "restore")) as log:
            take_back(log, taken.offsets)
    home = settings.home_path
    try:
        _make_room(home, file, now, force=force)
        stage = home / _STAGE
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        if (source / "home").exists():
            shutil.copytree(source / "home", stage / "home")
        if file is None:
            engine = connect.open_database(settings)
            postgres_dump.restore(settings.database_url, source / "database/earshot.dump")
            _put_in_place(stage / "home", home)
            settled = _settle(engine, taken, settle, now, versioned=False)
        else:
            staged = stage / "earshot.db"
            shutil.copy2(source / "database/earshot.db", staged)
            settled = _settle(db.connect(f"sqlite:///{staged}"), taken, settle, now, versioned=True)
            _put_in_place(stage / "home", home)
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(staged, file)  # last: until it is there, no role starts
        shutil.rmtree(stage)
    except OSError as error:
        raise BackupError(
            f"{error.filename or home}: {error.strerror}; see that there is room for all data,"
            " and that the folder may be written"
        ) from error
    return settled


def take_back(log: Log, offsets: Offsets) -> None:
    """Have every group read again what it may not have stored before the backup was taken.

    What it had stored changes nothing. Raises LogError while a role reads the log.
    """
    for topic, groups in offsets.items():
        for group, to in groups.items():
            log.rewind(topic, group, to)


def _make_room(home: Path, file: Path | None, now: datetime, *, force: bool) -> None:
    """See that there is nothing in the way, or with `force` move it aside."""
    home.mkdir(parents=True, exist_ok=True)
    there = [path for path in home.iterdir() if path.name != _STAGE]
    outside = [] if file is None or file.parent == home or not file.exists() else [file]
    if not there and not outside:
        return
    if not force:
        raise BackupError(
            f"{(outside or [home])[0]} is not empty: name an empty home (EARSHOT_HOME), or say"
            " --force to have what is there moved aside"
        )
    aside = home / f"replaced-{now:%Y%m%dT%H%M%S}"
    aside.mkdir()
    for path in [*there, *outside]:
        if not path.name.startswith("replaced-"):
            shutil.move(path, aside / path.name)


def _require_empty(settings: Settings) -> None:
    engine = connect.open_database(settings)
    try:
        found = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if found:
        raise BackupError(
            f"the database has tables already ({', '.join(sorted(found)[:3])} …): create an empty"
            " one with `createdb`, and name it in database.url"
        )


def _settle(
    engine: Engine, taken: Manifest, settle: Settle, now: datetime, *, versioned: bool
) -> int:
    """Have the restored data settled; where the version is not there yet, write it with that."""
    try:
        with db.open_sessions(engine).begin() as session:
            settled = settle(session, taken, now)
            if not versioned:
                table = schema.VERSION_TABLE
                session.execute(
                    text(
                        f"create table {table} (version_num varchar(32) not null,"
                        f" constraint {table}_pkc primary key (version_num))"
                    )
                )
                session.execute(
                    text(f"insert into {table} values (:revision)"),  # noqa: S608 -- our own constant
                    {"revision": taken.schema},
                )
    finally:
        engine.dispose()
    return settled


def _put_in_place(stage: Path, home: Path) -> None:
    """Move what was staged into `home`, which may be a mounted volume: not the folder itself."""
    if stage.exists():
        for path in sorted(stage.iterdir()):
            path.replace(home / path.name)
