"""Training: labelled text in, a bundle out. Needs scikit-learn; judging doesn't.

The same text, code and library versions give the same bundle, bit for bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight

from classifier.features.ngrams import BITS
from classifier.features.vectorizer import HashedNgrams
from classifier.labelling.topics import centroid
from classifier.learning.adapt import adapted
from classifier.model.bundle import (
    DEFAULT_MODEL,
    Bundle,
    Head,
    Header,
    Learnt,
    TopicCurve,
    load,
    save,
)
from classifier.text.normalization import normalise
from classifier.training.corpora import Corpus, default_corpora, intent_texts, plain_tweets, seed
from classifier.training.pipeline import FOLDS, SEED, linear_parts, task_pipeline
from classifier.training.topic_curve import THRESHOLD, fit_curve
from classifier.training.training_labels import LABELS, TOPIC, BadLabels, Example, read_labels
from earshot.domain import Intent

OPERATOR_WEIGHT = 4.0
"""What a brand labels itself counts for more than a public text."""

TOPIC_CURVE = TopicCurve(slope=2.29, lead=0.62, offset=5.35, threshold=THRESHOLD)
"""The curve of a bundle trained without the sets that `training.topic_curve` needs."""

PRIORS: Mapping[str, float] = {Intent.REMARK: 2.0}
"""How much more often than its task's other labels a label is expected; 1 if not named.

Public sets hold what their makers looked for, so their shares say nothing about a brand's
stream. Remarks are what most of a stream is, and what is left when nothing else is clear.
"""

_LEAST_WEIGHT = 1e-3
"""Smaller weights move no probability by a percent, and zeros make the file small."""


def train(
    corpora: Sequence[Corpus], *, bits: int = BITS, curve: TopicCurve = TOPIC_CURVE
) -> Bundle:
    """The bundle learnt from `corpora`. Every task needs each of its labels three times.

    Raises BadLabels that names the task and the label that is short of examples.
    """
    examples = _deduplicated(example for corpus in corpora for example in corpus.examples)
    by_task = {task: [e for e in examples if e.task == task] for task in LABELS}
    for task, rows in by_task.items():
        _check(task, rows)
    ngrams = HashedNgrams(bits=bits)
    ngrams.fit(list(dict.fromkeys(example.text for example in examples)))
    heads, weights = [], []
    for task, rows in by_task.items():
        head, columns = _fit(task, rows, ngrams)
        heads.append(head)
        weights.append(columns)
    learnt, topics = _learn_topics([e for e in examples if e.task == TOPIC], ngrams.idf_)
    return Bundle(
        header=Header(
            bits=bits,
            heads=tuple(heads),
            topic_curve=curve,
            learnt=learnt,
            provenance=_provenance(corpora),
        ),
        idf=ngrams.idf_.astype(np.float16),
        weights=np.concatenate(weights, axis=1),
        topics=topics,
    )


def train_default(folder: Path, out: Path) -> Bundle:
    """Train the shipped model from the public sets in `folder` and write it to `out`."""
    bundle = _with_curve(train(default_corpora(folder)), folder)
    save(bundle, out)
    return bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What an operator's labels made: a model's version, and how many labels of each task."""

    version: str
    out: Path
    labels: Mapping[str, int]

    def __str__(self) -> str:
        learnt = ", ".join(f"{count} {task}" for task, count in sorted(self.labels.items()))
        return f"{self.out}: model {self.version}, learnt from {learnt} labels"


def train_labels(labels: Path, out: Path, *, base: Path = DEFAULT_MODEL) -> Taught:
    """Teach the model at `base` an operator's own CSV file, and write the result to `out`.

    What the file doesn't teach stays as it is. Topics named in the file join the prototypes
    of the brand's topics of that name. Raises BadLabels with line numbers, BadBundle.
    """
    own = read_labels(labels)
    corpus = Corpus(name="operator's labels", licence="own", examples=tuple(own))
    replayed, weighted = merged([seed()], corpus)
    model = load(base)
    taught = adapted(model, weighted.examples, replayed.examples)
    rows = [example for example in own if example.task == TOPIC]
    learnt, topics = _learn_topics(rows, taught.idf.astype(np.float32))
    header = replace(
        taught.header,
        learnt=learnt,
        provenance={**model.header.provenance, "base": model.version, "own_labels": len(own)},
    )
    bundle = replace(taught, header=header, topics=topics)
    save(bundle, out)
    return Taught(version=bundle.version, out=out, labels=Counter(e.task for e in own))


