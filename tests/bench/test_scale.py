"""The arithmetic of scale: what is needed covers the work, and grows with it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.scale import BUSY, CORES, STAGES, need

COSTS = st.fixed_dictionaries(
    dict.fromkeys(("collect", "classify", "route", "kafka", "postgresql"), st.floats(1, 1_000))
)


@given(COSTS, st.integers(1, 2_000_000))
def test_processes_and_machines_carry_the_work_with_room_to_spare(
    cpu_us: dict[str, float], rate: int
) -> None:
    found = need(rate, cpu_us, 2_000)
    for stage in STAGES:
        assert rate * cpu_us[stage] / 1e6 <= found.processes[stage] * BUSY * 1.001
    assert rate * sum(cpu_us.values()) / 1e6 <= found.machines * CORES * BUSY * 1.001
    assert found.partitions >= 2 * max(found.processes["classify"], found.processes["route"])


@given(COSTS, st.integers(1, 1_000_000))
def test_twice_the_rate_never_needs_less(cpu_us: dict[str, float], rate: int) -> None:
    once, twice = need(rate, cpu_us, 2_000), need(2 * rate, cpu_us, 2_000)
    assert twice.machines >= once.machines
    assert twice.partitions >= once.partitions
    assert all(twice.processes[stage] >= once.processes[stage] for stage in STAGES)
