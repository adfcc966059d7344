"""The log: there, with its topics, and read by every stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from earshot.log.contract import Log, LogError
from earshot.log.topics import CLASSIFIED, MENTIONS, Malformed
from operations.checks.finding import Finding, Well, Wrong

LATE = timedelta(minutes=1)
"""After so long a record that nobody has read says that its reader is behind, or gone."""

_READ_BY: Mapping[str, str] = {MENTIONS.name: "classify", CLASSIFIED.name: "route"}
"""Who reads what has a time in it."""


def partitions(log: Log, wanted: Mapping[str, int]) -> Finding:
    """Whether every topic has the number of partitions that the settings say."""
    try:
        found = {topic: log.partitions(topic) for topic in wanted}
    except LogError as error:
        return Wrong("topics", str(error), "check that the log can be reached, and start a role")
    strange = [
        f"{topic} has {found[topic]} partitions, not {wanted[topic]}"
        for topic in wanted
        if found[topic] != wanted[topic]
    ]
    if strange:
        return Wrong(
            "topics",
            ", ".join(strange),
            "set log.partitions to that number: a topic keeps the number it was created with",
        )
    return Well("topics", ", ".join(f"{topic} {count}" for topic, count in found.items()))


def waiting(log: Log, path: tuple[tuple[str, str], ...], now: datetime) -> Iterator[Finding]:
    """For each topic of `path`, how much its group has not read, and since when that waits.

    Raises LogError.
    """
    for topic, group in path:
        lag = log.lag(topic, group)
        subject, said = f"log {topic}", f"{lag} waiting for {group}"
        oldest = _oldest(log, topic, group) if lag and topic in _READ_BY else None
        if oldest is not None and now - oldest > LATE:
            age = (now - oldest).total_seconds()
            yield Wrong(
                subject,
                f"{said}, the oldest for {age:.0f} s",
                f"check that `earshot {group}` runs, and read its log; or start another one",
            )
        else:
            yield Well(subject, said)


def _oldest(log: Log, topic: str, group: str) -> datetime | None:
    """When the oldest record that `group` has not read was collected; None if it can't be read."""
    decode: Callable[[bytes], datetime] = {
        MENTIONS.name: lambda raw: MENTIONS.decode(raw).collected_at,
        CLASSIFIED.name: lambda raw: CLASSIFIED.decode(raw).mention.collected_at,
    }[topic]
    found = []
    for partition, offset in log.committed(topic, group).items():
        for record in log.read(topic, partition, offset, 1):
            try:
                found.append(decode(record.value))
            except Malformed:
                continue  # it will be set aside, with its reason
    return min(found, default=None)
