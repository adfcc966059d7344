"""Ends the process when a record has had no answer for longer than the client should ever take.

kafka-python's sending thread can die, or turn in circles for ever: its futures then neither
succeed nor fail, and a flush waits on. Nothing within the process mends that; a new one does,
and what was not acknowledged is sent again.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: whoever supervises starts the process again."""


def end_process(why: str) -> None:
    """End at once, whatever other threads wait for: a clean exit would wait for them too."""
    logger.critical("ending this process", extra={"reason": why, "code": EXIT_CODE})
    for handler in logging.getLogger().handlers:
        handler.flush()
    os._exit(EXIT_CODE)


class Watchdog:
    """Asks each `every_s` seconds for the age of what waits longest; `stop` ends it.

    `oldest_s` answers in seconds, 0 when nothing waits. Beyond `patience_s`, `end` is called
    with a sentence for the log.
    """

    def __init__(
        self,
        where: str,
        oldest_s: Callable[[], float],
        patience_s: float,
        *,
        every_s: float = 1.0,
        end: Callable[[str], None] = end_process,
    ) -> None:
        self._where = where
        self._oldest_s = oldest_s
        self._patience_s = patience_s
        self._every_s = every_s
        self._end = end
        self._stopped = threading.Event()
        # a daemon that outlives the main thread: it also ends an exit that hangs
        self._thread = threading.Thread(target=self._watch, name="kafka-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._every_s):
            age_s = self._oldest_s()
            if age_s > self._patience_s:
                self._end(
                    f"a record got no answer from Kafka at {self._where} for {age_s:.0f} s, and"
                    f" the client gave none after {self._patience_s:.0f} s: its sending thread"
                    " hangs. Nothing is lost; if this repeats, look at the brokers' logs"
                )
                return
