"""A process whose client has lost its way, as when a broker names a leader that it does not list.

python -m tests.earshot.log.kafka.stuck_producer BOOTSTRAP TOPIC flush|exit
"""

from __future__ import annotations

import atexit
import sys
import threading

from kafka.errors import UnknownBrokerIdError

from earshot.log.contract import PublishFailed
from earshot.log.kafka.log import KafkaLog
from earshot.runtime.telemetry import set_up_logging


def main(bootstrap: str, topic: str, how: str) -> None:
    set_up_logging("test", style="human", level="info")
    log = KafkaLog(bootstrap, "stuck", delivery_timeout_s=1.0, stuck_margin_s=1.0)
    producer = log.producer()
    producer.send(topic, b"k", b"before")
    producer.flush()

    def refuse(*_: object) -> None:
        raise UnknownBrokerIdError(1)

    producer._client._sender._send_producer_data = refuse
    producer.send(topic, b"k", b"v")
    if how == "flush":
        producer.flush(600)
    try:
        producer.flush(0.1)
    except PublishFailed:
        atexit.register(threading.Event().wait)  # as the library's own close may wait


if __name__ == "__main__":
    main(*sys.argv[1:])
