"""Counts what the desk answers and how soon, for the metrics of its process."""

from __future__ import annotations

import time

from flask import Flask, Response, g

from earshot.runtime.metrics import Metrics

CLASSES = ("2xx", "3xx", "4xx", "5xx")


def set_up(app: Flask, metrics: Metrics) -> None:
    """Count every request by the class of its status, and time it until its answer begins."""
    for status in CLASSES:
        metrics.add("requests", 0, status=status)
    for outcome in ("right", "wrong", "throttled"):
        metrics.add("sign_ins", 0, outcome=outcome)

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        metrics.add("requests", status=f"{response.status_code // 100}xx")
        if "began" in g:
            metrics.observe("request_seconds", time.perf_counter() - g.began)
        return response
