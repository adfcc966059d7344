"""Carries out a plan of faults against a running system, each in a thread of its own.

What is taken away is given back, always; two faults never hold the same thing at once.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from earshot.log.contract import Consumer, LogError
from tests.faults.backend import Backend, OnKafka, open_log
from tests.faults.plan import Fault, Kind
from tests.faults.poison import brew
from tests.faults.world import World
from tests.services.kafka import Kafka
from tests.system import ROOT, System, wait_until

PATIENCE_S = 120.0
"""How long a fault waits for what it needs: a role that is just starting, a broker."""

TOPIC_OF = {"classify": "mentions", "route": "classified"}
HOUR_S = 3_600


@dataclass
class Nemesis:
    """What was done so far: `done` by kind, `poison` by value, `outages` in seconds of the run."""

    system: System
    backend: Backend
    world: World
    done: Counter[Kind] = field(default_factory=Counter)
    poison: Counter[bytes] = field(default_factory=Counter)
    outages: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _locks: dict[str, threading.RLock] = field(default_factory=lambda: defaultdict(threading.RLock))

    def carry_out(self, plan: Sequence[Fault], stop: threading.Event) -> None:
        """Inject each fault at its time, and wait until all are over."""
        began = time.monotonic()
        threads = []
        for fault in plan:
            if stop.wait(max(0.0, began + fault.at_s - time.monotonic())):
                break
            threads.append(threading.Thread(target=self._inject, args=(fault,), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(3 * PATIENCE_S)
            if thread.is_alive():
                self.failures.append(f"a fault did not end within {3 * PATIENCE_S:g} s")

    @property
    def outage_s(self) -> float:
        """For how long at least one thing was away, all in all."""
        total, end = 0.0, 0.0
        for start, stop in sorted(self.outages):
            total += max(0.0, stop - max(start, end))
            end = max(end, stop)
        return total

    def _inject(self, fault: Fault) -> None:
        act: Callable[[Fault], None] = {
            Kind.KILL: self._kill,
            Kind.STOP: self._stop,
            Kind.POWER_CUT: self._power_cut,
            Kind.BROKER_AWAY: self._broker_away,
            Kind.DATABASE_AWAY: self._database_away,
            Kind.DELAY: self._delay,
            Kind.THROTTLE: self._throttle,
            Kind.RESET: self._reset,
            Kind.HALF_OPEN: self._half_open,
            Kind.DISK_FULL: self._disk_full,
            Kind.CLOCK: self._clock,
            Kind.POISON: self._poison,
            Kind.STORM: self._storm,
            Kind.REBALANCE: self._rebalance,
            Kind.LEADER_KILLED: self._leader_killed,
            Kind.CONTROLLER_KILLED: self._controller_killed,
            Kind.ROLLING_RESTART: self._rolling_restart,
        }[fault.kind]
        try:
            act(fault)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the run must end and tell it
            self.failures.append(f"{fault}: {type(error).__name__}: {error}")
        else:
            self.done[fault.kind] += 1

    @contextmanager
    def _away(self, *what: str) -> Iterator[None]:
        """Hold `what`, in one order for all, and note for how long it was away."""
        with ExitStack() as held:
            for name in sorted(what):
                held.enter_context(self._locks[name])
            began = time.monotonic()
            try:
                yield
            finally:
                self.outages.append((began, time.monotonic()))

    # ------------------------------------------------------------ roles

    def _running(self, role: str) -> list[int]:
        """The processes of a role, once there are some: it may just be starting again."""
        found: list[int] = []

        def there() -> bool:
            found[:] = self.system.roles().get(role, [])
            return bool(found)

        wait_until(there, PATIENCE_S, lambda: f"running: {role}; {self.system.tail()}")
        return found

    def _kill(self, fault: Fault) -> None:
        """End a role with `kill -9`; its supervisor starts it again."""
        with self._locks["roles"]:
            for pid in self._running(fault.target):
                _signal(pid, signal.SIGKILL)

    def _stop(self, fault: Fault) -> None:
        """Freeze a role, as a machine does that is out of memory, and let it go on."""
        with self._away(fault.target):
            pids = self._running(fault.target)
            for pid in pids:
                _signal(pid, signal.SIGSTOP)
            time.sleep(fault.seconds)
            for pid in pids:
                _signal(pid, signal.SIGCONT)

    def _power_cut(self, fault: Fault) -> None:
        """End the supervisor and every role at once, and start again."""
        with self._away("roles", "broker", "database", "disk"):
            self.system.kill()
            time.sleep(fault.seconds)
            wait_until(
                self._started, PATIENCE_S, lambda: f"started again; {self.system.tail()}", 0.5
            )

    def _started(self) -> bool:
        """Start the supervisor unless it runs: as systemd does, until what it needs is there."""
        if self.system.process is None or self.system.process.poll() is not None:
            self.system.start()
        return bool(self.system.roles())

    def _clock(self, fault: Fault) -> None:
        """Let one more process of a role join in, whose clock is an hour off, and kill it."""
        dice = random.Random(fault.seed)
        offset = dice.choice((-HOUR_S, HOUR_S))
        with (self.system.home / "clock.log").open("ab") as output:
            process = subprocess.Popen(
                self.system.command(fault.target, f"--clock-offset={offset}"),
                cwd=ROOT,
                env=self.system.variables(),
                stdout=output,
                stderr=output,
            )
            time.sleep(fault.seconds)
            process.kill()
            process.wait()

    # ------------------------------------------------------------ what they stand on

    def _broker_away(self, fault: Fault) -> None:
        """Kill the only broker, and start it again on what it had written."""
        (broker,) = self._brokers()
        with self._away("broker"):
            self._restart(broker, fault.seconds)

    def _database_away(self, fault: Fault) -> None:
        """Kill PostgreSQL with all its processes, and start it again."""
        postgres = self._on_kafka().postgres
        with self._away("database"):
            postgres.kill()
            time.sleep(fault.seconds)
            postgres.start(PATIENCE_S)

    def _leader_killed(self, fault: Fault) -> None:
        """Kill the broker that leads a partition of the topic; another takes over."""
        with self._away("broker"):
            node = self._on_kafka().cluster.leader_of(fault.target, fault.seed % 4)
            self._restart(self._brokers()[node - 1], fault.seconds)

    def _controller_killed(self, fault: Fault) -> None:
        """Kill the broker that leads the cluster's metadata; another takes over."""
        with self._away("broker"):
            node = self._on_kafka().cluster.controller()
            self._restart(self._brokers()[node - 1], fault.seconds)

    def _rolling_restart(self, fault: Fault) -> None:
        """Stop each broker in order and start it again, one after the other."""
        with self._away("broker"):
            for broker in self._brokers():
                broker.stop()
                broker.start(PATIENCE_S)
                time.sleep(2.0)  # it catches up with the others before the next one goes

    def _restart(self, broker: Kafka, after_s: float) -> None:
        broker.kill()
        time.sleep(after_s)
        broker.start(PATIENCE_S)

    def _on_kafka(self) -> OnKafka:
        assert isinstance(self.backend, OnKafka), "a plan for Kafka needs Kafka"
        return self.backend

    def _brokers(self) -> list[Kafka]:
        return self._on_kafka().cluster.brokers

    def _disk_full(self, fault: Fault) -> None:
        """Fill the disk below the system's home to its last byte, and free it again."""
        ballast = self.backend.home.parent / "ballast"
        with self._away("disk"):
            try:
                until = time.monotonic() + fault.seconds
                with ballast.open("wb", buffering=0) as file:
                    while time.monotonic() < until:
                        with contextlib.suppress(OSError):  # no space: exactly so
                            file.write(b"\0" * 4_096)
                            continue
                        time.sleep(0.05)
            finally:
                ballast.unlink()

    # ------------------------------------------------------------ the network

    def _delay(self, fault: Fault) -> None:
        """Hold up every packet of a link."""
        proxy = self.backend.links[fault.target]
        with self._away(fault.target):
            proxy.delay_s = 0.05 + (fault.seed % 100) / 400
            time.sleep(fault.seconds)
            proxy.delay_s = 0.0

    def _throttle(self, fault: Fault) -> None:
        """Let only so many bytes a second through each connection of a link."""
        proxy = self.backend.links[fault.target]
        with self._away(fault.target):
            proxy.bytes_per_s = 20_000 + fault.seed % 200_000
            time.sleep(fault.seconds)
            proxy.bytes_per_s = 0.0

    def _reset(self, fault: Fault) -> None:
        """Cut off every connection of a link at once."""
        self.backend.links[fault.target].reset()

    def _half_open(self, fault: Fault) -> None:
        """Let every connection of a link fall silent without an end."""
        self.backend.links[fault.target].half_open()

    # ------------------------------------------------------------ what comes in

    def _storm(self, fault: Fault) -> None:
        """Let the platform answer with 429, or with 500, or 503 to all that writes."""
        with self._away("platform"):
            self.world.storm(int(fault.target), fault.seconds)
            time.sleep(fault.seconds)

    def _poison(self, fault: Fault) -> None:
        """Put records straight onto a topic that nobody can read."""
        dice = random.Random(fault.seed)
        for value in brew(fault.target, fault.seed, dice.randint(3, 12)):
            for attempt in range(1, 61):
                self.poison[value] = attempt  # what failed may stand there nevertheless
                with contextlib.suppress(LogError):
                    self._publish(fault.target, value)
                    break
                time.sleep(1.0)
            else:
                raise TimeoutError(f"no poison could be put onto {fault.target} for a minute")

    def _publish(self, topic: str, value: bytes) -> None:
        log = open_log(self.backend)
        try:
            producer = log.producer()
            try:
                producer.send(topic, value[:20], value, {"odd": "header"})
                producer.flush(20.0)
            finally:
                producer.close()
        finally:
            log.close()

    def _rebalance(self, fault: Fault) -> None:
        """Let members join a group and leave it again, who take records and commit none."""
        until = time.monotonic() + fault.seconds
        members = [
            threading.Thread(target=self._join_and_leave, args=(fault.target, until), daemon=True)
            for _ in range(2)
        ]
        for member in members:
            member.start()
        for member in members:
            member.join(PATIENCE_S)

    def _join_and_leave(self, group: str, until: float) -> None:
        while time.monotonic() < until:
            with contextlib.suppress(LogError):
                log = open_log(self.backend)
                try:
                    member: Consumer = log.consumer(TOPIC_OF[group], group)
                    try:
                        member.poll(50, 1.0)
                    finally:
                        member.close()
                finally:
                    log.close()
            time.sleep(0.2)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
