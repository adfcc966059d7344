"""Make an installation with the code of release 0.1.0, as its users may have it, and pack it.

    git worktree add /tmp/earshot-0.1.0 v0.1.0
    python -m tests.upgrade.make_installation /tmp/earshot-0.1.0 0.1.0.tar.xz
    python -m tests.upgrade.make_installation /tmp/earshot-0.1.0 0.1.0-postgresql.tar.xz \
        --database postgresql+psycopg://…

The tests unpack those that stand in tests/data/installations/.

The release's own roles run in a home of their own: they collect from a simulator, lose answers,
die in the middle of sending, and meet records that they can't handle. The archive holds the home
as they left it (on PostgreSQL with a dump beside it) and `truth.json`: what must still be there.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.upgrade.programs import POISON, TRUTH, WORK

SECRET = "a bearer token of 0.1.0"
PASSWORD = "the password of 0.1.0"
SEED_KEY = base64.b64encode(bytes(range(32))).decode()

CONFIG = """
[log]
partitions = 2
retention_s = 1000000000.0

[web]
secret_key = "of a test, and no secret"

[classify]
batch_size = 100

[route]
batch_size = 100

[send]
lease_s = 30.0
confirm_after_s = 1.0

[retention]
days = 0
sources = { x-mentions = 3650 }

[sources.world]
brand = "acme"
kind = "simulator"
rate = 60.0
count = 400
backlog = 0
catch_up_s = 36000.0
duplicate = 0.05
edit = 0.05
delete = 0.03
follow_up = 0.0
lose_answer = 0.2
late_visibility_s = 0.5

[sources.late]
brand = "acme"
kind = "simulator"
seed = 11
rate = 100.0
count = 400
backlog = 0
catch_up_s = 36000.0
follow_up = 0.0
"""
"""Every key is one of 0.1.0. `retention_s` keeps what nobody has read until the test does."""


@dataclass
class Release:
    """The code of a release in `checkout`, working on the installation in `home`."""

    checkout: Path
    home: Path
    database: str = ""

    def variables(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_") and k != "PORT"}
        return kept | {
            "EARSHOT_HOME": str(self.home),
            "EARSHOT_CONFIG": str(self.home / "earshot.toml"),
            "EARSHOT_BRANDS": str(self.home / "brands"),
            "EARSHOT_TELEMETRY__PORT": "0",
            "EARSHOT_CREDENTIALS__KEYS": f"first:{SEED_KEY}",
            **({"EARSHOT_DATABASE__URL": self.database} if self.database else {}),
        }

    def run(self, *words: str, given: str = "") -> str:
        """Run one of its commands to the end. Raises RuntimeError with what it said."""
        return self._finished([sys.executable, "-m", "earshot", *words], given)

    def program(self, text: str, *words: str) -> str:
        """Run a program of ours on its code, and give what it prints."""
        return self._finished([sys.executable, "-c", text, *words])

    def start(self, *words: str, crash_at: str = "") -> subprocess.Popen[bytes]:
        """Start one of its roles."""
        env = self.variables() | ({"EARSHOT_CRASH_AT": crash_at} if crash_at else {})
        with (self.home.parent / "roles.log").open("ab") as log:
            command = [sys.executable, "-m", "earshot", *words]
            return subprocess.Popen(command, cwd=self.checkout, env=env, stdout=log, stderr=log)

    def _finished(self, command: list[str], given: str = "") -> str:
        done = subprocess.run(
            command,
            cwd=self.checkout,
            env=self.variables(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[1:4]}: {done.stdout[-1_000:]}{done.stderr[-3_000:]}")
        return done.stdout

    def truth(self) -> dict[str, Any]:
        """What is stored now, told by the release's own code."""
        found: dict[str, Any] = json.loads(self.program(TRUTH))
        return found


