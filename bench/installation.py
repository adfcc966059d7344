"""What is measured: the system, and the servers it is on, each as a part with processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.services import postgres as postgres_server
from tests.services.kafka import Kafka
from tests.services.postgres import Postgres
from tests.system import System, children_of, cpu_seconds, memory_mb

SUPERVISOR = "up"


@dataclass(frozen=True)
class Servers:
    """Where log and database are; empty: files below the system's home.

    `pids` names the first process of each server that was started for the measurement: only
    the work of these can be counted.
    """

    kafka: str = ""
    postgres: str = ""
    pids: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the figures are of."""
        log = "kafka" if self.kafka else "sqlite"
        database = "postgresql" if self.postgres else "sqlite"
        return log if log == database else f"{log}+{database}"


FOR_WRITING = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}
"""What `docs/how-to/run-on-kafka-and-postgresql.md` advises for a database that is written to."""


@contextmanager
def own_servers(within: Path) -> Iterator[Servers]:
    """A Kafka broker and a PostgreSQL server with an empty database, for one measurement."""
    with ExitStack() as stack:
        broker = Kafka(within / "kafka")
        broker.start()
        stack.callback(broker.stop)
        server = Postgres(within / "postgres", FOR_WRITING)
        server.start()
        stack.callback(server.stop)
        url = stack.enter_context(postgres_server.fresh_database(server.address))
        yield Servers(broker.address, url, {"kafka": broker.pid, "postgresql": server.pid})


@contextmanager
def installation(
    home: Path,
    servers: Servers,
    *,
    batch: int,
    classifiers: int = 1,
    routers: int = 1,
    messages_per_record: int = 1,
) -> Iterator[Installation]:
    """An installation below `home`, stopped at the end whatever happens."""
    env = {"EARSHOT_LOG__URL": f"kafka://{servers.kafka}"} if servers.kafka else {}
    env |= {"EARSHOT_LOG__MESSAGES_PER_RECORD": str(messages_per_record)}
    env |= {"EARSHOT_DATABASE__URL": servers.postgres} if servers.postgres else {}
    env |= {f"EARSHOT_{stage}__BATCH_SIZE": str(batch) for stage in ("CLASSIFY", "ROUTE")}
    roles = ("--classifiers", str(classifiers), "--routers", str(routers))
    system = System(home=home, env=env, arguments=("--no-desk", *roles))
    url = servers.postgres or f"sqlite:///{home}/earshot.db"
    home.mkdir()
    made = Installation(system, url, servers)
    try:
        yield made
    finally:
        made.stop()


@contextmanager
def place(servers: Servers | None) -> Iterator[tuple[Path, Servers]]:
    """A folder that goes away again, and the servers: without any given, our own."""
    with TemporaryDirectory(prefix="earshot-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        yield folder, servers or stack.enter_context(own_servers(folder))


@dataclass
class Installation:
    """The system under measurement; it may be stopped and started again."""

    system: System
    database_url: str
    servers: Servers

    def start(self, world: str) -> None:
        """Start all roles with `world` as their settings."""
        self.system.config = world
        self.system.start()

    def stop(self) -> None:
        if self.system.process is not None and self.system.process.poll() is None:
            self.system.stop()

    def check(self) -> None:
        """Raise RuntimeError, with the end of its log, if the system ended by itself."""
        if self.system.process is not None and self.system.process.poll() is not None:
            raise RuntimeError(f"the system ended by itself: {self.system.log()[-2_000:]}")

    def pids(self) -> dict[str, Sequence[int]]:
        """The processes of every part that runs now."""
        found: dict[str, Sequence[int]] = {}
        if self.system.process is not None and self.system.process.poll() is None:
            found = {SUPERVISOR: [self.system.process.pid], **self.system.roles()}
        return found | {name: list(_tree(pid)) for name, pid in self.servers.pids.items()}

    def cpu_s(self) -> dict[str, float]:
        """The CPU that each part has used since it started, in seconds."""
        return {name: sum(map(cpu_seconds, pids)) for name, pids in self.pids().items()}

    def memory_mb(self) -> dict[str, float]:
        """The resident memory of the largest process of each part, in megabytes."""
        return {name: max(map(memory_mb, pids)) for name, pids in self.pids().items()}


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in children_of(pid):
        yield from _tree(child)


def world(count: int, rate: float, batch: int) -> str:
    """Settings whose only source is the simulator.

    `count` posts in all (0: for ever), `rate` a second (0: as fast as they are asked for),
    `batch` a poll.
    """
    return f"""
[sources.world]
brand = "acme"
kind = "simulator"
rate = {rate}
count = {count}
backlog = 0
batch = {batch}
catch_up_s = 3600.0
parts = 4
"""
