"""What is trained: one unfitted scikit-learn pipeline per task.

The n-grams are shared by all tasks, so that judging hashes a text once. Each task is a linear
support vector machine whose scores become probabilities by temperature scaling (Guo et al.
2017: softmax(beta * scores), beta fitted by scikit-learn on held-out folds).
"""

from __future__ import annotations

from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from classifier.features.vectorizer import HashedNgrams

FOLDS = 3
SEED = 20260302
REGULARISATION = {"sentiment": 0.15, "intent": 0.15, "spam": 0.5}
"""LinearSVC's C for each task, chosen on the validation half of the sentiment set."""


def task_head(task: str) -> CalibratedClassifierCV:
    """The unfitted, calibrated linear model of `task`. Raises KeyError for an unknown task."""
    machine = LinearSVC(C=REGULARISATION[task], random_state=SEED)
    return CalibratedClassifierCV(machine, method="temperature", cv=FOLDS, ensemble=False)


def task_pipeline(task: str, ngrams: HashedNgrams) -> Pipeline:
    """Texts in, calibrated probabilities out. `ngrams` is fitted, and stays as it is."""
    return Pipeline([("ngrams", FrozenEstimator(ngrams)), ("head", task_head(task))])


def linear_parts(head: CalibratedClassifierCV) -> tuple[Any, Any, float]:
    """(coefficients, intercepts, beta) of a fitted head.

    Coefficients have one row per class, or one row in all for two classes, whose score
    speaks for the second.
    """
    (calibrated,) = head.calibrated_classifiers_
    machine = calibrated.estimator
    return machine.coef_, machine.intercept_, float(calibrated.calibrators[0].beta_)
