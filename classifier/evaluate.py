"""How good a classifier is: figures per label, on text that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from classifier.labelling.trained_classifier import Classifier
from classifier.training.training_labels import Example
from earshot.domain import Author, Classification, Label, Mention

_BINS = 10
_AT_ONCE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """The figures of one label.

    `precision`: the share of texts called so that were it. `recall`: the share of texts that
    were it and were called so. `f1`: their harmonic mean. `texts`: how many were it.
    """

    precision: float
    recall: float
    f1: float
    texts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A classifier's figures for one task.

    `calibration_error` is the expected calibration error over ten equal bins of confidence
    (Guo et al. 2017): by how much confidence and share of right answers differ on average.
    """

    task: str
    classifier: str
    texts: int
    accuracy: float
    macro_recall: float
    macro_f1: float
    calibration_error: float
    labels: dict[str, LabelFigures]

    def as_table(self) -> str:
        """The figures as a Markdown table, in percent."""
        rows = [
            f"| {name} | {_percent(label.precision)} | {_percent(label.recall)} "
            f"| {_percent(label.f1)} | {label.texts} |"
            for name, label in self.labels.items()
        ]
        summary = (
            f"accuracy {_percent(self.accuracy)}, macro recall {_percent(self.macro_recall)}, "
            f"macro F1 {_percent(self.macro_f1)}, calibration error "
            f"{_percent(self.calibration_error)}, {self.texts} texts"
        )
        head = f"| {self.task} | precision | recall | F1 | texts |\n|---|---|---|---|---|"
        return "\n".join([head, *rows, "", summary])


def evaluate(
    classifier: Classifier, examples: Sequence[Example], task: str, *, lang: str = "en"
) -> Report:
    """The figures of `classifier` for `task` on the examples of that task.

    `lang` is what the platform is taken to say of the language; empty lets the classifier
    find out. Raises ValueError when no example is of that task.
    """
    mine = [example for example in examples if example.task == task]
    if not mine:
        raise ValueError(f"no example is labelled for the task {task!r}; nothing to measure")
    found: list[Classification] = []
    for at in range(0, len(mine), _AT_ONCE):
        some = mine[at : at + _AT_ONCE]
        found += classifier.classify([_mention(example.text, lang) for example in some])
    labels: list[Label] = [getattr(classification, task) for classification in found]
    return _report(task, classifier.version, [example.label for example in mine], labels)


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The expected calibration error of answers given with `confidence`."""
    shares, hits = np.asarray(confidence, float), np.asarray(right, float)
    bins = np.minimum((shares * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for at in np.unique(bins).tolist():
        inside = bins == at
        error += abs(float(shares[inside].mean() - hits[inside].mean())) * float(inside.mean())
    return error


def _report(task: str, version: str, truth: Sequence[str], labels: Sequence[Label]) -> Report:
    said = [str(label.value) for label in labels]
    right = [a == b for a, b in zip(truth, said, strict=True)]
    names = sorted(set(truth))
    figures = {name: _figures(name, truth, said) for name in names}
    return Report(
        task=task,
        classifier=version,
        texts=len(truth),
        accuracy=sum(right) / len(right),
        macro_recall=sum(f.recall for f in figures.values()) / len(figures),
        macro_f1=sum(f.f1 for f in figures.values()) / len(figures),
        calibration_error=calibration_error([label.confidence for label in labels], right),
        labels=figures,
    )


def _figures(name: str, truth: Sequence[str], said: Sequence[str]) -> LabelFigures:
    hits = sum(a == b == name for a, b in zip(truth, said, strict=True))
    called, were = said.count(name), truth.count(name)
    precision = hits / called if called else 0.0
    recall = hits / were if were else 0.0
    both = precision + recall
    return LabelFigures(
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / both if both else 0.0,
        texts=were,
    )


def _mention(text: str, lang: str) -> Mention:
    return Mention(
        brand="evaluation",
        source="evaluation",
        platform="evaluation",
        native_id="0",
        thread="0",
        author=Author(id="0", name=""),
        text=text,
        url="",
        published_at=_EPOCH,
        collected_at=_EPOCH,
        lang=lang,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
