"""What a rate of mentions needs, by the figures of one measurement: arithmetic, no measuring.

    python -m bench.growth --servers --json | tee growth.json | python -m bench.scale

Reads the lines of `bench.growth` (or of `bench.pipeline --servers --json`) and takes the last:
the one at most stored mentions. `docs/explanation/scale.md` says where the formulae come from.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

RATES = (1_000, 10_000, 100_000, 1_000_000)
BUSY = 0.6
"""How busy a core may be on average: what is above it is for bursts and for catching up."""
CORES = 8
"""The cores of the machines that are counted."""
STAGES = ("collect", "classify", "route")
SERVERS = ("kafka", "postgresql")
_MICROSECONDS = 1e6
_KB = 1024
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What `rate` mentions a second need. `cores` is of each part, `processes` of each stage."""

    rate: int
    cores: Mapping[str, float]
    processes: Mapping[str, int]
    partitions: int
    machines: int
    stored_gb_a_day: float


def need(rate: int, cpu_us: Mapping[str, float], stored_bytes: float) -> Need:
    """What `rate` mentions a second need where a mention costs `cpu_us` of each part.

    `stored_bytes` is what one mention takes in the database.
    """
    cores = {part: rate * cpu_us.get(part, 0.0) / _MICROSECONDS / BUSY for part in STAGES + SERVERS}
    processes = {stage: max(1, math.ceil(cores[stage])) for stage in STAGES}
    readers = max(processes["classify"], processes["route"])
    return Need(
        rate=rate,
        cores=cores,
        processes=processes,
        # twice the readers, so that the stream can double before keys must move
        partitions=max(4, 2 ** math.ceil(math.log2(2 * readers))),
        machines=math.ceil(sum(cores.values()) / CORES),
        stored_gb_a_day=rate * stored_bytes * _DAY_S / _KB**3,
    )


def lines(figures: Mapping[str, float], stored_bytes: float) -> Iterator[str]:
    """The needs of all `RATES` as a table in Markdown."""
    yield "| mentions a second | " + " | ".join(f"{rate:,}" for rate in RATES) + " |"
    yield "|---|" + "---|" * len(RATES)
    needs = [need(rate, figures, stored_bytes) for rate in RATES]
    for stage in STAGES:
        yield _row(f"processes of *{stage}*", (n.processes[stage] for n in needs))
    yield _row("partitions", (n.partitions for n in needs))
    for server in SERVERS:
        yield _row(f"cores of {server}", (math.ceil(n.cores[server]) for n in needs))
    yield _row("cores in all", (math.ceil(sum(n.cores.values())) for n in needs))
    yield _row(f"machines of {CORES} cores", (n.machines for n in needs))
    yield _row("stored a day, GB", (round(n.stored_gb_a_day) for n in needs))


def _row(name: str, values: Iterator[int]) -> str:
    return f"| {name} | " + " | ".join(f"{value:,}" for value in values) + " |"


def main() -> None:
    """Print the table for the last line on standard input."""
    *_, last = (json.loads(line) for line in sys.stdin if line.strip())
    stored = last.get("stored_before", 0) + last["stored"]
    stored_bytes = last["database_mb"] * _KB**2 / stored
    for line in lines(last["cpu_us_per_mention"], stored_bytes):
        print(line)


if __name__ == "__main__":
    main()
