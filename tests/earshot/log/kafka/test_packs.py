"""Packs on a real broker: few records, and yet every message counts by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka import KafkaProducer

from earshot.log.contract import Record
from earshot.log.kafka.browse import COUNTED_RECORDS
from earshot.log.kafka.log import KafkaLog
from earshot.log.kafka.pack import HEADER, PACK_BYTES, PACK_MESSAGES
from tests.earshot.log.kafka.conftest import Stock
from tests.earshot.log.log_members import Worker, by_key, new_topic, numbered, publish, work_off

pytestmark = pytest.mark.services


@pytest.fixture
def topic(packed: KafkaLog) -> str:
    """A new topic with one partition."""
    return new_topic(packed, 1)


@pytest.fixture
def foreign(kafka_bootstrap: str) -> Iterator[KafkaProducer]:
    """A producer that knows nothing of packs."""
    client = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    yield client
    client.close()


def numbers(records: list[Record]) -> list[int]:
    return [int(record.value) for record in records]


def test_small_messages_travel_many_in_a_record_and_a_lone_one_as_itself(
    packed: KafkaLog, topic: str, stock: Stock
) -> None:
    publish(packed, topic, numbered(3 * PACK_MESSAGES))
    publish(packed, topic, [(b"k", b"alone")])
    *packs, alone = stock(topic)
    assert len(packs) == 3
    assert (alone.key, alone.value, list(alone.headers)) == (b"k", b"alone", [])


def test_a_commit_in_the_middle_of_a_pack_goes_on_in_the_middle(
    packed: KafkaLog, topic: str
) -> None:
    sent = numbered(PACK_MESSAGES * 2)
    publish(packed, topic, sent)
    done: list[Record] = []
    while len(done) < len(sent):
        worker = Worker(packed.consumer(topic, "g"), done)
        while not worker.poll(23):
            pass
        worker.commit()
        assert packed.lag(topic, "g") == len(sent) - len(done)
        worker.poll(11)  # and is gone before it has committed these
        worker.consumer.close()
    assert numbers(done) == list(range(len(sent)))


def test_a_large_message_keeps_its_place_among_small_ones(packed: KafkaLog, topic: str) -> None:
    large = b"7" * (PACK_BYTES + 1)
    sent = [*numbered(5, keys=1), (b"key-0", large), *numbered(5, keys=1, start=5)]
    publish(packed, topic, sent)
    assert by_key(work_off(packed, topic, "g", 11)) == by_key(sent)


def test_messages_of_a_pack_are_no_larger_together_than_one_may_be(
    packed: KafkaLog, topic: str, stock: Stock
) -> None:
    publish(packed, topic, [(b"k", b"x" * 10_000)] * 50)
    sizes = [len(raw.value) for raw in stock(topic)]
    assert len(sizes) == 4
    assert max(sizes) < PACK_BYTES + 2_000


def test_records_of_other_programs_are_read_and_counted_among_packs(
    packed: KafkaLog, topic: str, foreign: KafkaProducer
) -> None:
    publish(packed, topic, numbered(10, keys=1))
    foreign.send(topic, b"10", b"key-0", [("trace", b"\xff")], 0)
    foreign.send(topic, b"11", b"key-0", [(HEADER, b"1/5000")], 0).get(30)
    publish(packed, topic, numbered(10, keys=1, start=12))
    got = work_off(packed, topic, "g", 22)
    assert numbers(got) == list(range(22))
    assert got[10].headers == {"trace": "\ufffd"}
    assert packed.lag(topic, "g") == 0


def test_a_message_that_has_the_header_of_a_pack_stays_one_message(
    packed: KafkaLog, topic: str
) -> None:
    producer = packed.producer()
    producer.send(topic, b"k", b"\x90", {HEADER: "1/40"})
    producer.flush()
    producer.close()
    assert packed.lag(topic, "g") == 1
    (got,) = work_off(packed, topic, "g", 1)
    assert (got.value, got.headers) == (b"\x90", {HEADER: "1/40"})


def test_a_read_begins_and_ends_anywhere_in_a_pack(packed: KafkaLog, topic: str) -> None:
    publish(packed, topic, numbered(PACK_MESSAGES * 2))
    records = list(packed.read(topic, 0, 0, 1_000))
    assert numbers(records) == list(range(PACK_MESSAGES * 2))
    for start, limit in ((5, 3), (60, 10), (PACK_MESSAGES, 100), (100, 0)):
        wanted = records[start : start + limit]
        assert list(packed.read(topic, 0, records[start].offset, limit)) == wanted


def test_a_long_lag_is_estimated_from_its_beginning(packed: KafkaLog, topic: str) -> None:
    messages = (COUNTED_RECORDS + 30) * PACK_MESSAGES
    publish(packed, topic, numbered(messages))
    assert packed.lag(topic, "g") == messages
