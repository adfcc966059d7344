"""Where a dead letter was set aside from, as the tools of its log show it."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.log.dead_letters import DeadLetter, Letter, Place
from earshot.log.kafka.pack import is_kafkas, offset_of
from tests.builders import NOON


def a_letter(topic_id: str, partition: int, offset: int) -> DeadLetter:
    return DeadLetter(
        id=1,
        topic="mentions",
        topic_id=topic_id,
        partition=partition,
        offset=offset,
        brand="acme",
        source="x",
        mention_id="x:1",
        revision=0,
        reason="x",
        key=b"x:1",
        value=b"{}",
        headers={},
        state=Letter.WAITING,
        buried_at=NOON,
        settled_at=None,
        settled_by="",
    )


@given(st.uuids(), st.integers(0, 200), st.integers(0, 2**50), st.integers(0, 1023))
def test_a_letter_from_kafka_is_at_kafkas_own_offset(
    identity: uuid.UUID, partition: int, record: int, message: int
) -> None:
    letter = a_letter(str(identity), partition, offset_of(record, message))
    assert letter.place == Place("mentions", partition, record, message)


@given(st.uuids(), st.integers(0, 2**60))
def test_a_letter_from_files_is_at_the_offset_that_is_stored(
    identity: uuid.UUID, offset: int
) -> None:
    assert a_letter(identity.hex, 2, offset).place == Place("mentions", 2, offset, 0)
    assert a_letter("", 2, offset).place.offset == offset


def test_a_letter_that_never_was_in_a_topic_is_at_its_place_in_the_dead_one() -> None:
    assert a_letter("", -1, 7).place == Place("mentions.dead", 0, 7, 0)


def test_an_old_broker_that_knows_no_identity_is_kafka_too() -> None:
    assert is_kafkas("None")


@pytest.mark.parametrize(("message", "said"), [(0, "mentions 2:41"), (7, "mentions 2:41 #7")])
def test_a_place_is_written_with_the_message_only_where_it_is_not_alone(
    message: int, said: str
) -> None:
    assert str(Place("mentions", 2, 41, message)) == said
