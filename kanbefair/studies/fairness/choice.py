"""What is chosen among tries, by validation alone, and what a frozen run scores."""

import math
from collections.abc import Sequence

import numpy
import pandas

from kanbefair.data import Task
from kanbefair.report.decision import margin
from kanbefair.training.outcome import AT_CHANCE, FAILED

CELL = ["dataset", "family", "budget_kind", "level"]
"""What names a cell in tables."""
NO_RESULT = (AT_CHANCE, FAILED)
LAST = 0.1
"""The last share of epochs, in which a run that has converged gains no more than the margin."""


def chosen(tries: pandas.DataFrame) -> pandas.Series:
    """Which tries are chosen, one in each cell: that with the best validation score (`valid`); of equal accuracies that with
    the lower loss, of what is still equal the first. One that failed, stayed at chance or has no score is chosen only where
    all have."""
    higher = tries["metric"] == "accuracy"
    score = tries["valid"].where(~higher, -tries["valid"])
    score = score.mask(tries["outcome"].isin(NO_RESULT) | score.isna(), math.inf)
    order = pandas.DataFrame({"score": score, "loss": tries["valid_loss"].fillna(0), "trial": tries["trial"]})
    best = pandas.concat([tries[CELL], order], axis=1).sort_values(["score", "loss", "trial"]).groupby(CELL, sort=False).head(1)
    return pandas.Series(tries.index.isin(best.index), index=tries.index)


def constant(task: Task) -> float:
    """The test score of the constant predictor: the largest class, or the mean, of the rows that are trained on. Accuracy in
    percent, or root mean square error."""
    if task.metric == "accuracy":
        largest = task.y_train.bincount().argmax()
        return 100 * float((task.y_test == largest).double().mean())
    return float((task.y_test.double() - task.y_train.double().mean(0)).square().mean().sqrt())


def score(found: float | None, outcome: str, constant: float) -> float:
    """What a frozen run scores: that of the constant predictor if it failed, stayed at chance or has no score."""
    return constant if outcome in NO_RESULT or found is None or math.isnan(found) else found


def balanced(right: numpy.ndarray, y: numpy.ndarray) -> float:
    """Balanced accuracy in percent: the mean over classes of the share of their rows (N,) that are right (N,)."""
    return 100 * float(numpy.mean([right[y == label].mean() for label in numpy.unique(y)]))


def gains_late(curve: Sequence[float | None], metric: str, rows: int) -> bool:
    """Whether the best of a validation curve still gains more than the margin in the last tenth of the epochs: points of
    accuracy, at least one of the `rows`, or a share of an error."""
    values = numpy.array([math.nan if value is None else value for value in curve], dtype=float)
    values = values if metric == "accuracy" else -numpy.log10(values)
    early = len(values) - max(1, round(LAST * len(values)))
    if early == 0 or numpy.isnan(values[:early]).all():
        return False
    return bool(numpy.nanmax(values) - numpy.nanmax(values[:early]) > margin(metric, rows))
