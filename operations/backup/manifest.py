"""What a backup consists of: a folder with a manifest that names every file and its checksum.

manifest.json     what this is, when it was taken, by which version, and the files below
home/             what lies below `home`, without the database
database/         the SQLite file, or pg_dump's archive
config/           earshot.toml and the brands' folders, to be put where they are kept
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

FORMAT = 1
NAME = "manifest.json"

_CHUNK = 2**20


class BackupError(Exception):
    """A backup can't be taken or restored; the message says what, where and what to do."""


class CopiedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup. `path` is below the backup's folder, with slashes."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is known of a backup. `schema` is the database's revision.

    `offsets` are, where the log is Kafka's, the offsets that groups had committed before the
    database was copied: topic to group to partition to offset.
    """

    format: int
    version: str
    schema: str
    taken_at: datetime
    database: Literal["sqlite", "postgresql"]
    log: Literal["sqlite", "kafka"]
    files: tuple[CopiedFile, ...]
    offsets: dict[str, dict[str, dict[int, int]]] = {}


def describe(folder: Path, paths: Iterable[Path]) -> tuple[CopiedFile, ...]:
    """The files at `paths`, all below `folder`, with their sizes and checksums."""
    return tuple(
        CopiedFile(
            path=path.relative_to(folder).as_posix(),
            size=path.stat().st_size,
            sha256=checksum(path),
        )
        for path in sorted(paths)
    )


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def write(folder: Path, manifest: Manifest) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / NAME).write_bytes(encoded + b"\n")


def read(folder: Path) -> Manifest:
    """The manifest of the backup in `folder`. Raises BackupError."""
    path = folder / NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise BackupError(
            f"{path}: {error.strerror}; name a folder that `earshot backup` has written"
        ) from error
    except msgspec.DecodeError as error:
        raise BackupError(f"{path}: {error}; take another backup, this one is damaged") from error
    if manifest.format != FORMAT:
        raise BackupError(
            f"{path}: format {manifest.format} was written by Earshot {manifest.version}, this"
            f" version reads format {FORMAT}: restore it with that version"
        )
    return manifest


def verify(folder: Path, manifest: Manifest) -> None:
    """Raise BackupError that names every file that is missing, changed, or outside `folder`."""
    wrong = [said for file in manifest.files if (said := _fault(folder, file))]
    if wrong:
        raise BackupError(
            f"{folder} is not as it was taken: {'; '.join(wrong)}. Nothing was changed: restore"
            " another backup, or fetch this one again"
        )


def _fault(folder: Path, file: CopiedFile) -> str:
    parts = PurePosixPath(file.path).parts
    if not parts or ".." in parts or PurePosixPath(file.path).is_absolute():
        return f"{file.path!r} is no path below it"
    path = folder / file.path
    if path.is_symlink() or not path.is_file():
        return f"{file.path} is missing"
    if path.stat().st_size != file.size:
        return f"{file.path} has {path.stat().st_size} bytes, not {file.size}"
    if checksum(path) != file.sha256:
        return f"{file.path} was changed"
    return ""
