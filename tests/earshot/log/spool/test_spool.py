"""The spool: what the log can't take is kept on disk, in order, whoever dies when."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.log.contract import LogError
from earshot.log.spool.spool import Message, Spool, Waiting, spools
from operations.checks.finding import Well, Wrong
from operations.checks.spool import spooled
from tests.builders import NOON

HEADERS = st.none() | st.dictionaries(st.sampled_from("abc"), st.just("é"), min_size=1)
MESSAGE = st.tuples(st.just("t"), st.binary(max_size=9), st.binary(max_size=50), HEADERS)


def drained(spool: Spool) -> list[Message]:
    found: list[Message] = []
    while oldest := spool.oldest():
        found += oldest[1]
        spool.drop(oldest[0])
    return found


def numbered(count: int, start: int = 0, size: int = 10) -> list[Message]:
    return [("t", b"k", b"%0*d" % (size, n), None) for n in range(start, start + count)]


@settings(max_examples=40, deadline=None)
@given(appends=st.lists(st.lists(MESSAGE, min_size=1, max_size=5), max_size=6))
def test_what_goes_in_comes_out_in_its_order_over_restarts(
    tmp_path_factory: pytest.TempPathFactory, appends: list[list[Message]]
) -> None:
    path = tmp_path_factory.mktemp("spool") / "s.spool"
    for messages in appends:
        spool = Spool(path)
        spool.append(messages)
        spool.close()
    spool = Spool(path)
    assert spool.waiting.messages == sum(map(len, appends))
    assert drained(spool) == [message for messages in appends for message in messages]
    assert spool.waiting.messages == spool.waiting.bytes == 0
    spool.close()


def test_a_drain_that_ends_midway_goes_on_with_the_run_it_was_at(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.spool")
    large = numbered(30, size=100_000)
    spool.append(large)
    first = spool.oldest()
    assert first is not None
    assert 0 < len(first[1]) < len(large)  # a long run is cut
    spool.drop(first[0])
    spool.close()
    again = Spool(tmp_path / "s.spool")
    assert again.waiting.messages == len(large) - len(first[1])
    assert again.waiting.bytes == again.waiting.messages * 100_001
    assert drained(again) == large[len(first[1]) :]
    again.close()


def test_a_look_from_outside_sees_what_waits_and_since_when(tmp_path: Path) -> None:
    now = 1_000.0
    spool = Spool(tmp_path / "world.spool", clock=lambda: now)
    Spool(tmp_path / "idle.spool").close()
    spool.append(numbered(3))
    now = 2_000.0
    spool.append(numbered(2))
    assert spools(tmp_path) == {"world": Waiting(5, 55, 1_000.0)}
    assert spool.waiting == Waiting(5, 55, 1_000.0)
    spool.close()
    assert spools(tmp_path / "nowhere") == {}


def test_the_doctor_says_how_much_waits_and_for_how_long(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "world.spool", clock=NOON.timestamp)
    spool.append(numbered(100))
    later = NOON + timedelta(minutes=12)
    (found,) = spooled(tmp_path, 2_200, later)
    assert isinstance(found, Wrong)
    assert found.subject == "spool of world"
    assert "100 records" in found.said
    assert "50% of log.spool_mb, the oldest for 12 minutes" in found.said
    drained(spool)
    spool.close()
    (found,) = spooled(tmp_path, 2_200, later)
    assert isinstance(found, Well)
    (tmp_path / "world.spool").write_bytes(b"no database " * 1_000)
    (found,) = spooled(tmp_path, 2_200, later)
    assert isinstance(found, Wrong)
    assert "world.spool" in found.said


def test_the_file_is_used_again_after_a_drain(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.spool")
    sizes = []
    for _ in range(6):
        spool.append(numbered(100, size=10_000))
        drained(spool)
        sizes.append((tmp_path / "s.spool").stat().st_size)
    assert sizes[-1] <= sizes[1] * 2
    spool.close()


def test_a_disk_without_room_is_said_and_keeps_what_is_there(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.spool")
    spool.append(numbered(3))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(LogError, match=r"s\.spool.*(disk|full)"):
            spool.append(numbered(50, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert spool.waiting.messages == 3
    spool.append(numbered(2, start=3))
    assert drained(spool) == numbered(5)
    spool.close()


PROGRAM = """
import sys
from pathlib import Path
from earshot.log.spool.spool import Spool
spool, n = Spool(Path(sys.argv[1])), 0
while True:
    spool.append([("t", b"k", b"%d" % (n + i), None) for i in range(10)])
    n += 10
    print(n, flush=True)
"""


def test_what_an_append_returned_from_outlives_a_kill(tmp_path: Path) -> None:
    path, told = tmp_path / "s.spool", 0
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        while told < 200:
            told = int(process.stdout.readline())
        process.kill()
    spool = Spool(path)
    values = [int(value) for _, _, value, _ in drained(spool)]
    assert values == list(range(len(values)))
    assert len(values) >= told
    spool.close()
