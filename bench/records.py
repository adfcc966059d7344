"""What a message costs on Kafka, each a record of its own and many in one.

    python -m bench.records --count 30000

Publishes mentions to a broker of its own with its default settings, one partition, a flush each
thousand; then reads and commits them in thousands. CPU is user and system time: of this process,
which is the client, and of the broker since it started answering.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from bench.pipeline import machine
from earshot.log.kafka.log import KafkaLog
from earshot.log.topics import MENTIONS
from tests.builders import a_mention
from tests.services.kafka import Kafka
from tests.system import cpu_seconds

BATCH = 1_000


@click.command()
@click.option("--count", default=30_000, show_default=True, help="Messages of each form.")
@click.option("--rounds", default=3, show_default=True, help="Of both forms, in turn.")
def main(count: int, rounds: int) -> None:
    """Measure both forms; one JSON object on a line for each round of each."""
    with TemporaryDirectory(prefix="earshot-bench-") as folder:
        broker = Kafka(Path(folder) / "kafka")
        broker.start()
        try:
            for number in range(rounds):
                for most in (1, 64):
                    measured = _measure(broker, f"t-{number}-{most}", most, count)
                    click.echo(json.dumps({"messages_per_record": most, **measured}))
        finally:
            broker.stop()
    click.echo(json.dumps({"machine": machine(), "count": count}))


def _measure(broker: Kafka, topic: str, most: int, count: int) -> dict[str, float]:
    log = KafkaLog(broker.address, "bench", messages_per_record=most)
    log.create({topic: 1})
    before = cpu_seconds(broker.pid)
    published = _cpu_us(lambda: _publish(log, topic, count), count)
    read = _cpu_us(lambda: _read(log, topic, count), count)
    log.close()
    broker_us = round((cpu_seconds(broker.pid) - before) / count * 1e6, 1)
    return {"publish_us": published, "read_us": read, "broker_us": broker_us}


def _cpu_us(work: Callable[[], None], count: int) -> float:
    """The CPU of this process for each of `count`, in microseconds."""
    began = time.process_time()
    work()
    return round((time.process_time() - began) / count * 1e6, 1)


def _publish(log: KafkaLog, topic: str, count: int) -> None:
    value = MENTIONS.encode(a_mention())
    producer = log.producer()
    for number in range(count):
        producer.send(topic, b"x:%d" % number, value)
        if number % BATCH == BATCH - 1:
            producer.flush()
    producer.flush()
    producer.close()


def _read(log: KafkaLog, topic: str, count: int) -> None:
    consumer, done = log.consumer(topic, "bench"), 0
    while done < count:
        done += len(consumer.poll(BATCH, 1.0))
        consumer.commit()
    consumer.close()


if __name__ == "__main__":
    main()
