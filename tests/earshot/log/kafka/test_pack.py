"""Packs: many messages in one record, each with an offset of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.log.kafka.pack import HEADER, Message, count, offset_of, pack, place_of, unpack

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
MESSAGE = st.tuples(
    st.binary(max_size=20),
    st.binary(max_size=200),
    st.none() | st.dictionaries(TEXT, TEXT, min_size=1, max_size=4),
)


@dataclass(frozen=True)
class Raw:
    """A record as kafka-python gives it."""

    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    key: bytes | None = None
    topic: str = "t"
    partition: int = 3
    offset: int = 41


@given(st.lists(MESSAGE, min_size=1, max_size=80), st.integers(0, 2**50))
def test_what_is_packed_comes_out_in_its_order_with_ascending_offsets(
    messages: list[Message], at: int
) -> None:
    value, headers = pack(messages)
    records = unpack(Raw(value, headers, offset=at))
    assert [(r.key, r.value, r.headers or None) for r in records] == messages
    assert [place_of(r.offset) for r in records] == [(at, n) for n in range(len(messages))]
    assert {(r.topic, r.partition) for r in records} == {("t", 3)}
    assert count(headers) == len(messages)
    assert records[-1].offset < offset_of(at + 1)


@given(st.integers(0, 2**53 - 1), st.integers(0, 1023))
def test_an_offset_names_one_message(record: int, place: int) -> None:
    assert place_of(offset_of(record, place)) == (record, place)
    assert offset_of(record, place) < 2**63


def test_a_record_of_another_program_is_one_message() -> None:
    raw = Raw(b"v", [("trace", b"\xff\xfe"), ("lang", "é".encode())], key=b"k")
    (record,) = unpack(raw)
    assert (record.key, record.value, record.offset) == (b"k", b"v", offset_of(41))
    assert record.headers == {"trace": "\ufffd\ufffd", "lang": "é"}
    assert count(raw.headers) == 1
    (empty,) = unpack(Raw(None))
    assert (empty.key, empty.value) == (b"", b"")


MANY: list[Message] = [(b"", b"", None)] * 2_000


@pytest.mark.parametrize(
    "value", [b"", b"\x90", b"not a pack", b"\x91\x01", msgspec.msgpack.encode(MANY)]
)
def test_what_only_says_that_it_is_a_pack_is_one_message_as_it_stands(value: bytes) -> None:
    (record,) = unpack(Raw(value, [(HEADER, b"1/3")]))
    assert record.value == value
    assert record.headers == {HEADER: "1/3"}


@pytest.mark.parametrize("text", [b"", b"2/3", b"1/", b"1/-4", b"1/many", b"1/" + b"9" * 5_000])
def test_a_count_that_cant_be_read_counts_one(text: bytes) -> None:
    assert count([(HEADER, text)]) == 1
