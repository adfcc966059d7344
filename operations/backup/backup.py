"""Take a backup of an installation while it runs.

Nothing is stopped, so the copies are of different moments, and their order decides whether
they fit together. Whatever says "this was done" must be copied before what it was done to:

    1. the groups' offsets     (committed means: the output is in the log or the database)
    2. the database            (a cursor means: the posts stand in the log)
    3. the topics' records
    4. everything else below `home`, with what stands for a platform in the demo

So each copy claims at most what a later copy holds: nothing is lost. What a later copy holds
beyond that is read or collected once more, and settles by its natural key: nothing is doubled.

One thing could break this: that records are trimmed between 1 and 3 which the offsets of 1
still need. It is looked for, and then everything is copied again.

Kafka's own records are not copied. The offsets of 1 are kept, for a restore to go back to.
What may have gone out since, a reply, is the business of the restore (`operations.backup.restore`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

import earshot
from earshot.database import schema
from earshot.log.contract import Log
from earshot.runtime import connect
from earshot.settings import Settings
from operations.accounting.ledger import PATH
from operations.backup import manifest, postgres_dump, sqlite_copy
from operations.backup.manifest import BackupError, CopiedFile, Manifest

ATTEMPTS = 3
"""How often all is copied before giving up on a log that is trimmed faster than it is copied."""

Offsets = Mapping[str, Mapping[str, Mapping[int, int]]]
"""Topic to group to partition to the first offset that is not committed."""

_ASIDE = (".restoring", "replaced-")
"""How the folders below `home` begin that a restore makes."""


@dataclass(frozen=True)
class Installation:
    """What is to be copied. `config` is the settings' file, `offsets` are those of Kafka's log."""

    settings: Settings
    config: Path | None = None
    offsets: Offsets | None = None

    @property
    def home(self) -> Path:
        return self.settings.home_path

    @property
    def database(self) -> Path | None:
        """The database's file; None when it is PostgreSQL's."""
        return database_file(self.settings)


def offsets_of(log: Log) -> Offsets:
    """How far every group on the way to the database has read. Raises LogError."""
    found: dict[str, dict[str, Mapping[int, int]]] = {}
    for topic, group in PATH:
        found.setdefault(topic, {})[group] = log.committed(topic, group)
    return found


def database_file(settings: Settings) -> Path | None:
    """The SQLite file of the settings; None when the database is PostgreSQL's."""
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise BackupError("database.url names no file: a database in memory can't be copied")
    return Path(url.database).resolve()


def take(installation: Installation, target: Path, now: datetime) -> Manifest:
    """Write a backup into the new folder `target`; its manifest.

    It is written beside `target` and gets its name when it is whole. Raises BackupError, and
    what the database raises.
    """
    if target.exists():
        raise BackupError(f"{target} is there already: name a folder that is not")
    if target.is_relative_to(installation.home):
        raise BackupError(
            f"{target} is below home, which it would be a copy of: name a folder elsewhere, best"
            " on another disk"
        )
    revision = _revision(installation.settings)
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True, mode=0o700)
        for _ in range(ATTEMPTS):
            _copy_all(installation, partial)
            if not _trimmed_meanwhile(partial / "home/log"):
                break
            shutil.rmtree(partial)
            partial.mkdir(mode=0o700)
        else:
            raise BackupError(
                f"the log was trimmed {ATTEMPTS} times while it was copied: raise log.retention_s,"
                f" or wait until the stages have caught up"
            )
        if _revision(installation.settings) != revision:
            raise BackupError("the schema was changed while it was copied: take the backup again")
        taken = Manifest(
            format=manifest.FORMAT,
            version=earshot.__version__,
            schema=revision,
            taken_at=now,
            database="sqlite" if installation.database else "postgresql",
            log="kafka" if installation.settings.log.url else "sqlite",
            files=_described(partial),
            offsets={
                topic: {group: dict(at) for group, at in groups.items()}
                for topic, groups in (installation.offsets or {}).items()
            },
        )
        manifest.write(partial, taken)
        _make_durable(partial)
        partial.rename(target)
    except OSError as error:
        raise BackupError(
            f"{error.filename or target}: {error.strerror}; see that there is room for a copy of"
            f" all data, and that the folder may be written"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return taken


def _revision(settings: Settings) -> str:
    engine = connect.open_database(settings)
    try:
        found = schema.current(engine)
    finally:
        engine.dispose()
    if found is None:
        raise BackupError("the database has no schema yet: there is nothing to back up")
    return found


def _copy_all(installation: Installation, target: Path) -> None:
    """Copy everything in the order that this module is about."""
    home, database = installation.home, installation.database
    paths = sorted(_files(home, database), key=lambda path: (_rank(home, path), path))
    for path in (path for path in paths if _rank(home, path) == 0):
        _copy(path, target / "home" / path.relative_to(home))
    (target / "database").mkdir()
    if database is None:
        postgres_dump.dump(installation.settings.database_url, target / "database/earshot.dump")
    else:
        sqlite_copy.copy(database, target / "database/earshot.db")
    for path in (path for path in paths if _rank(home, path) > 0):
        _copy(path, target / "home" / path.relative_to(home))
    _copy_config(installation, target / "config")


def _files(home: Path, database: Path | None) -> Iterator[Path]:
    """Every file below `home` but the database, and what belongs to no copy."""
    for path in home.rglob("*"):
        first = path.relative_to(home).parts[0]
        if first.startswith(_ASIDE) or path == database:
            continue
        if path.is_symlink() or not path.is_file() or path.name.endswith(sqlite_copy.SIDE_FILES):
            continue
        yield path


def _rank(home: Path, path: Path) -> int:
    """When a file is copied: offsets, then (after the database) records, then the rest."""
    if path.parent == home / "log":
        return 0 if path.suffix == ".groups" else 2
    # what waits to be published moves from here into the records
    return 1 if path.relative_to(home).parts[0] == "spool" else 3


def _copy(source: Path, target: Path) -> None:
    """Copy one file; one that was removed since it was listed is left out."""
    try:
        whole = sqlite_copy.is_sqlite(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if whole:
            sqlite_copy.copy(source, target)
        else:
            shutil.copy2(source, target)
    except FileNotFoundError:
        if source.exists():
            raise


def _copy_config(installation: Installation, target: Path) -> None:
    target.mkdir()
    if installation.config is not None:
        shutil.copy2(installation.config, target / "earshot.toml")
    shutil.copytree(installation.settings.resolve(installation.settings.brands), target / "brands")


def _trimmed_meanwhile(log: Path) -> bool:
    return any(
        sqlite_copy.lost_unread(records, records.with_suffix(".groups"))
        for records in log.glob("*.log")
        if records.with_suffix(".groups").exists()
    )


def _described(folder: Path) -> tuple[CopiedFile, ...]:
    return manifest.describe(folder, (path for path in folder.rglob("*") if path.is_file()))


def _make_durable(folder: Path) -> None:
    """Have everything on the disk before the backup gets its name."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
