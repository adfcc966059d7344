"""The metrics of a role, as Prometheus reads them.

Every metric's name is here once, with kind, meaning and label; a misspelt one is a type error.
The reference page of metrics is generated from this list. Alert rules and the dashboard below
`deploy/` name them, and a test compares those names with what running roles expose.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict, Unpack, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from earshot import __version__

CounterName = Literal[
    "posts_read",
    "mentions_published",
    "posts_rejected",
    "source_errors",
    "source_gaps",
    "records_handled",
    "dead_letters",
    "offers_made",
    "offers_taken_back",
    "replies_sent",
    "replies_confirmed",
    "replies_unknown",
    "replies_failed",
    "requests",
    "sign_ins",
]
GaugeName = Literal[
    "last_step_timestamp_seconds",
    "disk_free_bytes",
    "disk_size_bytes",
    "source_polled_timestamp_seconds",
    "rate_limit_remaining",
    "rate_limit_requests",
    "oldest_in_progress_timestamp_seconds",
    "log_lag",
    "dead_letters_waiting",
    "spool_records",
    "spool_used_ratio",
    "outbox_replies",
    "outbox_oldest_timestamp_seconds",
    "items_open",
    "items_overdue",
    "ledger_difference",
    "purge_held",
    "ledger_timestamp_seconds",
    "reconciliation_timestamp_seconds",
]
HistogramName = Literal["step_seconds", "wait_seconds", "request_seconds"]
Label = Literal["source", "topic", "brand", "state", "status", "outcome"]


class Labels(TypedDict, total=False):
    """The labels of a sample besides its role, each named for what its value is."""

    source: str
    topic: str
    brand: str
    state: str
    status: str
    outcome: str


class Metric(NamedTuple):
    """What a metric means, and the label by which there are several of it."""

    meaning: str
    label: Label | None = None


COUNTERS: Mapping[CounterName, Metric] = {
    "posts_read": Metric("posts read from a source, matched or not", "source"),
    "mentions_published": Metric("mentions that the log acknowledged", "source"),
    "posts_rejected": Metric(
        "posts that could not be parsed and were kept as dead letters", "source"
    ),
    "source_errors": Metric("polls of a source that failed", "source"),
    "source_gaps": Metric("stretches of time in which a source may have lost posts", "source"),
    "records_handled": Metric("records carried through a stage"),
    "dead_letters": Metric("records set aside because they could not be handled", "topic"),
    "offers_made": Metric("items offered to responders"),
    "offers_taken_back": Metric("offers taken back from a silent or absent responder"),
    "replies_sent": Metric("replies a platform took", "source"),
    "replies_confirmed": Metric("replies read back on the platform", "source"),
    "replies_unknown": Metric("attempts without a clear answer", "source"),
    "replies_failed": Metric("replies that need a person", "source"),
    "requests": Metric("answers of the desk, by the first digit of their status: 2xx …", "status"),
    "sign_ins": Metric(
        "attempts to sign in: right, wrong, or made to wait after too many wrong ones", "outcome"
    ),
}
GAUGES: Mapping[GaugeName, Metric] = {
    "last_step_timestamp_seconds": Metric("when the role last finished a step; a desk takes none"),
    "disk_free_bytes": Metric("free space where the home folder lies"),
    "disk_size_bytes": Metric("size of the disk where the home folder lies"),
    "source_polled_timestamp_seconds": Metric(
        "when a source was last polled with success; before the first time, when its role started",
        "source",
    ),
    "rate_limit_remaining": Metric(
        "requests that a platform still takes from a source until its scarcest rate limit starts"
        " again; not a number where it says nothing of that",
        "source",
    ),
    "rate_limit_requests": Metric("requests that this limit allows in all", "source"),
    "oldest_in_progress_timestamp_seconds": Metric(
        "when the oldest record was collected that the stage works on; 0: nothing waits",
        "topic",
    ),
    "log_lag": Metric("records of a topic that its stage has not handled yet", "topic"),
    "dead_letters_waiting": Metric(
        "dead letters of a topic that nobody has retried or dropped", "topic"
    ),
    "spool_records": Metric("records on a collector's disk that wait for the log to answer again"),
    "spool_used_ratio": Metric(
        "how full a collector's spool is: from 0.5 on sources pause, at 1 all do"
    ),
    "outbox_replies": Metric("replies on their way, by state", "state"),
    "outbox_oldest_timestamp_seconds": Metric(
        "when the oldest reply of a state was handed over by its writer; 0: there is none",
        "state",
    ),
    "items_open": Metric("items of a brand in which somebody waits", "brand"),
    "items_overdue": Metric(
        "items of a brand whose promise is broken while somebody waits, up to 10000", "brand"
    ),
    "purge_held": Metric("1 while nothing is purged because the clock is not believed"),
    "ledger_difference": Metric("mentions collected since yesterday that are nowhere; must be 0"),
    "ledger_timestamp_seconds": Metric("when the ledger was last drawn up"),
    "reconciliation_timestamp_seconds": Metric(
        "when the database and the log were last asked for the metrics above"
    ),
}
HISTOGRAMS: Mapping[HistogramName, Metric] = {
    "step_seconds": Metric(
        "how long one step took: a batch of a stage, a poll of a source, a tick"
    ),
    "wait_seconds": Metric(
        "how long ago the oldest record of each batch had been collected when the stage was done",
    ),
    "request_seconds": Metric("how long the desk took to begin its answer"),
}
_WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_BUCKETS: Mapping[HistogramName, tuple[float, ...]] = {
    "step_seconds": Histogram.DEFAULT_BUCKETS,
    "wait_seconds": _WAITS,
    "request_seconds": Histogram.DEFAULT_BUCKETS,
}


class Metrics:
    """The metrics of one role. Each carries the label `role` and the one it is described with.

    A label that a metric doesn't have, or one left out, raises ValueError.

    Besides its own there are those that every client of Prometheus has about its process:
    memory, CPU, files, start.
    """

    def __init__(self, role: str) -> None:
        # a second series for each, which nothing here reads
        disable_created_metrics()  # type: ignore[no-untyped-call]  # ships without its types
        self.registry = CollectorRegistry()
        self._role = role
        self._counters = {
            name: Counter(f"earshot_{name}", one.meaning, _labels(one), registry=self.registry)
            for name, one in COUNTERS.items()
        }
        self._gauges = {
            name: Gauge(f"earshot_{name}", one.meaning, _labels(one), registry=self.registry)
            for name, one in GAUGES.items()
        }
        self._histograms = {
            name: Histogram(
                f"earshot_{name}",
                one.meaning,
                _labels(one),
                registry=self.registry,
                buckets=_BUCKETS[name],
            )
            for name, one in HISTOGRAMS.items()
        }
        build = Info("earshot_build", "the version that runs", registry=self.registry)
        build.info({"version": __version__})
        ProcessCollector(registry=self.registry)

    def add(self, name: CounterName, n: int = 1, **labels: Unpack[Labels]) -> None:
        """Count `n` more. With 0 the series begins: else its first increase goes unseen."""
        self._counters[name].labels(role=self._role, **labels).inc(n)

    def set(self, name: GaugeName, value: float, **labels: Unpack[Labels]) -> None:
        self._gauges[name].labels(role=self._role, **labels).set(value)

    def observe(self, name: HistogramName, seconds: float, **labels: Unpack[Labels]) -> None:
        self._histograms[name].labels(role=self._role, **labels).observe(seconds)

    def follow(self, name: GaugeName, ask: Callable[[], float], **labels: Unpack[Labels]) -> None:
        """Let `ask` say the value whenever it is read. It must not raise."""
        self._gauges[name].labels(role=self._role, **labels).set_function(ask)

    def follow_disk(self, folder: Path) -> None:
        """Tell size and free space of the disk on which `folder` lies, or will."""
        self.follow("disk_free_bytes", lambda: _disk(folder)[0])
        self.follow("disk_size_bytes", lambda: _disk(folder)[1])

    def text(self) -> bytes:
        return generate_latest(self.registry)


def _labels(metric: Metric) -> tuple[str, ...]:
    return ("role", metric.label) if metric.label else ("role",)


def metric_names() -> list[str]:
    """The name of every metric of ours as Prometheus shows it."""
    counters = [f"earshot_{name}_total" for name in get_args(CounterName)]
    others = [*get_args(GaugeName), *get_args(HistogramName), "build_info"]
    return counters + [f"earshot_{name}" for name in others]


def _disk(folder: Path) -> tuple[float, float]:
    """Free and whole bytes of the disk; not a number where nothing can be asked."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    try:
        usage = shutil.disk_usage(there or folder)
    except OSError:
        return float("nan"), float("nan")
    return float(usage.free), float(usage.total)
