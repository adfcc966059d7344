"""What the system runs on in a fault run: SQLite, or Kafka and PostgreSQL behind proxies."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url

from earshot import settings
from earshot.log.contract import Log
from earshot.runtime import connect
from tests.faults.plan import ROLES, Kind
from tests.faults.proxy import Proxy
from tests.services.kafka_cluster import KafkaCluster
from tests.services.ports import HOST, free_ports
from tests.services.postgres import Postgres

EVERYWHERE: Mapping[Kind, Sequence[str]] = {
    Kind.KILL: ROLES,
    Kind.STOP: ROLES,
    Kind.POWER_CUT: ("all",),
    Kind.POISON: ("mentions", "classified"),
    Kind.STORM: ("429", "500", "503"),
    Kind.REBALANCE: ("classify", "route"),
}


class Backend(Protocol):
    """Log and database of one run, with what of them can go wrong."""

    @property
    def home(self) -> Path:
        """The system's own folder."""

    @property
    def env(self) -> Mapping[str, str]:
        """The settings that lead the roles here."""

    @property
    def database_url(self) -> str:
        """The database for whoever watches: past every proxy."""

    @property
    def links(self) -> Mapping[str, Proxy]:
        """What the roles reach through a proxy."""

    @property
    def skipped(self) -> Mapping[Kind, str]:
        """Kinds of fault that this machine does not allow, and why."""

    def targets(self) -> Mapping[Kind, Sequence[str]]:
        """What each kind of fault may hit here."""

    def start(self) -> None: ...

    def close(self) -> None: ...


class OnSqlite:
    """Everything in one folder, on a small disk of its own where that can be mounted."""

    links: Mapping[str, Proxy] = {}

    def __init__(self, folder: Path, disk_mb: int) -> None:
        self.home = folder / "disk" / "home"
        self.home.parent.mkdir(parents=True)
        self.env: Mapping[str, str] = {}
        self.database_url = f"sqlite:///{self.home}/earshot.db"
        self.skipped: dict[Kind, str] = {}
        self._disk_mb = disk_mb
        self._mounted = False

    def targets(self) -> Mapping[Kind, Sequence[str]]:
        # one machine has one clock: only what a router writes down can be off by itself
        here: dict[Kind, Sequence[str]] = {**EVERYWHERE, Kind.CLOCK: ("route",)}
        return here | ({Kind.DISK_FULL: ("home",)} if self._mounted else {})

    def start(self) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self._disk_mb}m", "tmpfs", self.home.parent],
            capture_output=True,
            text=True,
            check=False,
        )
        self._mounted = done.returncode == 0
        if not self._mounted:
            self.skipped[Kind.DISK_FULL] = f"no small disk: {done.stderr.strip()}"

    def close(self) -> None:
        if self._mounted:  # lazily: a process that is just ending may still look at it
            subprocess.run(["umount", "-l", self.home.parent], check=True)


class OnKafka:
    """Kafka of one broker or three, and PostgreSQL; the roles reach each through a proxy."""

    def __init__(self, folder: Path, brokers: int) -> None:
        self.home = folder / "home"
        self.skipped: dict[Kind, str] = {}
        self.postgres = Postgres(folder / "postgres")
        self.database_url = self.postgres.address
        address = make_url(self.database_url)
        self.links: dict[str, Proxy] = {"postgresql": Proxy(int(address.port or 0))}
        ports = free_ports(brokers)
        kafka = [Proxy(port) for port in ports]
        self.links |= {f"kafka-{node}": proxy for node, proxy in enumerate(kafka, 1)}
        self.cluster = KafkaCluster(
            folder / "kafka", brokers, ports=ports, advertised=[proxy.port for proxy in kafka]
        )
        bootstrap = ",".join(f"{HOST}:{proxy.port}" for proxy in kafka)
        near = address.set(port=self.links["postgresql"].port)
        self.env: Mapping[str, str] = {
            "EARSHOT_LOG__URL": f"kafka://{bootstrap}",
            "EARSHOT_LOG__REPLICATION": str(brokers),
            "EARSHOT_DATABASE__URL": near.render_as_string(hide_password=False),
        }

    def targets(self) -> Mapping[Kind, Sequence[str]]:
        links = tuple(self.links)
        here: dict[Kind, Sequence[str]] = {
            **EVERYWHERE,
            Kind.CLOCK: ("route", "sweep", "send", "maintain"),
            Kind.DATABASE_AWAY: ("postgresql",),
            Kind.DELAY: links,
            Kind.THROTTLE: links,
            Kind.RESET: links,
            Kind.HALF_OPEN: links,
        }
        if len(self.cluster.brokers) == 1:
            return here | {Kind.BROKER_AWAY: ("kafka",)}
        return here | {
            Kind.LEADER_KILLED: ("mentions", "classified"),
            Kind.CONTROLLER_KILLED: ("controller",),
            Kind.ROLLING_RESTART: ("all",),
        }

    def start(self) -> None:
        self.cluster.start()
        self.postgres.start()

    def close(self) -> None:
        for proxy in self.links.values():
            proxy.close()
        self.cluster.kill()
        with contextlib.suppress(FileNotFoundError):  # it is down already
            self.postgres.kill()


def open_log(backend: Backend) -> Log:
    """A connection of its own to the log. Raises LogError."""
    return connect.open_log(
        settings.load(None, {**backend.env, "EARSHOT_HOME": str(backend.home)}), "faults"
    )
