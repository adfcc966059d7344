"""Labelled text as an operator writes it: a CSV file with the columns text, task, label."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from earshot.domain import TEXT_LIMIT, Intent, Sentiment

COLUMNS = ("text", "task", "label")
TOPIC = "topic"
LABELS: dict[str, tuple[str, ...]] = {
    "sentiment": tuple(str(label) for label in Sentiment),
    "intent": tuple(str(label) for label in Intent),
    "spam": ("ham", "spam"),
}
"""The labels of each task. A topic's label is the topic's name in the brand file."""

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A text with its label for one task. `weight` counts it as so many texts."""

    text: str
    task: str
    label: str
    weight: float = 1.0


class BadLabels(ValueError):
    """A file of labels can't be used. The message names each bad line, up to ten."""


def read_labels(path: Path) -> list[Example]:
    """The examples in the CSV file at `path` (UTF-8, with a header row).

    Raises BadLabels naming the lines that are wrong, and what would be right.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parse_labels(file, str(path))
    except OSError as error:
        raise BadLabels(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadLabels(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error


def parse_labels(lines: Iterable[str], name: str) -> list[Example]:
    """As `read_labels`, from lines; `name` is in messages."""
    reader = csv.DictReader(lines, strict=True)
    examples: list[Example] = []
    wrong: list[str] = []
    try:
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise BadLabels(
                f"{name}, line 1: no column {missing[0]!r}; the header must be text,task,label"
            )
        for row in reader:
            found = list(_faults(row))
            wrong += [f"line {reader.line_num}: {fault}" for fault in found]
            if not found:
                text, task, label = (row[column].strip() for column in COLUMNS)
                examples.append(Example(text=text, task=task, label=label))
    except csv.Error as error:
        raise BadLabels(f"{name}, line {reader.reader.line_num}: {error}") from error
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise BadLabels(f"{name}: {'; '.join(wrong[:_SHOWN])}{more}")
    if not examples:
        raise BadLabels(f"{name} has a header but no rows; nothing to learn from")
    return examples


def _faults(row: dict[str, str | None]) -> Iterator[str]:
    if None in row or any(row[column] is None for column in COLUMNS):
        yield f"expected {len(COLUMNS)} fields; put texts with commas in double quotes"
        return
    text, task, label = ((row[column] or "").strip() for column in COLUMNS)
    if not text:
        yield "the text is empty"
    if len(text) > TEXT_LIMIT:
        yield f"the text has {len(text)} characters, more than {TEXT_LIMIT}"
    if task != TOPIC and task not in LABELS:
        yield f"unknown task {task[:40]!r}; known are {', '.join((*LABELS, TOPIC))}"
    elif task != TOPIC and label not in LABELS[task]:
        yield f"unknown {task} {label[:40]!r}; known are {', '.join(LABELS[task])}"
    elif not label:
        yield "the label is empty"
