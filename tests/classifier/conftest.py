"""What the classifier's tests share: a small model trained here, and the shipped one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from classifier.model.bundle import DEFAULT_MODEL, Bundle, load
from classifier.train import train
from classifier.training.corpora import Corpus, seed
from classifier.training.training_labels import Example, read_labels

SMALL_BITS = 12


@pytest.fixture(scope="session")
def small_corpora() -> list[Corpus]:
    """Our own sentences only: enough to train every task in a second."""
    return [seed()]


@pytest.fixture(scope="session")
def small(small_corpora: list[Corpus]) -> Bundle:
    return train(small_corpora, bits=SMALL_BITS)


@pytest.fixture(scope="session")
def shipped() -> Bundle:
    return load(DEFAULT_MODEL)


@pytest.fixture(scope="session")
def spoken() -> list[Example]:
    """Sentences that no model was trained on."""
    return read_labels(Path(__file__).with_name("spoken_to_brands.csv"))


@pytest.fixture(scope="session")
def written_last() -> list[Example]:
    """Sentences written after the model's rules were settled."""
    return read_labels(Path(__file__).with_name("written_last.csv"))


@pytest.fixture(scope="session")
def public_sets() -> Path:
    """The folder of the public labelled sets."""
    folder = os.environ.get("EARSHOT_DATA_DIR", "")
    if not folder:
        if os.environ.get("CI") == "true":
            pytest.fail("EARSHOT_DATA_DIR is not set; in CI it must name the data folder")
        pytest.skip("EARSHOT_DATA_DIR does not name a folder with the public labelled sets")
    return Path(folder) / "labelled"
