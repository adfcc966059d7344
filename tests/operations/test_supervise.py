"""The supervisor over real processes: it restarts, stops in order, and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from operations import supervise
from operations.supervise import Child, Supervisor

WORKER = """
import os, signal, sys, time
from pathlib import Path
name, folder, mode = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
def say(what):
    with (folder / "story").open("a") as story:
        story.write(f"{name} {what} {os.getpid()}\\n")
def stop(*_):
    if mode == "stubborn":
        return
    time.sleep(0.1)
    say("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
if mode == "parent":
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with (folder / "grandchild").open("w") as file:
        file.write(str(child.pid))
say("started")
if mode == "doomed":
    sys.exit(3)
while True:
    time.sleep(0.02)
"""

ORPHANS = """
import sys, threading
from operations.supervise import Child, Supervisor
code = '''
import sys, threading, time
from pathlib import Path
from earshot.runtime.role import die_with_parent
die_with_parent()
Path(sys.argv[1]).write_text(str(__import__("os").getpid()))
time.sleep(60)
'''
Supervisor([Child("role", [sys.executable, "-c", code, sys.argv[1]])]).run(threading.Event())
"""


def worker(name: str, folder: Path, mode: str = "good") -> Child:
    return Child(name, [sys.executable, "-c", WORKER, name, str(folder), mode])


def story(folder: Path) -> list[str]:
    """What the workers wrote, without their process ids."""
    file = folder / "story"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.rpartition(" ")[0] for line in lines]


def until(true: Callable[[], bool], within_s: float = 15.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def supervised(*children: Child, grace_s: float = 10.0) -> Iterator[Callable[[], None]]:
    """A supervisor at work in a thread; what is yielded stops it and waits for its end."""
    stop = threading.Event()
    supervisor = Supervisor(children, grace_s=grace_s, every_s=0.02)
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(30)
        assert supervisor.stopped

    try:
        yield end
    finally:
        end()


def test_a_role_that_dies_is_started_again_after_growing_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "LONGEST_REST_S", 0.4)
    child = worker("doomed", tmp_path, "doomed")
    child.rest_s = 0.1
    rests = []
    with supervised(child):
        for starts in (1, 2, 3, 4):
            until(lambda n=starts: len(story(tmp_path)) >= n)  # type: ignore[misc]  # bound at once
            rests.append(child.rest_s)
    assert rests == sorted(rests)
    assert rests[-1] == 0.4


def test_a_role_that_ran_for_a_while_starts_again_soon(tmp_path: Path) -> None:
    child = worker("good", tmp_path)
    child.start(0.0)
    child.rest_s = 30.0
    process = child.process
    assert process is not None
    process.kill()
    process.wait()
    child.watch(supervise.STEADY_S + 1)
    assert child.process is None
    assert child.due_at == supervise.STEADY_S + 1 + supervise.FIRST_REST_S


def test_others_go_on_while_one_rests(tmp_path: Path) -> None:
    good, doomed = worker("good", tmp_path), worker("doomed", tmp_path, "doomed")
    with supervised(doomed, good):
        until(lambda: {"good started", "doomed started"} <= set(story(tmp_path)))
        assert good.process is not None
        assert good.process.poll() is None


def test_roles_are_stopped_one_after_the_other(tmp_path: Path) -> None:
    names = ["collect", "classify", "route"]
    with supervised(*(worker(name, tmp_path) for name in names)) as end:
        until(lambda: len(story(tmp_path)) == 3)
        end()
    assert story(tmp_path)[3:] == [f"{name} stopped" for name in names]


def test_a_role_that_ignores_being_told_is_killed_with_its_children(tmp_path: Path) -> None:
    stubborn = worker("stubborn", tmp_path, "stubborn")
    parent = Child(
        "parent",
        [
            sys.executable,
            "-c",
            WORKER.replace('mode == "stubborn"', 'mode == "parent"'),
            "parent",
            str(tmp_path),
            "parent",
        ],
    )
    with supervised(stubborn, parent, grace_s=0.2) as end:
        until(lambda: len(story(tmp_path)) == 2)
        pids = [child.process.pid for child in (stubborn, parent) if child.process]
        pids.append(int((tmp_path / "grandchild").read_text()))
        end()
    until(lambda: not any(runs(pid) for pid in pids))
    assert "stubborn stopped" not in story(tmp_path)


def test_a_program_that_is_not_there_still_ends_the_others_in_order(tmp_path: Path) -> None:
    good = worker("good", tmp_path)
    broken = Child("broken", [str(tmp_path / "no-such-program")])
    supervisor = Supervisor([good, broken], every_s=0.02)
    with pytest.raises(FileNotFoundError):
        supervisor.run(threading.Event())
    assert supervisor.stopped
    assert good.process is not None
    assert good.process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_roles_do_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    process = subprocess.Popen([sys.executable, "-c", ORPHANS, str(written)])
    try:
        until(lambda: written.exists() and written.read_text() != "")
        pid = int(written.read_text())
        assert runs(pid)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        until(lambda: not runs(pid))
    finally:
        process.kill()
        process.wait()
        with suppress(OSError, ValueError):
            os.kill(int(written.read_text()), signal.SIGKILL)
