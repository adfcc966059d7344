"""The whole system as a user runs it: `earshot up` in a folder of its own, and its roles."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class System:
    """One installation below `home`. `env` holds further settings as variables."""

    home: Path
    env: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    config: str = ""
    process: subprocess.Popen[bytes] | None = None

    def variables(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_") and k != "PORT"}
        return (
            kept | {"EARSHOT_HOME": str(self.home), "EARSHOT_TELEMETRY__PORT": "0"} | dict(self.env)
        )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "operations", *words]

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if self.config:
            path = self.home / "earshot.toml"
            path.write_text(self.config)
            self.env = {**self.env, "EARSHOT_CONFIG": str(path)}
        with (self.home / "up.log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command("up", *self.arguments),
                cwd=ROOT,
                env=self.variables(),
                stdout=output,
                stderr=output,
            )

    def stop(self, timeout_s: float = 60.0) -> int:
        """Ask it to end as Ctrl-C would, and wait; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """End everything at once, the supervisor first."""
        if self.process is not None and self.process.poll() is None:
            pids = [pid for pids in self.roles().values() for pid in pids]
            self.process.kill()
            self.process.wait()
            for pid in pids:
                _kill(pid)

    def roles(self) -> dict[str, list[int]]:
        """The running processes of each role, by name."""
        found: dict[str, list[int]] = {}
        assert self.process is not None
        for pid in children_of(self.process.pid):
            words = command_line(pid)
            if "--supervised" in words:
                found.setdefault(words[words.index("--supervised") - 1], []).append(pid)
        return found

    def kill_role(self, name: str) -> bool:
        """`kill -9` the processes of one role; whether there was one."""
        pids = self.roles().get(name, [])
        for pid in pids:
            _kill(pid)
        return bool(pids)

    def ledger(self) -> dict[str, Any]:
        done = subprocess.run(
            self.command("ledger", "--json"),
            cwd=ROOT,
            env=self.variables(),
            capture_output=True,
            check=False,
        )
        if not done.stdout:
            raise AssertionError(done.stderr.decode())
        found: dict[str, Any] = msgspec.json.decode(done.stdout)
        return found | {"exit_code": done.returncode}

    def log(self) -> str:
        return (self.home / "up.log").read_text(errors="replace")

    def tail(self, characters: int = 3_000) -> str:
        """The end of the log, for the message of whoever waited in vain."""
        path = self.home / "up.log"
        return path.read_text(errors="replace")[-characters:] if path.exists() else "no log yet"


def wait_until(
    condition: Callable[[], object],
    timeout_s: float,
    what: str | Callable[[], str],
    every_s: float = 0.1,
) -> None:
    """Wait for `condition`, or fail with `what` was waited for, as it is known by then."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(every_s)
    raise AssertionError(
        f"after {timeout_s:g} s: still not {what if isinstance(what, str) else what()}"
    )


def children_of(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its reaped children, in seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(int(n) for n in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """The process's resident memory in megabytes."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
