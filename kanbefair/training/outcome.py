"""What happened to a run, in one word, and the rule by which it is found to be at chance."""

from collections.abc import Iterable

import torch
from torch import Tensor

from kanbefair.data import Task

DONE = "done"
DIVERGED = "diverged"
AT_CHANCE = "at chance"
FAILED = "failed"
OUTCOMES = (DONE, DIVERGED, AT_CHANCE, FAILED)
"""Every run has one of them; only records of failed runs are not kept."""
MEANINGS = {
    DIVERGED: "its loss or a metric is not finite from some epoch on",
    AT_CHANCE: "no better than the largest class, or the mean, would be",
    FAILED: "it has no result",
}
"""What the outcomes but `DONE` say of a run."""

FIGURE = {"accuracy": "metric", "mae": "rmse"}
"""The figure of `evaluation.evaluate` that tells whether a run is at chance, by the task's metric. For numbers it is the root
mean square error: the mean is the constant for which that is least."""
ROUNDING = 1e-6
"""So much of a figure, as a share, may be due to rounding alone."""


def constant_answer(task: Task, part: str) -> Tensor:
    """The figure (`FIGURE`) on a part of the best answer that is the same for every row: its largest class, or the mean of its
    targets, for each output and each run. Float64 on the CPU, () where the runs share the targets, else (S,).

    It is the part's own, as networks that answer a constant need not answer that of the training part, and would be a little
    better than it on another part by luck.
    """
    y = task.part(part)[1].cpu()
    if task.metric == "accuracy":
        return 100 * (torch.bincount(y).max().double() / len(y))
    return y.double().var(-2, correction=0).mean(-1).sqrt()


def no_better(metric: str, found: float, constant: float) -> bool:
    """Whether a figure is no better than that of the constant answer; False of one that is NaN."""
    return found <= (1 + ROUNDING) * constant if metric == "accuracy" else found >= (1 - ROUNDING) * constant


def outcome(metric: str, diverged: bool, compared: Iterable[tuple[float, float]]) -> str:
    """The outcome of a run that did not fail.

    Args:
        metric: the task's, "accuracy" or "mae".
        diverged: whether the run did, at any epoch.
        compared: figures of the run, each with that of the constant answer. The run is at chance if it is better in none of
            them, so that one that has only learned its training part by heart is not.
    """
    if diverged:
        return DIVERGED
    return AT_CHANCE if all(no_better(metric, found, constant) for found, constant in compared) else DONE
