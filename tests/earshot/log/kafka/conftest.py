"""A log on Kafka as a fixture, in its two forms, and what other programs see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from earshot.log.kafka.log import KafkaLog
from earshot.log.kafka.pack import PACK_MESSAGES

Stock = Callable[[str], list[Any]]
"""A program that knows nothing of Earshot: all records of a topic, partition by partition."""


@pytest.fixture
def packed(kafka_bootstrap: str) -> Iterator[KafkaLog]:
    """The same log, for those who put as many messages into one record as may be."""
    log = KafkaLog(
        kafka_bootstrap, "test", session_timeout_s=2.0, messages_per_record=PACK_MESSAGES
    )
    yield log
    log.close()


@pytest.fixture
def log(kafka_bootstrap: str) -> Iterator[KafkaLog]:
    """A log whose members are given up after two seconds of silence."""
    log = KafkaLog(kafka_bootstrap, "test", session_timeout_s=2.0)
    yield log
    log.close()


@pytest.fixture
def stock(kafka_bootstrap: str) -> Stock:
    """Reads with kafka-python alone."""

    def read(topic: str) -> list[Any]:
        client = KafkaConsumer(bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
        places = [TopicPartition(topic, n) for n in client.partitions_for_topic(topic) or ()]
        client.assign(places)
        ends = client.end_offsets(places)
        found: dict[TopicPartition, list[Any]] = {place: [] for place in places}
        while any(client.position(place) < ends[place] for place in places):
            for place, records in client.poll(1000).items():
                found[place] += records
        client.close()
        return [record for place in places for record in found[place]]

    return read
