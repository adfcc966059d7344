"""A member that can't learn where its group goes on from: it delivers nothing, and asks again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from earshot.log.contract import LogError
from earshot.log.kafka.consumer import KafkaLogConsumer
from earshot.log.kafka.log import KafkaLog
from tests.earshot.log.log_members import new_topic, numbered, publish

pytestmark = pytest.mark.services

SENT = 10


@pytest.fixture
def member(log: KafkaLog) -> Iterator[KafkaLogConsumer]:
    """The only member of a group, which has done the first three of ten messages."""
    topic = new_topic(log, 1)
    publish(log, topic, numbered(SENT))
    first = log.consumer(topic, "g")
    assert take(first, 3) == [0, 1, 2]
    first.commit()
    first.close()
    made = log.consumer(topic, "g")
    assert isinstance(made, KafkaLogConsumer)
    yield made
    made.close()


def take(member: Any, limit: int) -> list[int]:
    """The numbers of the next messages, at most `limit`."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        records = member.poll(limit, 0.5)
        if records:
            return [int(record.value) for record in records]
    raise AssertionError("nothing came")


def unanswered(member: KafkaLogConsumer, times: int) -> list[int]:
    """Let the broker not answer that often when the member asks; what is left of it."""
    client = member._client
    ask, left = client.committed, [times]

    def committed(*given: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise KafkaTimeoutError
        return ask(*given, **options)

    client.committed = committed
    return left


def test_it_goes_on_where_the_group_stood_once_it_is_told(member: KafkaLogConsumer) -> None:
    left = unanswered(member, 2)
    assert take(member, SENT) == [3, 4, 5, 6, 7, 8, 9]
    assert left == [0]
    member.commit()


def test_it_fails_when_it_is_never_told(member: KafkaLogConsumer) -> None:
    unanswered(member, 1_000)
    with pytest.raises(LogError, match="check that the broker runs"):
        take(member, SENT)


def test_a_commit_meanwhile_is_refused(member: KafkaLogConsumer) -> None:
    assert take(member, 2) == [3, 4]
    member._generation = -3  # as if the group had been dealt anew since
    unanswered(member, 1)
    with pytest.raises(LogError, match="can't commit"):
        member.commit()
    assert take(member, SENT) == [3, 4, 5, 6, 7, 8, 9]
