"""The classifier that a process works with, from what its operator set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from classifier.labelling.rules import RuleClassifier
from classifier.labelling.topics import Topic
from classifier.labelling.trained_classifier import Classifier, TrainedClassifier
from classifier.model.bundle import DEFAULT_MODEL, load
from earshot.brand import Brand

RULES = "rules"
"""What an operator writes for the rules that need no model."""


def load_classifier(model: str, brands: Mapping[str, Brand]) -> Classifier:
    """The classifier `model` for `brands`, by slug.

    `model` is the file of a trained one, `rules` for the rules alone, or empty for the model
    that is shipped. Raises `classifier.model.bundle.BadBundle` for a file that is no model,
    ValueError for a brand whose topics or languages can't be used.
    """
    topics = {
        slug: [
            Topic(name=name, description=text.description, examples=tuple(text.examples))
            for name, text in brand.topics.items()
        ]
        for slug, brand in brands.items()
    }
    languages = {slug: brand.languages for slug, brand in brands.items()}
    if model == RULES:
        return RuleClassifier(topics, languages)
    return TrainedClassifier(load(Path(model) if model else DEFAULT_MODEL), topics, languages)
