"""A real Apache Kafka for tests: one broker in KRaft mode, started from its jars.

`tests/services/install.sh` fetches the jars. The data lie in a folder of the caller's, so
that a broker can be killed and started again on what it had written.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.ports import HOST, free_ports, wait_until_answers

JARS = Path(__file__).resolve().parents[2] / ".services" / "kafka-libs"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.network.threads=1
num.io.threads=2
num.partitions=4
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=1500
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


class Kafka:
    """One broker with its data in `folder`. Not started when made."""

    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, controller = free_ports(2)
        self._properties = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            _PROPERTIES.format(
                host=HOST, port=self._port, controller=controller, data=folder / "data"
            )
        )
        self._format()

    @property
    def address(self) -> str:
        """The bootstrap address, the same after every start."""
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the broker is not running: start it first")
        return self._process.pid

    def start(self, within_s: float = 60.0) -> None:
        with (self._folder / "server.out").open("ab") as out:
            self._process = subprocess.Popen(
                [*self._java(), "kafka.Kafka", str(self._properties)], stdout=out, stderr=out
            )
        try:
            wait_until_answers(self._port, within_s, f"Kafka (its output is in {self._folder})")
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
        cluster = base64.urlsafe_b64encode(b"tests" + os.urandom(11)).decode().rstrip("=")
        options = ["-t", cluster, "-c", str(self._properties)]
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
