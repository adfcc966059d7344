"""Named steps at which a test may end a process, to show that nothing is lost or doubled there.

A stage says `passed("send.called")` after each step that the next one relies on. Nothing comes
of it unless `EARSHOT_CRASH_AT` names the point: then the process ends there at once, as by
`kill -9`, the first time that it is passed so often, and never again for the same home folder.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

from earshot.yaml_source import OperatorError

CrashPoint = Literal[
    "collect.polled",  # posts are read; nothing is published
    "collect.sent",  # published, and perhaps not durable
    "collect.flushed",  # durable in the log; no receipt, no cursor
    "collect.saving",  # receipts and cursor written, not committed
    "collect.saved",  # all of it committed
    "stage.polled",  # records are read; nothing is done
    "stage.handled",  # handled, or stored; nothing is emitted
    "stage.emitted",  # emitted, and perhaps not durable
    "stage.flushed",  # durable; the offsets are not committed
    "stage.committed",  # offsets committed
    "route.writing",  # a batch is written, not committed
    "offer.making",  # an item is reserved, not committed
    "offer.made",  # reserved
    "dead_letters.stored",  # dead letters are rows; the offsets are not committed
    "send.claiming",  # a lease is taken, not committed
    "send.claimed",  # the attempt is on record; nothing has left
    "send.read",  # the thread is read; nothing has left
    "send.called",  # the platform has it, or not; nothing is noted
    "send.storing",  # the outcome is written, not committed
    "send.stored",  # the outcome is on record
    "look.read",  # the thread is read back; nothing is noted
    "look.confirming",  # confirmed, not committed
    "look.confirmed",  # confirmed
]
POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)

EXIT_CODE = 86
"""What a process ends with that was ended here."""

_DEFAULT_PASS = 2

_watcher: Callable[[CrashPoint], None] | None = None


def passed(point: CrashPoint) -> None:
    """The step named `point` is done: a test that wants it so ends the process here."""
    if _watcher is not None:
        _watcher(point)


def watch(watcher: Callable[[CrashPoint], None] | None) -> None:
    """Call `watcher` at each point from now on; None: nobody."""
    global _watcher  # noqa: PLW0603 -- one process has one watcher
    _watcher = watcher


def arm(wanted: str, role: str, folder: Path) -> None:
    """End this process at the points of `wanted`: `point` or `point:n` with commas, or `all`.

    `n` says at which pass, by default the second. A file in `folder` notes each end, so that
    it happens once for a role and point. Raises OperatorError for what is no point.
    """
    if wanted:
        watch(_Fuse(_parse(wanted), role, folder).at)


def _parse(wanted: str) -> Mapping[str, int]:
    passes: dict[str, int] = {}
    for entry in wanted.split(","):
        name, _, number = entry.strip().partition(":")
        if name not in (*POINTS, "all") or not (number or "1").isdecimal():
            raise OperatorError(
                f"EARSHOT_CRASH_AT is {wanted!r}: {entry.strip()!r} is no point at which a test "
                f"may end a process; write point or point:n with one of all, {', '.join(POINTS)}"
            )
        for point in POINTS if name == "all" else (name,):
            passes[point] = int(number or _DEFAULT_PASS)
    return passes


class _Fuse:
    """Counts the passes of each point, and ends the process when it is time."""

    def __init__(self, passes: Mapping[str, int], role: str, folder: Path) -> None:
        self._passes = passes
        self._role = role
        self._folder = folder
        self._seen: Counter[str] = Counter()

    def at(self, point: CrashPoint) -> None:
        self._seen[point] += 1
        if self._seen[point] != self._passes.get(point):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            (self._folder / f"{self._role}.{point}").touch(exist_ok=False)
        except FileExistsError:
            return
        os._exit(EXIT_CODE)
