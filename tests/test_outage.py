"""Nothing that a collector had is lost while Kafka is away, and its memory stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import outage
from tests.services import kafka

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(400)]


def test_what_was_collected_while_the_broker_was_away_arrives_in_order(
    tmp_path: Path, kafka_bootstrap: str
) -> None:
    if kafka.missing():
        pytest.skip(kafka.missing())  # there is a shared one, which is not ours to kill
    with kafka.kafka(tmp_path / "kafka") as broker:
        outcome = outage.run(tmp_path / "home", broker, away_s=10.0, rate=300.0)
    assert outcome.collected > 3_000
    assert outcome.most_spooled > 1_000
    assert (outcome.lost, outcome.out_of_order) == (0, 0), outcome
    assert outcome.memory_most_mb < outcome.memory_first_mb + 40, outcome
    assert outcome.memory_most_mb < 400, outcome