def merged(corpora: Sequence[Corpus], own: Corpus) -> list[Corpus]:
    """`corpora` and `own`, where `own` decides about every text that it labels for a task."""
    decided = {(normalise(e.text), e.task) for e in own.examples}
    kept = [
        Corpus(
            name=corpus.name,
            licence=corpus.licence,
            examples=tuple(
                e for e in corpus.examples if (normalise(e.text), e.task) not in decided
            ),
        )
        for corpus in corpora
    ]
    weighted = tuple(replace(example, weight=OPERATOR_WEIGHT) for example in own.examples)
    return [*kept, Corpus(name=own.name, licence=own.licence, examples=weighted)]


def _with_curve(bundle: Bundle, folder: Path) -> Bundle:
    curve = fit_curve(bundle, intent_texts(folder), plain_tweets(folder), seed=SEED)
    return replace(bundle, header=replace(bundle.header, topic_curve=curve))


def weights_of(rows: Sequence[Example]) -> NDArray[np.float64]:
    """What each example counts: as much for every label in sum, but for `PRIORS`."""
    balanced: NDArray[np.float64] = compute_sample_weight("balanced", [row.label for row in rows])
    return balanced * [row.weight * PRIORS.get(row.label, 1.0) for row in rows]


def _deduplicated(examples: Iterable[Example]) -> list[Example]:
    """Each text once per task: the last one counts."""
    return list({(e.text, e.task): e for e in examples}.values())


def _check(task: str, rows: Sequence[Example]) -> None:
    for label in LABELS[task]:
        found = sum(row.label == label for row in rows)
        if found < FOLDS:
            raise BadLabels(
                f"{task} {label!r} has {found} examples; at least {FOLDS} are needed to train"
            )


def _fit(
    task: str, rows: Sequence[Example], ngrams: HashedNgrams
) -> tuple[Head, NDArray[np.float16]]:
    """The head of one task and its weights (columns of n-grams, labels)."""
    labels = [row.label for row in rows]
    pipeline = task_pipeline(task, ngrams)
    pipeline.fit([row.text for row in rows], labels, head__sample_weight=weights_of(rows))
    head = pipeline["head"]
    coefficients, intercepts, beta = linear_parts(head)
    if len(coefficients) == 1:
        # two labels share one score; scikit-learn's temperature reads it as (-score, score)
        coefficients = np.concatenate([-coefficients, coefficients])
        intercepts = np.concatenate([-intercepts, intercepts])
    columns = (coefficients * beta).T
    columns[np.abs(columns) < _LEAST_WEIGHT] = 0
    return (
        Head(
            task=task,
            labels=tuple(str(label) for label in head.classes_),
            intercepts=tuple(float(value) for value in intercepts * beta),
        ),
        columns.astype(np.float16),
    )


def _learn_topics(
    rows: Sequence[Example], idf: NDArray[np.float32]
) -> tuple[tuple[Learnt, ...], NDArray[np.float16]]:
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row.label, []).append(row.text)
    learnt = tuple(Learnt(name=name, texts=len(texts[name])) for name in sorted(texts))
    topics = np.zeros((len(learnt), len(idf)), np.float16)
    for at, entry in enumerate(learnt):
        topics[at] = centroid(texts[entry.name], idf)
    return learnt, topics


def _provenance(corpora: Sequence[Corpus]) -> Mapping[str, Any]:
    return {
        "corpora": [
            {"name": c.name, "licence": c.licence, "examples": len(c.examples)} for c in corpora
        ],
        "scikit_learn": sklearn.__version__,
        "numpy": np.__version__,
    }
