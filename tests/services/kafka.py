"""A real Apache Kafka for tests: a broker in KRaft mode, started from its jars.

`tests/services/install.sh` fetches the jars. The data lie in a folder of the caller's, so
that a broker can be killed and started again on what it had written. One broker is a
cluster of its own; `tests.services.kafka_cluster` makes several into one.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from tests.services.ports import HOST, free_ports, wait_until_answers

JARS = Path(__file__).resolve().parents[2] / ".services" / "kafka-libs"

_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller},WITHIN://{host}:{within}
advertised.listeners=PLAINTEXT://{host}:{advertised},WITHIN://{host}:{within}
controller.listener.names=CONTROLLER
inter.broker.listener.name=WITHIN
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,WITHIN:PLAINTEXT
log.dirs={data}
num.network.threads=1
num.io.threads=2
num.partitions=4
default.replication.factor={replicas}
min.insync.replicas={in_sync}
unclean.leader.election.enable=false
replica.lag.time.max.ms=3000
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=300
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=8388608
auto.create.topics.enable=false
"""


def missing() -> str:
    """What is not there to start a broker, in words; empty when all is."""
    if shutil.which("java") is None:
        return "there is no java (tests/services/install.sh installs it)"
    if not any(JARS.glob("kafka_*.jar")):
        return f"Kafka's jars are not in {JARS} (tests/services/install.sh fetches them)"
    return ""


def new_cluster_id() -> str:
    return base64.urlsafe_b64encode(b"tests" + os.urandom(11)).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A broker's place in its cluster. `controllers` are the ports of all, by node from 1 on.

    Clients reach it at `advertised`, which may be the port of a proxy before `port`.
    """

    node: int
    cluster_id: str
    controllers: Sequence[int]
    port: int
    within: int
    advertised: int
    replicas: int = 1
    in_sync: int = 1

    def properties(self, data: Path) -> str:
        voters = ",".join(f"{n}@{HOST}:{port}" for n, port in enumerate(self.controllers, 1))
        return _PROPERTIES.format(
            host=HOST,
            voters=voters,
            controller=self.controllers[self.node - 1],
            data=data,
            **{f.name: getattr(self, f.name) for f in fields(self)},
        )


def alone() -> Place:
    """The place of a broker that is a cluster of its own, on free ports."""
    port, controller, within = free_ports(3)
    return Place(
        node=1,
        cluster_id=new_cluster_id(),
        controllers=(controller,),
        port=port,
        within=within,
        advertised=port,
    )


class Kafka:
    """One broker with its data in `folder`. Not started when made."""

    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, place: Place | None = None) -> None:
        self._folder = folder
        self.place = place or alone()
        self._properties = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self.place.properties(folder / "data"))
        self._format()

    @property
    def address(self) -> str:
        """The bootstrap address, the same after every start."""
        return f"{HOST}:{self.place.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the broker is not running: start it first")
        return self._process.pid

    def start(self, within_s: float = 60.0) -> None:
        self.launch()
        self.wait_until_up(within_s)

    def launch(self) -> None:
        """Start it without waiting: brokers of one cluster wait for each other."""
        with (self._folder / "server.out").open("ab") as out:
            self._process = subprocess.Popen(
                [*self._java(), "kafka.Kafka", str(self._properties)], stdout=out, stderr=out
            )

    def wait_until_up(self, within_s: float = 60.0) -> None:
        """Raises TimeoutError, and ends it, when it does not answer in time."""
        what = f"Kafka (its output is in {self._folder})"
        try:
            wait_until_answers(self.place.port, within_s, what)
        except TimeoutError:
            self.kill()
            raise

    def stop(self) -> None:
        """A clean shutdown."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """A crash: SIGKILL."""
        self._end(signal.SIGKILL)

    def _format(self) -> None:
        options = ["-t", self.place.cluster_id, "-c", str(self._properties)]
        done = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", "format", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"Kafka could not format {self._folder}: {done.stderr[-2000:]}")

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _java(self) -> list[str]:
        return [
            "java",
            "-Xms128m",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            "-cp",
            f"{JARS}/*",
        ]


@contextmanager
def kafka(folder: Path) -> Iterator[Kafka]:
    """A running broker, stopped at the end whatever the test did with it."""
    broker = Kafka(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
