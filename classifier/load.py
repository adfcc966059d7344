"""The classifier that a process works with, from what its operator set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from classifier.bundle import DEFAULT_MODEL, load
from classifier.judge import Judge
from classifier.topics import Topic
from earshot.brand import Brand


def load_judge(model: str, brands: Mapping[str, Brand]) -> Judge:
    """The judge with the model file `model` (empty: the shipped one) for `brands`, by slug.

    Raises `classifier.bundle.BadBundle` for a file that is no model, ValueError for a brand
    whose topics or languages can't be used.
    """
    return Judge(
        load(Path(model) if model else DEFAULT_MODEL),
        {
            slug: [
                Topic(name=name, description=text.description, examples=tuple(text.examples))
                for name, text in brand.topics.items()
            ]
            for slug, brand in brands.items()
        },
        {slug: brand.languages for slug, brand in brands.items()},
    )
