"""A log on Kafka as a fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from earshot.log.kafka.log import KafkaLog


@pytest.fixture
def log(kafka_bootstrap: str) -> Iterator[KafkaLog]:
    """A log whose members are given up after two seconds of silence."""
    log = KafkaLog(kafka_bootstrap, "test", session_timeout_s=2.0)
    yield log
    log.close()
