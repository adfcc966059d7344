"""What the dashboard shows: rows of panels, each a title, a unit, and what Prometheus is asked.

`python -m deploy.grafana.write` makes `earshot.json` of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One query, and the name of its series; `{{label}}` stands for a label's value."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of time series. `about` says what a healthy one looks like."""

    title: str
    unit: str
    about: str
    lines: tuple[Line, ...]


def _largest(metric: str, by: str) -> Line:
    """Each maintain reports the same of the whole: the largest, not the sum."""
    return Line(f"max by ({by}) ({metric})", f"{{{{{by}}}}}")


def _rate(metric: str, by: str) -> Line:
    return Line(f"sum by ({by}) (rate({metric}[$__rate_interval]))", f"{{{{{by}}}}}")


def _quantile(q: float, metric: str, by: str = "") -> Line:
    labels, name = (f"le, {by}", f"{{{{{by}}}}} ") if by else ("le", "")
    rate = f"sum by ({labels}) (rate({metric}_bucket[$__rate_interval]))"
    return Line(f"histogram_quantile({q}, {rate})", f"{name}p{q * 100:g}")


def _age(metric: str, by: str) -> Line:
    return Line(f"time() - max by ({by}) ({metric} > 0)", f"{{{{{by}}}}}")


ROWS: dict[str, tuple[Panel, ...]] = {
    "Promises": (
        Panel(
            "Open items",
            "short",
            "Items in which somebody waits, by brand.",
            (_largest("earshot_items_open", "brand"),),
        ),
        Panel(
            "Overdue items",
            "short",
            "Items whose promise is broken while somebody waits, by brand.",
            (_largest("earshot_items_overdue", "brand"),),
        ),
        Panel(
            "Offers",
            "ops",
            "Items offered to responders, and taken back from who was silent.",
            (
                Line("sum(rate(earshot_offers_made_total[$__rate_interval]))", "made"),
                Line("sum(rate(earshot_offers_taken_back_total[$__rate_interval]))", "taken back"),
            ),
        ),
        Panel(
            "Ledger difference and dead letters",
            "short",
            "What is nowhere, and what waits for a person. Both are 0 on a good day.",
            (
                Line("max(earshot_ledger_difference)", "difference"),
                Line("max by (topic) (earshot_dead_letters_waiting)", "dead: {{topic}}"),
            ),
        ),
    ),
    "Sources": (
        Panel(
            "Posts read",
            "ops",
            "By source, matched or not.",
            (_rate("earshot_posts_read_total", "source"),),
        ),
        Panel(
            "Mentions published",
            "ops",
            "What matched a query, by source.",
            (_rate("earshot_mentions_published_total", "source"),),
        ),
        Panel(
            "Since the last good poll",
            "s",
            "Seconds to minutes, depending on how often a source is polled.",
            (_age("earshot_source_polled_timestamp_seconds", "source"),),
        ),
        Panel(
            "Failed polls, gaps, unreadable posts",
            "short",
            "In the last hour, by source.",
            (
                Line(
                    "sum by (source) (increase(earshot_source_errors_total[1h]))",
                    "{{source}} errors",
                ),
                Line(
                    "sum by (source) (increase(earshot_source_gaps_total[1h]))", "{{source}} gaps"
                ),
                Line(
                    "sum by (source) (increase(earshot_posts_rejected_total[1h]))",
                    "{{source}} unreadable",
                ),
            ),
        ),
        Panel(
            "Left of the rate limit",
            "percentunit",
            "What a platform still takes, by source and who asks it. It falls, and starts again.",
            (
                Line(
                    "min by (source, role) (earshot_rate_limit_remaining"
                    " / earshot_rate_limit_requests)",
                    "{{source}} {{role}}",
                ),
            ),
        ),
    ),
    "Stream": (
        Panel(
            "Spool",
            "percentunit",
            "How full a collector's disk is with what Kafka does not take. 0, while it does.",
            (Line("max by (instance) (earshot_spool_used_ratio)", "{{instance}}"),),
        ),
        Panel(
            "Records handled", "ops", "By stage.", (_rate("earshot_records_handled_total", "role"),)
        ),
        Panel(
            "Lag",
            "short",
            "Records that wait, by topic. It comes back to 0.",
            (_largest("earshot_log_lag", "topic"),),
        ),
        Panel(
            "From collected to done",
            "s",
            "The oldest record of each batch, by stage: route's is the time to the queue.",
            (
                _quantile(0.5, "earshot_wait_seconds", "role"),
                _quantile(0.99, "earshot_wait_seconds", "role"),
            ),
        ),
        Panel(
            "Age of what is in progress",
            "s",
            "How long ago the oldest record was collected that a stage works on.",
            (
                Line(
                    "time() - min by (role) (earshot_oldest_in_progress_timestamp_seconds > 0)",
                    "{{role}}",
                ),
            ),
        ),
        Panel(
            "Length of a step",
            "s",
            "The 99th percentile, by role.",
            (_quantile(0.99, "earshot_step_seconds", "role"),),
        ),
        Panel(
            "Set aside",
            "short",
            "Records that a stage could not handle, in the last hour, by topic.",
            (Line("sum by (topic) (increase(earshot_dead_letters_total[1h]))", "{{topic}}"),),
        ),
    ),
    "Replies": (
        Panel("On their way", "short", "By state.", (_largest("earshot_outbox_replies", "state"),)),
        Panel(
            "Age of the oldest",
            "s",
            "By state, since its writer handed it over. `unknown` is there for seconds only.",
            (_age("earshot_outbox_oldest_timestamp_seconds", "state"),),
        ),
        Panel(
            "Sent and confirmed",
            "ops",
            "By source. The two agree.",
            (
                Line(
                    "sum by (source) (rate(earshot_replies_sent_total[$__rate_interval]))",
                    "{{source}} sent",
                ),
                Line(
                    "sum by (source) (rate(earshot_replies_confirmed_total[$__rate_interval]))",
                    "{{source}} confirmed",
                ),
            ),
        ),
        Panel(
            "Unclear and given back",
            "short",
            "Attempts without a clear answer, and replies that need a person, in the last hour.",
            (
                Line(
                    "sum by (source) (increase(earshot_replies_unknown_total[1h]))",
                    "{{source}} unclear",
                ),
                Line(
                    "sum by (source) (increase(earshot_replies_failed_total[1h]))",
                    "{{source}} given back",
                ),
            ),
        ),
    ),
    "Desk": (
        Panel(
            "Answers", "reqps", "By class of status.", (_rate("earshot_requests_total", "status"),)
        ),
        Panel(
            "Time to answer",
            "s",
            "Until the answer begins.",
            (
                _quantile(0.5, "earshot_request_seconds"),
                _quantile(0.95, "earshot_request_seconds"),
            ),
        ),
        Panel(
            "Attempts to sign in",
            "short",
            "In ten minutes, by how they ended.",
            (Line("sum by (outcome) (increase(earshot_sign_ins_total[10m]))", "{{outcome}}"),),
        ),
    ),
    "Processes": (
        Panel(
            "Memory",
            "bytes",
            "Below 400 MB each.",
            (Line('process_resident_memory_bytes{job="earshot"}', "{{instance}}"),),
        ),
        Panel(
            "CPU",
            "percentunit",
            "Share of one core.",
            (
                Line(
                    'rate(process_cpu_seconds_total{job="earshot"}[$__rate_interval])',
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "Free disk",
            "percentunit",
            "The disk that has a role's home folder.",
            (
                Line(
                    "min by (role) (earshot_disk_free_bytes / earshot_disk_size_bytes)", "{{role}}"
                ),
            ),
        ),
        Panel(
            "Since the last step and the last reconciliation",
            "s",
            "By role, and of the whole.",
            (
                Line("time() - min by (role) (earshot_last_step_timestamp_seconds)", "{{role}}"),
                Line("time() - max(earshot_reconciliation_timestamp_seconds)", "reconciliation"),
                Line("time() - max(earshot_ledger_timestamp_seconds)", "ledger"),
            ),
        ),
        Panel(
            "Starts and open files",
            "short",
            "Processes started within an hour, and the files that each holds open.",
            (
                Line(
                    'sum(changes(process_start_time_seconds{job="earshot"}[1h]))', "started again"
                ),
                Line('process_open_fds{job="earshot"}', "{{instance}} files"),
            ),
        ),
        Panel(
            "Versions",
            "short",
            "Processes of each version: two only while a new one is brought out.",
            (Line("count by (version) (earshot_build_info)", "{{version}}"),),
        ),
    ),
}
