"""A PostgreSQL database as a file and back, by PostgreSQL's own pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import make_url

from earshot.database.schema import VERSION_TABLE
from operations.backup.manifest import BackupError


def dump(url: str, target: Path) -> None:
    """Write the database at `url` to `target`, as it stood at one moment. Raises BackupError."""
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def restore(url: str, source: Path) -> None:
    """Fill the empty database at `url` from `source`, except for the table of the schema's version.

    All or nothing, in one transaction. Without a version every role refuses the database: the
    caller writes it once the rest is as it should be. Raises BackupError.
    """
    contents = _run("pg_restore", "", "--list", str(source))
    wanted = [line for line in contents.splitlines() if VERSION_TABLE not in line.split()]
    chosen = source.with_name(f"{source.name}.{os.getpid()}.list")
    try:
        chosen.write_text("\n".join(wanted) + "\n")
        _run(
            "pg_restore",
            url,
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            f"--use-list={chosen}",
            str(source),
        )
    finally:
        chosen.unlink(missing_ok=True)


def _run(program: str, url: str, *arguments: str) -> str:
    """What the program said. A password goes by the environment, where `ps` does not show it."""
    found = shutil.which(program)
    if found is None:
        raise BackupError(
            f"there is no {program} on this machine: install PostgreSQL's client programs"
            " (Debian: postgresql-client), of the server's version or a newer one"
        )
    command, env = [found, *arguments], dict(os.environ)
    where = ""
    if url:
        address = make_url(url).set(drivername="postgresql")
        where = f" with {address.render_as_string(hide_password=True)}"
        if address.password:
            env["PGPASSWORD"] = str(address.password)
            address = address._replace(password=None)
        command.insert(1, f"--dbname={address.render_as_string(hide_password=False)}")
    done = subprocess.run(  # noqa: S603 -- PostgreSQL's program, and arguments of ours
        command, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        said = next((line for line in lines if "error:" in line), " ".join(lines[:1]))
        raise BackupError(f"{program}{where} failed ({done.returncode}): {said}; mend that first")
    return done.stdout
