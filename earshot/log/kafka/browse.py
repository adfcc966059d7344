"""Reading partitions outside any group: some records, or only how many messages there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from earshot.log.contract import Record
from earshot.log.kafka.pack import count, place_of, unpack

COUNTED_RECORDS = 64
"""Where more records of Kafka than this lie ahead, their messages are estimated by these."""


def browse(
    client: KafkaConsumer, at: TopicPartition, start: int, most: int, timeout_ms: int
) -> Iterator[Any]:
    """Kafka's records of one partition from its offset `start` on, at most `most`, to the end."""
    client.assign([at])
    end = client.end_offsets([at], timeout_ms=timeout_ms)[at]
    here = max(start, client.beginning_offsets([at], timeout_ms=timeout_ms)[at])
    client.seek(at, here)
    while here < end and most > 0:
        polled = client.poll(timeout_ms, max_records=min(most, COUNTED_RECORDS))
        if not polled:
            raise KafkaTimeoutError(f"no records of {at.topic}:{at.partition} from offset {here}")
        yield from polled[at]
        most -= len(polled[at])
        here = polled[at][-1].offset + 1


def read(
    client: KafkaConsumer, at: TopicPartition, offset: int, limit: int, timeout_ms: int
) -> list[Record]:
    """At most `limit` messages of one partition from the log's `offset` on."""
    found: list[Record] = []
    if limit <= 0:
        return found
    # a record holds at least one message; only of the first the beginning may be left out
    for raw in browse(client, at, place_of(offset)[0], limit + 1, timeout_ms):
        found += [message for message in unpack(raw) if message.offset >= offset]
        if len(found) >= limit:
            break
    return found[:limit]


def messages_ahead(
    client: KafkaConsumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    timeout_ms: int,
) -> int:
    """How many messages lie from each partition's `starts` (the log's) to its `ends` (Kafka's).

    Exact where at most COUNTED_RECORDS records are ahead; else the rest is taken to hold as
    many messages each as those do.
    """
    total = 0
    for at, offset in starts.items():
        start, place = place_of(offset)
        if start >= ends[at]:
            continue
        counts = {}
        for raw in browse(client, at, start, COUNTED_RECORDS, timeout_ms):
            if raw.offset < ends[at]:
                counts[raw.offset] = count(raw.headers)
        if not counts:
            continue
        done = min(place, counts.get(start, 0))
        beyond = ends[at] - max(counts) - 1
        total += sum(counts.values()) - done + round(beyond * sum(counts.values()) / len(counts))
    return total
