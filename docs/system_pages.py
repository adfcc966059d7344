"""What the system shows, as tables: commands, topics, metrics, permissions."""

from __future__ import annotations

from collections.abc import Iterator

import click

from dashboard.accounts.permissions import GRANTS, Permission
from docs.operator_pages import table
from earshot.domain import ItemFlag, Vocabulary
from earshot.log.topics import TOPICS
from earshot.runtime.metrics import COUNTERS, GAUGES, HISTOGRAMS, Metric
from earshot.runtime.role import ROLES
from earshot.settings import Telemetry
from operations.cli import main

_WIDTH = 90


def commands() -> str:
    return "\n".join(_command(words, command) for words, command in walk(main, ("earshot",)))


def walk(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command from `command` down that is not hidden, with the words that call it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in sorted(command.list_commands(context)):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from walk(inner, (*words, name))


def _command(words: tuple[str, ...], command: click.Command) -> str:
    name = " ".join(words)
    context = click.Context(
        command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    return f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"


def topics() -> str:
    rows = [
        (f"`{topic.name}`", f"`{topic.message.__name__}`", f"[schema](schemas/{topic.name}.json)")
        for topic in TOPICS
    ]
    return table(("topic", "type", "what it holds"), rows)


def metrics() -> str:
    rows = [
        *(_metric(f"{name}_total", "counter", metric) for name, metric in COUNTERS.items()),
        *(_metric(name, "gauge", metric) for name, metric in GAUGES.items()),
        *(_metric(name, "histogram", metric) for name, metric in HISTOGRAMS.items()),
    ]
    return table(("metric", "kind", "label", "meaning"), rows)


def _metric(name: str, kind: str, metric: Metric) -> tuple[str, ...]:
    return f"`earshot_{name}`", kind, f"`{metric.label}`" if metric.label else "", metric.meaning


def words(vocabulary: type[Vocabulary]) -> str:
    return table(("word", "meaning"), [(f"`{word}`", word.meaning) for word in vocabulary])


def item_flags() -> str:
    rows = [(f"`{flag.name.lower()}`", str(int(flag)), flag.meaning) for flag in ItemFlag]
    return table(("flag", "bit", "meaning"), rows)


def ports() -> str:
    first = Telemetry().port
    return table(("role", "port"), [(f"`{role}`", str(first + n)) for n, role in enumerate(ROLES)])


def permissions() -> str:
    rows = [
        (str(permission), *("yes" if permission in GRANTS[role] else "" for role in GRANTS))
        for permission in Permission
    ]
    return table(("may", *(str(role) for role in GRANTS)), rows)
