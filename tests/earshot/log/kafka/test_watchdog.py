"""A client that neither sends nor fails ends its process, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid

import pytest

from earshot.log.kafka.log import KafkaLog
from earshot.log.kafka.watchdog import EXIT_CODE, Watchdog


@pytest.mark.services
@pytest.mark.parametrize("how", ["flush", "exit"])
def test_a_process_whose_client_hangs_ends_with_a_code_of_its_own(
    kafka_bootstrap: str, how: str
) -> None:
    log, topic = KafkaLog(kafka_bootstrap, "test"), f"t-{uuid.uuid4().hex[:8]}"
    log.create({topic: 1})
    program = [sys.executable, "-m", "tests.earshot.log.kafka.stuck_producer"]
    ended = subprocess.run(
        [*program, kafka_bootstrap, topic, how], stderr=subprocess.PIPE, timeout=90, check=False
    )
    assert ended.returncode == EXIT_CODE, ended.stderr.decode()
    assert f"no answer from Kafka at {kafka_bootstrap}" in ended.stderr.decode()
    assert log.lag(topic, "g") == 1
    log.close()


def test_what_is_answered_in_time_disturbs_nobody() -> None:
    ends: list[str] = []
    asked = threading.Event()

    def age() -> float:
        asked.set()
        return 0.9

    watchdog = Watchdog("k:1", age, 1.0, every_s=0.001, end=ends.append)
    assert asked.wait(30)
    watchdog.stop()
    assert not ends


def test_what_is_late_is_told_once() -> None:
    ends: list[str] = []
    watchdog = Watchdog("k:1", lambda: 75.0, 70.0, every_s=0.001, end=ends.append)
    until = time.monotonic() + 30
    while not ends and time.monotonic() < until:
        time.sleep(0.005)
    watchdog.stop()
    (said,) = ends
    assert "k:1 for 75 s" in said
