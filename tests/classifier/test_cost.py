"""What judging may cost: at start, and per mention."""

from __future__ import annotations

import subprocess
import sys
import time

from classifier.labelling.topics import Topic
from classifier.labelling.trained_classifier import TrainedClassifier
from classifier.model.bundle import Bundle
from classifier.training.training_labels import Example
from tests.builders import a_mention

BUDGET_US = 300
"""Four times what the model card says, for slow machines: it catches a loop, not a percent."""

_START = """
import sys
from classifier.model.bundle import DEFAULT_MODEL, load
from classifier.labelling.trained_classifier import TrainedClassifier
from classifier.labelling.rules import RuleClassifier
TrainedClassifier(load(DEFAULT_MODEL), {}), RuleClassifier({})
print(sorted({"sklearn", "scipy", "py3langid"} & set(sys.modules)))
"""


def test_judging_starts_without_what_only_training_needs() -> None:
    run = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_mention_in_a_batch_costs_little(shipped: Bundle, spoken: list[Example]) -> None:
    topics = [Topic(name=f"topic {at}", examples=(row.text,)) for at, row in enumerate(spoken[:8])]
    classifier = TrainedClassifier(shipped, {"acme": topics})
    batch = [a_mention(text=f"{row.text} {row.label}") for row in spoken] * 5
    classifier.classify(batch)  # reads the language model
    costs = []
    for _ in range(3):
        begin = time.process_time()
        classifier.classify(batch)
        costs.append((time.process_time() - begin) / len(batch) * 1e6)
    assert min(costs) < BUDGET_US
