"""What Kafka alone can do to us: be away, be killed, refuse."""

from __future__ import annotations

import gc
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
from kafka import KafkaAdminClient

from earshot.log.contract import LogError, Producer, PublishFailed
from earshot.log.kafka.log import KafkaLog
from tests.earshot.log.log_members import Sent, by_key, numbered, work_off
from tests.services import kafka
from tests.services.ports import free_ports
from tests.system import wait_until

pytestmark = [
    pytest.mark.services,
    # kafka-python leaves the socket of each failed connection to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """Close those sockets here, before they are collected in another's test."""
    yield
    gc.collect()
    for each in gc.get_objects():
        if type(each) is socket.socket and each.fileno() >= 0 and not is_connected(each):
            each.close()


def is_connected(each: socket.socket) -> bool:
    try:
        each.getpeername()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str) -> Iterator[kafka.Kafka]:
    """A broker of our own, to be killed; skipped where there is none to share either."""
    if kafka.missing():
        pytest.skip(kafka.missing())
    with kafka.kafka(tmp_path_factory.mktemp("broker")) as running:
        yield running


def test_an_address_without_a_broker_is_named_in_bounded_time() -> None:
    (port,) = free_ports(1)
    log = KafkaLog(f"127.0.0.1:{port}", "test", connect_timeout_s=1.0)
    started = time.monotonic()
    for attempt in (
        lambda: log.create({"t": 1}),
        lambda: log.partitions("t"),
        lambda: log.lag("t", "g"),
        lambda: log.consumer("t", "g"),
        log.producer,
    ):
        with pytest.raises(LogError, match=rf"127.0.0.1:{port}.*check that the broker runs"):
            attempt()
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("address", ["localhost", ":9092", "kafka:port", "kafka:99999", "a:1,b"])
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    with pytest.raises(LogError, match="write host:port"):
        KafkaLog(address, "test").producer()


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(LogError, match=r"sasl_mechanismus.*sasl_mechanism"):
        KafkaLog("localhost:1", "test", sasl_mechanismus="PLAIN")


def test_a_record_above_the_usual_limit_is_refused_before_it_does_harm(
    kafka_bootstrap: str,
) -> None:
    log = KafkaLog(kafka_bootstrap, "test")
    log.create({"large": 1})
    producer = log.producer()
    with pytest.raises(PublishFailed, match="a message of 3000001 bytes"):
        producer.send("large", b"k", b"x" * 3_000_000)
    producer.send("large", b"k", b"small")
    producer.flush()
    producer.close()
    assert len(work_off(log, "large", "g", 1)) == 1
    log.close()


def test_what_the_broker_refuses_is_told_by_flush(kafka_bootstrap: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    strict = {"num_partitions": 1, "configs": {"max.message.bytes": "1000"}}
    admin.create_topics({"strict": strict}, wait_for_metadata=True)
    admin.close()
    log = KafkaLog(kafka_bootstrap, "test")
    producer = log.producer()
    producer.send("strict", b"k", os.urandom(5_000))
    with pytest.raises(PublishFailed, match="1 records were refused"):
        producer.flush()
    producer.close()
    log.close()


def send(producer: Producer, records: list[Sent]) -> None:
    for key, value in records:
        producer.send("t", key, value)


@pytest.mark.slow
def test_flush_raises_while_the_broker_is_gone_and_works_once_it_is_back(
    broker: kafka.Kafka,
) -> None:
    log = KafkaLog(broker.address, "test", delivery_timeout_s=2.0, connect_timeout_s=2.0)
    log.create({"t": 4})
    producer = log.producer()
    send(producer, numbered(100))
    producer.flush()
    broker.kill()
    send(producer, numbered(10, start=100))
    started = time.monotonic()
    with pytest.raises(PublishFailed, match=broker.address):
        producer.flush(10)
    with pytest.raises(LogError, match=broker.address):
        log.lag("t", "g")
    assert time.monotonic() - started < 20
    broker.start()
    send(producer, numbered(10, start=100))
    producer.flush()
    producer.close()
    assert by_key(work_off(log, "t", "g", 110)) == by_key(numbered(110))
    assert log.lag("t", "g") == 0
    log.close()


@pytest.mark.slow
def test_a_producer_closes_without_a_broker(broker: kafka.Kafka) -> None:
    log = KafkaLog(broker.address, "test", delivery_timeout_s=5.0, connect_timeout_s=2.0)
    log.create({"closing": 1})
    producer = log.producer()
    producer.send("closing", b"k", b"v")
    producer.flush()
    broker.kill()
    producer.send("closing", b"k", b"v")
    started = time.monotonic()
    producer.close()
    log.close()
    assert time.monotonic() - started < 10
    broker.start()


def test_a_topic_that_was_deleted_and_made_anew_is_another(
    kafka_bootstrap: str, request: pytest.FixtureRequest
) -> None:
    log = KafkaLog(kafka_bootstrap, "identity")
    request.addfinalizer(log.close)
    topic = f"t-{uuid.uuid4().hex[:8]}"
    log.create({topic: 1})
    before = log.identity(topic)
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    request.addfinalizer(admin.close)
    admin.delete_topics([topic])

    def made_anew() -> bool:
        with suppress(LogError):  # while it is being deleted it is neither there nor free
            log.create({topic: 1})
            return log.identity(topic) != before
        return False

    wait_until(made_anew, 60, "the topic being deleted and made anew")
