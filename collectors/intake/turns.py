"""The loop of the role `collect`: the collectors of one process take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from collectors.collect import Collector


def run(
    collectors: Sequence[Collector],
    stop: threading.Event,
    step_done: Callable[[], None],
    drain: Callable[[], None] = lambda: None,
) -> None:
    """Step the collectors in turn until `stop` is set, resting while none is due.

    `drain` is called before each turn, at least once a second.
    """
    try:
        while not stop.is_set():
            drain()
            for collector in collectors:
                collector.step()
            step_done()
            stop.wait(min(1.0, *(collector.rest_s() for collector in collectors)))
    finally:
        for collector in collectors:
            collector.source.close()
