"""Plain topics on a real broker: each message is a record that any program reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from kafka import KafkaProducer

from docs.topic_schemas import FOLDER
from earshot.log.contract import Record
from earshot.log.kafka.browse import COUNTED_RECORDS
from earshot.log.kafka.log import KafkaLog
from earshot.log.kafka.pack import HEADER, PACK_MESSAGES, place_of
from earshot.log.topics import MENTIONS, TOPICS, Malformed
from tests.builders import a_mention
from tests.earshot.log.kafka.conftest import Stock
from tests.earshot.log.log_members import Worker, new_topic, numbered, publish, work_off
from tests.system import System, wait_until

pytestmark = pytest.mark.services

WORLD = """
[sources.world]
brand = "acme"
kind = "simulator"
rate = 0.0
count = 60
backlog = 0
batch = 60
"""


@pytest.fixture
def topic(log: KafkaLog) -> str:
    """A new topic with one partition."""
    return new_topic(log, 1)


def numbers(records: Sequence[Any]) -> list[int]:
    return [int(record.value) for record in records]


@pytest.fixture(scope="module")
def worked(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker on which a whole installation, with no setting but its address, has worked."""
    system = System(
        tmp_path_factory.mktemp("plain"),
        env={"EARSHOT_LOG__URL": f"kafka://{kafka_bootstrap}"},
        arguments=("--no-desk",),
        config=WORLD,
    )
    system.start()
    try:
        wait_until(lambda: _all_stored(system), 100, system.tail, every_s=1.0)
        yield kafka_bootstrap
    finally:
        system.stop()


def _all_stored(system: System) -> bool:
    with suppress(AssertionError):  # the database is being made
        ledger = system.ledger()
        return bool(ledger["rows"]) and not ledger["in_flight"]
    return False


@pytest.mark.parametrize("name", [topic.name for topic in TOPICS])
def test_any_kafka_client_reads_a_topic_by_its_published_schema(
    worked: str, stock: Stock, name: str
) -> None:
    schema = Draft202012Validator(msgspec.json.decode((FOLDER / f"{name}.json").read_bytes()))
    records = stock(name)
    assert records
    for record in records:
        said = msgspec.json.decode(record.value)
        schema.validate(said)
        mention = said.get("mention", said)
        assert record.key.decode() == f"{mention['source']}:{mention['thread']}"
        assert HEADER not in dict(record.headers)


def test_each_message_is_a_record_with_its_key_and_headers(
    log: KafkaLog, topic: str, stock: Stock
) -> None:
    producer = log.producer()
    for key, value in numbered(100):
        producer.send(topic, key, value, {"n": value.decode()})
    producer.flush()
    producer.close()
    records = stock(topic)
    assert [(raw.key, raw.value) for raw in records] == numbered(100)
    assert [list(raw.headers) for raw in records] == [[("n", b"%d" % n)] for n in range(100)]


def test_the_offsets_of_a_plain_topic_are_kafkas_own_at_place_zero(
    log: KafkaLog, topic: str, stock: Stock
) -> None:
    publish(log, topic, numbered(20))
    got = work_off(log, topic, "g", 20)
    wanted = [(raw.offset, 0) for raw in stock(topic)]
    assert [place_of(record.offset) for record in got] == wanted


def test_a_message_that_has_the_header_of_a_pack_is_still_one_message(
    log: KafkaLog, topic: str
) -> None:
    producer = log.producer()
    producer.send(topic, b"k", b"\x90", {HEADER: "1/40"})
    producer.flush()
    producer.close()
    (got,) = work_off(log, topic, "g", 1)
    assert (got.value, got.headers) == (b"\x90", {HEADER: "1/40"})


def test_what_another_program_writes_is_a_message_or_malformed(
    kafka_bootstrap: str, log: KafkaLog, topic: str
) -> None:
    foreign = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for value in (MENTIONS.encode(a_mention()), b"no JSON", b"{}", None):
        foreign.send(topic, value, b"k")
    foreign.close()
    good, *bad = work_off(log, topic, "g", 4)
    assert MENTIONS.decode(good.value) == a_mention()
    for record in bad:
        with pytest.raises(Malformed):
            MENTIONS.decode(record.value)


