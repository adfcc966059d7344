"""What every role is run with: here the watchdog that ends a role which is stuck."""

from __future__ import annotations

import threading

from earshot.runtime.role import STUCK_EXIT_CODE, end_when_stuck
from earshot.runtime.telemetry import Probe


def test_a_role_that_finishes_no_step_for_too_long_is_ended() -> None:
    now = [0.0]
    ended: list[int] = []
    probe = Probe(lambda: now[0], stuck_after_s=120.0)
    stop = threading.Event()

    class Turns:
        """Time passes between two looks, as long as there is some left."""

        left = 5

        def wait(self, seconds: float) -> bool:
            self.left -= 1
            now[0] += 100.0
            if self.left == 3:
                probe.step_done()
            return self.left < 0

    end_when_stuck(probe, Turns(), ended.append)  # type: ignore[arg-type]  # only wait is asked
    assert ended == [STUCK_EXIT_CODE]
    assert now[0] == 400.0
    assert not stop.is_set()


def test_a_role_that_works_on_is_left_alone() -> None:
    ended: list[int] = []
    probe = Probe(lambda: 0.0)
    stop = threading.Event()
    watchdog = threading.Thread(target=end_when_stuck, args=(probe, stop, ended.append, 0.001))
    watchdog.start()
    stop.set()
    watchdog.join(10)
    assert not watchdog.is_alive()
    assert not ended
