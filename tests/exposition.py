"""What a role's `/metrics` says, read as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from earshot.runtime.metrics import Metrics


def told(metrics: Metrics, name: str) -> dict[str, float]:
    """The samples of one metric, by their label other than the role."""
    return {
        next((sample.labels[name] for name in sample.labels if name != "role"), ""): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name == name
    }
