"""A real PostgreSQL server for tests, from the programs of Debian's package `postgresql`.

PostgreSQL refuses to run as root; there, everything runs as the package's user `postgres`.
The data lie in a folder of the caller's, so that a server can be killed and started again.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

from tests.services.ports import HOST, free_ports, wait_until_answers

_OWNER = "postgres"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl of the newest version installed."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


def missing() -> str:
    """What is not there to start a server, in words; empty when all is."""
    if programs() is None:
        return "there is no PostgreSQL (tests/services/install.sh installs it)"
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return "PostgreSQL does not run as root, and there is no runuser"
    return ""


class Postgres:
    """One server with its data in `folder`. Not started when made."""

    stop_signal = signal.SIGINT  # ends all connections; SIGTERM would wait for them

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        """A server with its data below `folder`; `settings` are words of postgresql.conf."""
        self._settings = dict(settings or {})
        self._data = folder / "data"
        self._out = folder / "server.out"
        (self._port,) = free_ports(1)
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, _OWNER, _OWNER)
            _let_through(folder)
        self._run(
            "initdb", "-A", "trust", "-U", _OWNER, "-E", "UTF8", "--no-sync", "-D", self._data
        )

    @property
    def address(self) -> str:
        """SQLAlchemy's URL of its first database, the same after every start."""
        address = URL.create(
            "postgresql+psycopg", username=_OWNER, host=HOST, port=self._port, database="postgres"
        )
        return address.render_as_string(hide_password=False)

    @property
    def pid(self) -> int:
        """The process id of the server's first process."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def start(self, within_s: float = 30.0) -> None:
        options = f"-p {self._port} -c listen_addresses={HOST} -c unix_socket_directories= "
        options += " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        self._run("pg_ctl", "-D", self._data, "-l", self._out, "-w", "-o", options, "start")
        wait_until_answers(self._port, within_s, f"PostgreSQL (its output is in {self._out})")

    def stop(self) -> None:
        """A shutdown that ends all connections."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")

    def kill(self) -> None:
        """A crash: SIGKILL to its first process, and to those that it leaves behind."""
        first = self.pid
        everyone = [first, *_children(first)]
        for pid in everyone:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(_runs(pid) for pid in everyone):
            time.sleep(0.01)
        # a killed process that nobody waits for keeps its number, and so would keep this lock
        (self._data / "postmaster.pid").unlink()

    def _run(self, program: str, *arguments: str | Path) -> None:
        folder = programs()
        if folder is None:
            raise RuntimeError(missing())
        command: list[str | Path] = [folder / program, *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", _OWNER, "--", *command]
        # pg_ctl's server inherits what it is given: a pipe would never end
        with (self._data.parent / f"{program}.out").open("w+") as out:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False, cwd="/"
            )
            if done.returncode != 0:
                out.seek(0)
                raise RuntimeError(f"{program} failed as {getpass.getuser()}: {out.read()[-2000:]}")


def _status(pid: int) -> tuple[str, int] | None:
    """A process's state (Z: ended, not waited for) and parent; None when it is gone."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return state, int(parent)


def _runs(pid: int) -> bool:
    status = _status(pid)
    return status is not None and status[0] != "Z"


def _children(parent: int) -> list[int]:
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if (status := _status(pid)) and status[1] == parent]


def _let_through(folder: Path) -> None:
    """Let the server's user pass the folders above: pytest makes its own for root alone."""
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            mode = parent.stat().st_mode
            if not mode & 0o001:
                parent.chmod(mode | 0o001)


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """A running server, ended when the caller is done whatever was done to it."""
    server = Postgres(folder)
    server.start()
    try:
        yield server
    finally:
        with suppress(FileNotFoundError):  # stopped in order already
            server.kill()


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of a new empty database of that server, dropped afterwards."""
    address = make_url(server_url)
    name = f"earshot_{uuid.uuid4().hex[:12]}"
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f"create database {name} template template0".encode())
        try:
            yield address.set(database=name).render_as_string(hide_password=False)
        finally:
            admin.execute(f"drop database {name} with (force)".encode())
