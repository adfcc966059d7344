"""The broker goes away for a while, as a collector meets it: a real one, and `earshot collect`.

    python -m tests.outage --seconds 300 --rate 200

Before it is back the collector is killed once, too. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

from sqlalchemy import func, select

from earshot.database import db, schema
from earshot.database.tables import ReceiptRow
from earshot.domain import Mention
from earshot.log.kafka.log import KafkaLog
from earshot.log.spool.spool import Waiting, spools
from earshot.log.topics import MENTIONS
from earshot.runtime import connect
from earshot.settings import Settings, load
from tests.services.kafka import Kafka, kafka
from tests.system import ROOT, System, memory_mb, wait_until

CONFIG = """
[sources.world]
brand = "acme"
kind = "simulator"
rate = {rate}
parts = 2
catch_up_s = 86400.0
duplicate = 0.0
edit = 0.0
delete = 0.0
late = 0.0
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of everything. Memory is that of the collector while the broker was away."""

    away_s: float
    collected: int
    lost: int
    published_twice: int
    out_of_order: int
    most_spooled: int
    drained_s: float
    memory_first_mb: float
    memory_most_mb: float


@dataclass
class Collecting:
    """An installation whose only role is `collect`."""

    home: Path
    broker: str
    rate: float
    process: subprocess.Popen[bytes] | None = None
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        config = self.home / "earshot.toml"
        config.write_text(CONFIG.format(rate=self.rate))
        self.env = {
            "EARSHOT_HOME": str(self.home / "data"),
            "EARSHOT_CONFIG": str(config),
            "EARSHOT_LOG__URL": f"kafka://{self.broker}",
        }
        self.settings = load(config, {k: v for k, v in self.env.items() if k != "EARSHOT_CONFIG"})
        engine = connect.open_database(self.settings)
        schema.upgrade(engine)
        engine.dispose()

    def start(self) -> None:
        system = System(self.home / "data", self.env)
        with (self.home / "collect.log").open("ab") as output:
            self.process = subprocess.Popen(
                system.command("collect"),
                cwd=ROOT,
                env=system.variables(),
                stdout=output,
                stderr=output,
            )

    def end(self, *, kill: bool = False) -> None:
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(60)
            self.process = None

    def memory(self) -> float:
        assert self.process is not None
        assert self.process.poll() is None, self.tail()
        return memory_mb(self.process.pid)

    def spooled(self) -> int:
        nothing = Waiting(0, 0, 0.0)
        return spools(connect.spool_folder(self.settings)).get("all", nothing).messages

    def receipts(self) -> int:
        engine = connect.open_database(self.settings)
        with db.open_readers(engine).begin() as session:
            found = session.scalar(select(func.count()).select_from(ReceiptRow)) or 0
        engine.dispose()
        return found

    def receipt_ids(self) -> set[str]:
        engine = connect.open_database(self.settings)
        with db.open_readers(engine).begin() as session:
            found = set(session.scalars(select(ReceiptRow.mention_id)))
        engine.dispose()
        return found

    def tail(self) -> str:
        return (self.home / "collect.log").read_text(errors="replace")[-3_000:]


def run(folder: Path, broker: Kafka, away_s: float, rate: float) -> Outcome:
    """Collect; take the broker away for `away_s`; collect on; and look at what arrived."""
    collecting = Collecting(folder, broker.address, rate)
    collecting.start()
    try:
        wait_until(lambda: collecting.receipts() > rate, 60, collecting.tail)
        broker.kill()
        wait_until(lambda: collecting.spooled() > rate, 60, collecting.tail)
        memory = _memory_while(collecting, away_s)
        most = collecting.spooled()
        collecting.end(kill=True)
        collecting.start()
        wait_until(lambda: collecting.spooled() > most + rate, 60, collecting.tail)
        most = collecting.spooled()
        broker.start()
        back = time.monotonic()
        wait_until(lambda: collecting.spooled() == 0, 120, collecting.tail)
        drained_s = time.monotonic() - back
        so_far = collecting.receipts()
        wait_until(lambda: collecting.receipts() > so_far + rate, 60, collecting.tail)
    finally:
        collecting.end()
    receipts = collecting.receipt_ids()
    threads = _threads(broker.address)
    arrived = [f"{m.platform}:{m.native_id}" for thread in threads.values() for m in thread]
    return Outcome(
        away_s=away_s,
        collected=len(receipts),
        lost=len(receipts - set(arrived)),
        published_twice=len(arrived) - len(set(arrived)),
        out_of_order=sum(map(_overtaken, threads.values())),
        most_spooled=most,
        drained_s=round(drained_s, 1),
        memory_first_mb=round(memory[0]),
        memory_most_mb=round(max(memory)),
    )


def _memory_while(collecting: Collecting, seconds: float) -> list[float]:
    until = time.monotonic() + seconds
    found = [collecting.memory()]
    while time.monotonic() < until:
        time.sleep(0.5)
        found.append(collecting.memory())
    return found


def _threads(broker: str) -> Mapping[bytes, list[Mention]]:
    """All mentions of the log, those of each conversation in their order there."""
    log = KafkaLog(broker, "outage")
    found: dict[bytes, list[Mention]] = {}
    for number in range(log.partitions(MENTIONS.name)):
        for record in log.read(MENTIONS.name, number, 0, 10_000_000):
            found.setdefault(record.key, []).append(MENTIONS.decode(record.value))
    log.close()
    return found


def _overtaken(thread: list[Mention]) -> int:
    """How many mentions arrived for the last time before one that was published earlier."""
    last = list({mention.native_id: mention for mention in reversed(thread)}.values())[::-1]
    return sum(later.published_at < earlier.published_at for earlier, later in pairwise(last))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--rate", type=float, default=200.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, kafka(Path(folder) / "kafka") as broker:
        outcome = run(Path(folder) / "home", broker, given.seconds, given.rate)
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")


if __name__ == "__main__":
    main()
