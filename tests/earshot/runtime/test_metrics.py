"""The list of metrics, and what one role tells by it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import pytest

from earshot.runtime import metrics as names
from earshot.runtime.metrics import Metrics
from tests.exposition import told


def test_every_metric_that_is_typed_is_described_and_listed() -> None:
    assert set(names.COUNTERS) == set(get_args(names.CounterName))
    assert set(names.GAUGES) == set(get_args(names.GaugeName))
    assert set(names.HISTOGRAMS) == set(get_args(names.HistogramName))
    text = Metrics("collect").text().decode()
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    ours = {name for name in kinds if name.startswith("earshot_")}
    assert ours == set(names.metric_names())
    described = (*names.COUNTERS.values(), *names.GAUGES.values(), *names.HISTOGRAMS.values())
    assert all(metric.meaning in text for metric in described)
    assert {metric.label for metric in described} == {None, *get_args(names.Label)}
    assert set(names.Labels.__annotations__) == set(get_args(names.Label))


def test_a_role_tells_of_its_process() -> None:
    metrics = Metrics("collect")
    assert told(metrics, "process_resident_memory_bytes")[""] > 2**20
    assert told(metrics, "process_start_time_seconds")[""] > 0


def test_a_counter_may_begin_at_nothing() -> None:
    metrics = Metrics("collect")
    assert told(metrics, "earshot_source_gaps_total") == {}
    metrics.add("source_gaps", 0, source="x")
    assert told(metrics, "earshot_source_gaps_total") == {"x": 0.0}


@pytest.mark.parametrize("labels", [{}, {"topic": "x"}, {"source": "x", "topic": "x"}, {"of": "x"}])
def test_a_label_that_is_left_out_or_of_another_metric_is_an_error(labels: Any) -> None:
    with pytest.raises(ValueError, match="label"):
        Metrics("collect").add("source_gaps", 1, **labels)


def test_a_value_that_is_followed_is_asked_for_whenever_it_is_read() -> None:
    metrics, answers = Metrics("collect"), iter([1.0, 2.0])
    metrics.follow("log_lag", lambda: next(answers), topic="mentions")
    assert [told(metrics, "earshot_log_lag") for _ in range(2)] == [
        {"mentions": 1.0},
        {"mentions": 2.0},
    ]


def test_the_disk_of_a_home_that_is_not_made_yet_is_told(tmp_path: Path) -> None:
    metrics = Metrics("collect")
    metrics.follow_disk(tmp_path / "not" / "made")
    free, size = (told(metrics, f"earshot_disk_{what}_bytes")[""] for what in ("free", "size"))
    assert 0 < free <= size


def test_a_disk_that_does_not_answer_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("shutil.disk_usage", gone)
    metrics = Metrics("collect")
    metrics.follow_disk(Path())
    assert math.isnan(told(metrics, "earshot_disk_free_bytes")[""])
