"""How many mentions a second the whole system carries, and how soon one is queued.

    python -m bench.pipeline --count 60000                    SQLite, as fast as it goes
    python -m bench.pipeline --rate 1000 --seconds 30         SQLite, paced: the latency
    python -m bench.pipeline --kafka HOST:PORT --postgres URL …

Runs `earshot up` with the simulator as its source, every label set, everything durable, on
this one machine. Throughput is stored mentions over the time between the first and the last
stored one. Latency is taken by watching the event table: from the time a mention was
collected to the time its event can be read. CPU is that of each role's processes.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine, func, select

from earshot import db
from earshot.tables import EventRow, MentionRow
from tests.system import System, cpu_seconds, memory_mb

LOOK_EVERY_S = 0.02
SAMPLES_PER_LOOK = 5


@dataclass
class Watch:
    """What was seen of the event table from outside."""

    engine: Engine
    seq: int = 0
    seen: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Note how far the table has come, and how old some of the new lines are."""
        with db.open_readers(self.engine).begin() as session:
            newest = session.scalar(select(func.max(EventRow.seq))) or 0
            now = time.monotonic()
            if newest == self.seq:
                return
            fresh = range(self.seq + 1, newest + 1)
            chosen = fresh[:: max(1, len(fresh) // SAMPLES_PER_LOOK)]
            collected = session.execute(
                select(MentionRow.collected_at)
                .join(
                    EventRow,
                    (EventRow.brand == MentionRow.brand) & (EventRow.subject == MentionRow.id),
                )
                .where(EventRow.seq.in_(chosen), EventRow.kind == "mention.new")
            ).scalars()
            wall = datetime.now(UTC)
            self.latencies_ms += [(wall - at).total_seconds() * 1_000 for at in collected]
        self.first_at = self.first_at or now
        self.last_at = now
        self.seq = newest

    def stored(self) -> int:
        with db.open_readers(self.engine).begin() as session:
            return session.scalar(select(func.count()).select_from(MentionRow)) or 0


def config(count: int, rate: float, batch: int) -> str:
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


@click.command()
@click.option("--count", default=60_000, show_default=True, help="Posts, when not paced.")
@click.option("--rate", default=0.0, help="Posts a second; 0: as fast as it goes.")
@click.option("--seconds", default=30, show_default=True, help="How long, when paced.")
@click.option(
    "--batch",
    default=1000,
    show_default=True,
    help="Posts a poll, and mentions a step of each stage.",
)
@click.option("--kafka", default="", help="HOST:PORT of a broker.")
@click.option("--postgres", default="", help="URL of an empty database.")
@click.option("--classifiers", default=1, show_default=True)
@click.option("--routers", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(
    count: int,
    rate: float,
    seconds: int,
    batch: int,
    kafka: str,
    postgres: str,
    classifiers: int,
    routers: int,
    as_json: bool,  # noqa: FBT001 -- click passes options by name
) -> None:
    """Measure the whole path on this machine."""
    posts = int(rate * seconds) if rate else count
    env = {"EARSHOT_LOG__URL": f"kafka://{kafka}"} if kafka else {}
    env |= {"EARSHOT_DATABASE__URL": postgres} if postgres else {}
    env |= {f"EARSHOT_{stage}__BATCH_SIZE": str(batch) for stage in ("CLASSIFY", "ROUTE")}
    with tempfile.TemporaryDirectory() as home:
        system = System(
            home=Path(home) / "home",
            env=env,
            arguments=(
                "--no-desk",
                "--classifiers",
                str(classifiers),
                "--routers",
                str(routers),
            ),
            config=config(posts, rate, batch),
        )
        system.start()
        try:
            result = measure(system, postgres or f"sqlite:///{system.home}/earshot.db")
        finally:
            system.stop()
            if not as_json:
                click.echo(system.log()[-2_000:], err=True)
        result |= {
            "backend": "kafka+postgresql" if kafka and postgres else "sqlite",
            "posts": posts,
            "rate": rate,
            "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            "ledger": {name: value for name, value in system.ledger().items() if name != "rows"},
        }
    click.echo(json.dumps(result, indent=None if as_json else 2))


def measure(system: System, database_url: str) -> dict[str, Any]:
    """Watch until the world is told to its end and nothing moves any more."""
    engine = db.connect(database_url)
    watch = Watch(engine)
    cpu: dict[str, float] = {}
    memory: dict[str, float] = {}
    until = time.monotonic() + 900
    while time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
        try:
            watch.look()
        except Exception:
            if watch.seq:
                raise
            continue
        if int(time.monotonic() / LOOK_EVERY_S) % 25 == 0:
            for name, pids in system.roles().items():
                cpu[name] = sum(cpu_seconds(pid) for pid in pids)
                memory[name] = max(memory.get(name, 0.0), *map(memory_mb, pids))
        if watch.seq and time.monotonic() - watch.last_at > 5:  # noqa: PLR2004 -- seconds of rest
            break
    stored = watch.stored()
    span = watch.last_at - watch.first_at
    ordered = sorted(watch.latencies_ms)
    return {
        "stored": stored,
        "seconds": round(span, 2),
        "mentions_per_s": round(stored / span) if span else 0,
        "latency_ms": {
            "p50": _quantile(ordered, 0.5),
            "p99": _quantile(ordered, 0.99),
            "samples": len(ordered),
        },
        "cpu_us_per_mention": {k: round(v / stored * 1e6) for k, v in cpu.items()}
        if stored
        else {},
        "memory_mb": {name: round(mb) for name, mb in memory.items()},
    }


def _quantile(ordered: Sequence[float], q: float) -> float | None:
    """The `q`-quantile of sorted values by the nearest rank; None without any."""
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 1) if ordered else None


if __name__ == "__main__":
    main()
