"""Dead letters become rows, once each, whatever their headers say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from earshot.database.db import Sessions
from earshot.database.tables import DeadLetterRow
from earshot.log.contract import Log
from earshot.log.memory import MemoryLog
from earshot.log.sqlite.log import SqliteLog
from operations.dead_letter_store import GROUP, store_step
from tests.builders import NOON

DEAD = "mentions.dead"


def a_log(*headers: dict[str, str]) -> MemoryLog:
    log = MemoryLog()
    fill(log, *headers)
    return log


def fill(log: Log, *headers: dict[str, str]) -> None:
    log.create({"mentions": 1, DEAD: 1})
    producer = log.producer()
    for number, each in enumerate(headers):
        producer.send(DEAD, b"key", b"value %d" % number, each)
    producer.flush()
    producer.close()


def rows(sessions: Sessions) -> list[DeadLetterRow]:
    with sessions() as session:
        return list(session.scalars(select(DeadLetterRow).order_by(DeadLetterRow.offset)))


def test_a_dead_letter_is_kept_with_what_its_headers_say(sessions: Sessions) -> None:
    headers = {
        "topic": "mentions",
        "brand": "acme",
        "source": "sim",
        "mention": "simulator:1",
        "revision": "9007199254740991",
        "reason": "no thread",
        "from": "0:17",
    }
    log = a_log(headers)
    assert store_step(log, log.consumer(DEAD, GROUP), sessions, NOON, 0.1) == 1
    (row,) = rows(sessions)
    assert (row.topic, row.brand, row.source) == ("mentions", "acme", "sim")
    assert (row.mention_id, row.revision, row.reason) == ("simulator:1", 2**53 - 1, "no thread")
    assert (row.key, row.value, row.headers) == (b"key", b"value 0", headers)
    assert (row.state, row.buried_at) == ("waiting", NOON)


def test_missing_or_odd_headers_are_no_reason_to_lose_a_record(sessions: Sessions) -> None:
    log = a_log(
        {}, {"revision": "-1", "reason": "a \x00 byte"}, {"revision": "²"}, {"revision": "9" * 30}
    )
    assert store_step(log, log.consumer(DEAD, GROUP), sessions, NOON, 0.1) == 4
    found = rows(sessions)
    assert [row.topic for row in found] == ["mentions"] * 4
    assert [row.revision for row in found] == [0, 0, 0, 0]
    assert found[1].reason == "a  byte"


def test_a_record_that_comes_again_is_buried_once(sessions: Sessions) -> None:
    log = a_log({"reason": "one"}, {"reason": "two"})
    assert store_step(log, log.consumer(DEAD, GROUP), sessions, NOON, 0.1) == 2
    assert store_step(log, log.consumer(DEAD, "again"), sessions, NOON, 0.1) == 2
    assert [row.reason for row in rows(sessions)] == ["one", "two"]
    assert log.lag(DEAD, GROUP) == 0


@pytest.mark.parametrize("headers", [{}, {"topic": "mentions", "from": "0:17"}])
def test_a_new_log_counts_anew_and_nothing_in_it_is_taken_for_what_the_old_one_held(
    sessions: Sessions, headers: dict[str, str]
) -> None:
    old, new = a_log(headers | {"reason": "old"}), a_log(headers | {"reason": "new"})
    for log in (old, new):
        assert store_step(log, log.consumer(DEAD, GROUP), sessions, NOON, 0.1) == 1
    first, second = rows(sessions)
    assert (first.partition, first.offset) == (second.partition, second.offset)
    assert {first.reason, second.reason} == {"old", "new"}
    for log in (old, new):
        assert store_step(log, log.consumer(DEAD, "again"), sessions, NOON, 0.1) == 1
    assert len(rows(sessions)) == 2


def test_a_new_folder_of_the_log_on_this_machine_is_another_log(
    sessions: Sessions, tmp_path: Path
) -> None:
    def bury(folder: str, group: str, reason: str = "") -> None:
        log = SqliteLog(tmp_path / folder)
        if reason:
            fill(log, {"reason": reason})
        assert store_step(log, log.consumer(DEAD, group), sessions, NOON, 0.1) == 1
        log.close()

    bury("old", GROUP, "old")
    bury("new", GROUP, "new")
    assert sorted(row.reason for row in rows(sessions)) == ["new", "old"]
    shutil.copytree(tmp_path / "old", tmp_path / "restored")
    bury("restored", "again")
    assert len(rows(sessions)) == 2