def test_the_lag_of_a_mixed_topic_counts_messages(
    log: KafkaLog, packed: KafkaLog, topic: str
) -> None:
    publish(packed, topic, numbered(PACK_MESSAGES + 1))
    publish(log, topic, numbered(10))
    assert log.lag(topic, "g") == packed.lag(topic, "g") == PACK_MESSAGES + 11


FORM, COUNT, LIMIT = st.booleans(), st.integers(1, 90), st.integers(1, 70)


@settings(max_examples=8, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    st.lists(st.tuples(FORM, COUNT), min_size=1, max_size=5),
    st.lists(st.tuples(LIMIT, LIMIT), max_size=4),
)
def test_a_group_that_stops_anywhere_goes_on_there_whatever_form_was_written(
    kafka_bootstrap: str, writes: list[tuple[bool, int]], turns: list[tuple[int, int]]
) -> None:
    plain = KafkaLog(kafka_bootstrap, "law", session_timeout_s=2.0)
    packing = KafkaLog(
        kafka_bootstrap, "law", session_timeout_s=2.0, messages_per_record=PACK_MESSAGES
    )
    topic, sent = new_topic(plain, 1), 0
    done: list[Record] = []
    for n, (packed, count) in enumerate(writes):
        publish(packing if packed else plain, topic, numbered(count, start=sent))
        sent += count
        if n < len(turns):
            _turn(plain if packed else packing, topic, turns[n], done)
            if sent - len(done) <= COUNTED_RECORDS:  # beyond these it is an estimate
                assert plain.lag(topic, "g") == sent - len(done)
    for turn in turns[len(writes) :]:
        _turn(packing, topic, turn, done)
    rest = work_off(plain, topic, "g", sent - len(done)) if len(done) < sent else []
    assert numbers([*done, *rest]) == list(range(sent))
    assert list(plain.read(topic, 0, 0, sent)) == [*done, *rest]
    plain.close()
    packing.close()


def _turn(log: KafkaLog, topic: str, limits: tuple[int, int], done: list[Record]) -> None:
    """Let a new member commit one poll's messages, and be gone before it commits another's."""
    if not log.lag(topic, "g"):
        return
    worker = Worker(log.consumer(topic, "g"), done)
    while not worker.poll(limits[0]):
        pass
    worker.commit()
    worker.poll(limits[1])
    worker.consumer.close()


def test_a_group_that_stopped_in_the_middle_of_a_pack_goes_on_there_among_plain_records(
    log: KafkaLog, packed: KafkaLog, topic: str
) -> None:
    publish(packed, topic, numbered(PACK_MESSAGES))
    done: list[Record] = []
    _turn(packed, topic, (23, 11), done)
    publish(log, topic, numbered(10, start=PACK_MESSAGES))
    before = log.committed(topic, "g")
    assert before == packed.committed(topic, "g")
    assert place_of(before[0]) == (0, 23)
    rest = work_off(log, topic, "g", PACK_MESSAGES + 10 - 23)
    assert numbers([*done, *rest]) == list(range(PACK_MESSAGES + 10))


def test_a_group_that_read_plain_records_goes_on_in_packs(
    log: KafkaLog, packed: KafkaLog, topic: str
) -> None:
    publish(log, topic, numbered(10))
    done: list[Record] = []
    _turn(log, topic, (4, 3), done)
    publish(packed, topic, numbered(PACK_MESSAGES, start=10))
    assert log.committed(topic, "g") == {0: 4 * 1024}  # as v0.1.0 stored it
    rest = work_off(packed, topic, "g", 6 + PACK_MESSAGES)
    assert numbers([*done, *rest]) == list(range(10 + PACK_MESSAGES))
