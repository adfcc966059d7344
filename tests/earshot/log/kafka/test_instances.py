"""Members with a name of their own: one that is started again disturbs nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaConsumer
from kafka.structs import MemberState

from earshot.log.contract import LogError, Record
from earshot.log.kafka.consumer import KafkaLogConsumer
from earshot.log.kafka.log import KafkaLog
from tests.earshot.log.log_members import (
    Worker,
    by_key,
    new_topic,
    numbered,
    poll_together,
    publish,
)
from tests.system import wait_until

pytestmark = pytest.mark.services

SESSION_S = 25.0
"""Longer than anything here takes: nobody is given up meanwhile."""


@pytest.fixture
def topic(log: KafkaLog) -> str:
    """A new topic with four partitions."""
    return new_topic(log, 4)


@pytest.fixture
def join(kafka_bootstrap: str, topic: str) -> Iterator[Callable[[str], Worker]]:
    """Make the member of a named instance; all are closed at the end."""
    logs: list[KafkaLog] = []
    members: list[Worker] = []
    done: list[Record] = []

    def make(instance: str) -> Worker:
        log = KafkaLog(kafka_bootstrap, "test", session_timeout_s=SESSION_S, instance=instance)
        logs.append(log)
        members.append(Worker(log.consumer(topic, "g"), done))
        return members[-1]

    yield make
    for member in members:
        member.consumer.close()
    for log in logs:
        log.close()


def held(member: Worker) -> frozenset[int]:
    return frozenset(at.partition for at in client_of(member).assignment())


def generation(member: Worker) -> int:
    return int(client_of(member).group_metadata().generation_id)


def client_of(member: Worker) -> KafkaConsumer:
    assert isinstance(member.consumer, KafkaLogConsumer)
    return member.consumer._client


def share(*members: Worker) -> None:
    """Let the members poll until each holds a part of the four partitions."""

    def shared() -> bool:
        poll_together(members)
        parts = [held(member) for member in members]
        return all(parts) and sum(map(len, parts)) == len(frozenset().union(*parts)) == 4

    wait_until(shared, 60, lambda: f"shared: {[held(member) for member in members]}")


def work_on(member: Worker) -> None:
    while True:
        member.turn()


def test_a_restart_leaves_the_others_their_partitions_and_finds_its_own(
    log: KafkaLog, topic: str, join: Callable[[str], Worker]
) -> None:
    staying, leaving = join("a"), join("b")
    share(staying, leaving)
    before = (held(staying), generation(staying), held(leaving))
    leaving.consumer.close()
    sent = numbered(200, keys=40)
    publish(log, topic, sent)
    staying.turn(timeout_s=1.0)
    back = join("b")
    while len(staying.done) < len(sent):  # the list is that of both
        staying.turn()
        back.turn()
    assert (held(staying), generation(staying), held(back)) == before
    assert by_key(staying.done) == by_key(sent)


def test_members_without_a_name_are_dealt_anew_by_each_restart(
    join: Callable[[str], Worker],
) -> None:
    staying, leaving = join(""), join("")
    share(staying, leaving)
    before = generation(staying)
    leaving.consumer.close()
    share(staying, join(""))
    assert generation(staying) > before


def test_of_two_processes_with_one_name_the_older_is_told_to_stop(
    log: KafkaLog, topic: str, join: Callable[[str], Worker]
) -> None:
    older = join("a")
    share(older)
    newer = join("a")
    share(newer)

    publish(log, topic, numbered(20))
    with pytest.raises(LogError, match="--instance"):
        work_on(older)


def test_a_name_that_kafka_refuses_is_said_at_once() -> None:
    with pytest.raises(LogError, match="letters, digits"):
        KafkaLog("localhost:1", "test", instance="of two words")


def test_a_join_whose_outcome_the_library_lost_is_begun_anew(
    log: KafkaLog, topic: str, join: Callable[[str], Worker]
) -> None:
    member = join("")
    share(member)
    coordinator = client_of(member)._coordinator
    coordinator._assignment_snapshot = {topic: {0}}  # as if the topic had got partitions since
    client_of(member).poll(0)
    wait_until(lambda: coordinator._join_task is None or coordinator._join_task.is_done, 30, "done")
    assert not coordinator.need_rejoin()  # it forgets to look, though it is no member
    assert client_of(member).group_metadata().state != MemberState.STABLE
    publish(log, topic, numbered(20))
    while len(member.done) < 20:
        member.turn()