def end(*roles: subprocess.Popen[bytes]) -> None:
    """Ask roles to end, and wait until they have."""
    for role in roles:
        role.send_signal(signal.SIGTERM)
    for role in roles:
        role.wait(60)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"after {timeout_s:g} s: still not {what}")
        time.sleep(0.2)


def set_up(release: Release) -> None:
    """Configuration, schema, people and a sealed credential."""
    release.home.mkdir(parents=True)
    (release.home / "earshot.toml").write_text(CONFIG)
    shutil.copytree(release.checkout / "config" / "brands", release.home / "brands")
    release.run("db", "upgrade")
    for email, name, role in (
        ("ada@acme.example", "Ada Owner", "admin"),
        ("lis@acme.example", "Lis Listener", "listener"),
        ("bob@acme.example", "Bob Responder", "responder"),
        ("ana@acme.example", "Ana Responder", "responder"),
    ):
        teams = ("--team", "care") if role == "responder" else ()
        release.run("person", "add", email, name, "--brand", "acme", "--role", role, *teams)
    release.run("credential", "set", "acme", "x-bearer", given=f"{SECRET}\n")


def live(release: Release) -> None:
    """Let the roles run, people work, and some of it go wrong."""
    collect = release.start("collect", "world")
    rest = [release.start(role) for role in ("classify", "route", "sweep")]
    wait_until(lambda: release.truth()["counts"]["mention"] > 150, "150 mentions stored")
    release.program(WORK, PASSWORD)
    release.program(POISON, "mentions", "classified")
    wait_until(lambda: len(release.truth()["dead"]) == 2, "the dead letters stored")
    wait_until(lambda: _is_collected(release), "everything of the first source collected")
    end(collect, *rest)
    send = release.start("send", crash_at="send.called:4")
    wait_until(lambda: send.poll() is not None, "the sender ended in the middle of a reply")
    late = release.start("collect", "late")
    wait_until(lambda: _is_collected(release), "everything of the second source collected")
    end(late)
    classify = release.start("classify", crash_at="stage.flushed:2")
    wait_until(lambda: classify.poll() is not None, "the classifier ended before it committed")
    release.program(POISON, "mentions")


def _is_collected(release: Release) -> bool:
    before = release.truth()["counts"]["receipt"]
    time.sleep(4)
    return bool(before == release.truth()["counts"]["receipt"])


def checkpoint(home: Path) -> None:
    """Fold what SQLite keeps beside its files into them, so that each is whole by itself."""
    beside = ("-wal", "-shm")
    for path in [p for p in home.rglob("*") if p.is_file() and not p.name.endswith(beside)]:
        with path.open("rb") as file:
            if file.read(15) != b"SQLite format 3":
                continue
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
            connection.execute("vacuum")


def archive(release: Release, target: Path) -> None:
    """Pack the home, the truth, and where there is one the dump of the database."""
    folder = release.home.parent
    (folder / "truth.json").write_text(json.dumps(release.truth(), indent=1, sort_keys=True))
    names = ["home", "truth.json"]
    if release.database:
        url = release.database.replace("+psycopg", "")
        dump = ["pg_dump", "--no-owner", "--no-privileges", f"--file={folder / 'dump.sql'}", url]
        subprocess.run(dump, check=True)
        names.append("dump.sql")
    checkpoint(release.home)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:xz", preset=9) as packed:
        for name in names:
            packed.add(folder / name, arcname=name, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if entry.name.endswith(("-wal", "-shm", "/crashed")):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("checkout", type=Path, help="a checkout of the release v0.1.0")
    reader.add_argument("target", type=Path, help="the archive to write")
    reader.add_argument("--database", default="", help="an empty PostgreSQL database; else SQLite")
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        release = Release(given.checkout.resolve(), Path(folder) / "home", given.database)
        set_up(release)
        try:
            live(release)
        except BaseException:
            log = Path(folder) / "roles.log"
            sys.stderr.write(log.read_text()[-5_000:] if log.exists() else "")
            raise
        archive(release, given.target)


if __name__ == "__main__":
    main()
