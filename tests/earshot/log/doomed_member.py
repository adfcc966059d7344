"""A process that polls as a member of a group and waits to be killed.

python -m tests.earshot.log.doomed_member sqlite|kafka WHERE TOPIC GROUP COUNT
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from earshot.log.contract import Log
from earshot.log.sqlite.log import SqliteLog


def main(kind: str, where: str, topic: str, group: str, count: str) -> None:
    log: Log
    if kind == "sqlite":
        log = SqliteLog(Path(where), lease_s=1.0)
    else:
        from earshot.log.kafka.log import KafkaLog

        log = KafkaLog(where, "doomed", session_timeout_s=2.0)
    consumer, polled = log.consumer(topic, group), 0
    while polled < int(count):
        polled += len(consumer.poll(10, 1.0))
    sys.stdout.write("polled\n")
    sys.stdout.flush()
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
