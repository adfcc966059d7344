"""What disks, processes and other people's files can do to the embedded log."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from earshot.log.contract import LogError, PublishFailed
from earshot.log.partitioning import partition_of
from earshot.log.sqlite.log import SqliteLog
from earshot.log.sqlite.producer import IN_FLIGHT_BYTES
from tests.earshot.log.log_members import Worker, by_key, numbered, publish, work_off


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    log = SqliteLog(tmp_path)
    log.create({"t": 4})
    return log


def test_a_full_disk_fails_the_flush_keeps_what_was_durable_and_names_the_place(
    tmp_path: Path,
) -> None:
    log = SqliteLog(tmp_path, max_topic_bytes=400_000)
    log.create({"t": 1})
    publish(log, "t", numbered(10))
    producer = log.producer()
    producer.send("t", b"large", b"x" * 900_000)
    with pytest.raises(PublishFailed, match=rf"{tmp_path / 't.log'}.*free space"):
        producer.flush()
    producer.flush()  # told once; the record is gone, and the next are welcome
    producer.send("t", b"key-0", b"10")
    producer.flush()
    assert by_key(work_off(log, "t", "g", 11)) == by_key(numbered(11))


def test_a_full_disk_in_the_middle_of_sending_fails_the_flush_too(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, max_topic_bytes=400_000)
    log.create({"t": 1})
    producer = log.producer()
    value = b"x" * 100_000
    while producer.in_flight_bytes + len(value) < IN_FLIGHT_BYTES:
        producer.send("t", b"k", value)
    with pytest.raises(PublishFailed):
        producer.send("t", b"k", value)
    producer.send("t", b"k", b"after the failure")
    with pytest.raises(PublishFailed, match="free space"):
        producer.flush()
    assert log.lag("t", "g") == 0


def test_a_locked_log_is_told_after_the_time_given(log: SqliteLog, tmp_path: Path) -> None:
    producer = log.producer()
    producer.send("t", b"k", b"v")
    other = sqlite3.connect(tmp_path / "t.log", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(PublishFailed, match="keeps it locked"):
        producer.flush(0.1)
    other.close()
    producer.send("t", b"k", b"v")
    producer.flush()
    assert log.lag("t", "g") == 1


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "t.log").write_bytes(b"this is no database at all" * 1000)
    with pytest.raises(LogError, match=r"t\.log: .*not a log of ours"):
        SqliteLog(tmp_path).partitions("t")
    with pytest.raises(LogError, match=r"t\.log: .*not a log of ours"):
        SqliteLog(tmp_path).create({"t": 1})


def test_a_folder_that_cant_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="choose another folder"):
        SqliteLog(tmp_path / "file" / "log").create({"t": 1})


def test_a_newer_format_is_not_written_to(log: SqliteLog, tmp_path: Path) -> None:
    log.close()
    other = sqlite3.connect(tmp_path / "t.log")
    other.execute("pragma user_version = 99")
    other.close()
    with pytest.raises(LogError, match=r"format 99 .*upgrade"):
        SqliteLog(tmp_path).create({"t": 1})


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "a" * 201])
def test_a_topic_that_would_leave_the_folder_is_refused(log: SqliteLog, name: str) -> None:
    with pytest.raises(LogError, match="a name is"):
        log.create({name: 1})


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="'OFF'"):
        SqliteLog(tmp_path, "OFF")
    with pytest.raises(LogError, match="at least 1 partition, got 0"):
        SqliteLog(tmp_path).create({"t": 0})


def test_one_busy_partition_does_not_keep_the_others_waiting(log: SqliteLog) -> None:
    apart = {key for key, _ in numbered(9, keys=9) if partition_of(key, 4) != 0}
    busy = next(b"busy-%d" % n for n in range(99) if partition_of(b"busy-%d" % n, 4) == 0)
    publish(log, "t", [(busy, b"")] * 3_000 + [(key, b"") for key in apart])
    first = Worker(log.consumer("t", "g")).poll(100, 1.0)
    assert set(by_key(first)) == {busy, *apart}
    assert len(first) == 100


def test_trim_drops_what_is_old_and_committed_by_every_group(tmp_path: Path) -> None:
    now = [1000.0]
    log = SqliteLog(tmp_path, clock=lambda: now[0])
    log.create({"t": 2})
    publish(log, "t", numbered(2_000))
    now[0] += 100
    publish(log, "t", numbered(50, start=2_000))
    work_off(log, "t", "fast", 2_050)
    slow = log.consumer("t", "slow")
    slow.poll(1, 0)
    assert log.trim("t", 50) == 0
    slow.close()
    work_off(log, "t", "slow", 2_050)
    assert log.trim("t", 50) == 2_000
    assert len(log.read("t", 0, 0, 9_999)) + len(log.read("t", 1, 0, 9_999)) == 50
    assert log.trim("t", 0.0) == 0  # not older than now
    now[0] += 1
    assert log.trim("t", 0.0) == 50
    publish(log, "t", numbered(1))
    assert [r.offset > 50 for r in work_off(log, "t", "fast", 1)] == [True]


def test_a_log_is_not_carried_over_a_fork(log: SqliteLog, tmp_path: Path) -> None:
    publish(log, "t", numbered(5))
    forked = multiprocessing.get_context("fork")
    told = forked.Queue()
    child = forked.Process(target=_in_the_child, args=(log, tmp_path, told))
    child.start()
    assert "make the log again" in told.get(timeout=30)
    assert told.get(timeout=30) == 6
    child.join()
    publish(log, "t", numbered(1))
    assert log.lag("t", "g") == 7


def _in_the_child(log: SqliteLog, folder: Path, told: multiprocessing.Queue[object]) -> None:
    try:
        log.lag("t", "g")
    except LogError as error:
        told.put(str(error))
    anew = SqliteLog(folder)
    publish(anew, "t", numbered(1))
    told.put(anew.lag("t", "g"))


PUBLISHER = """
import sys
from pathlib import Path
from earshot.log.partitioning import partition_of
from earshot.log.sqlite.log import SqliteLog
producer, sent = SqliteLog(Path(sys.argv[1])).producer(), 0
while True:
    for _ in range(20):
        producer.send("t", b"k%d" % (sent % 5), b"%d" % sent)
        sent += 1
    producer.flush()
    print(sent, flush=True)
"""


def test_a_producer_killed_at_any_moment_loses_nothing_it_flushed(
    log: SqliteLog, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as publisher:
        assert publisher.stdout is not None
        flushed = [int(publisher.stdout.readline()) for _ in range(50)][-1]
        os.kill(publisher.pid, signal.SIGKILL)
        flushed = max([flushed, *map(int, publisher.stdout.read().split())])
    done = work_off(log, "t", "g", flushed)
    values = sorted(int(record.value) for record in done)
    assert values == list(range(len(values)))
    assert len(values) in {flushed, flushed + 20}  # the last batch whole or not at all
