"""Training: what decides the record of a run. `train` gives every kind of run to its own loop.

Read randomness, losses, step, optimizers, stack, evaluation, history, outcome, checkpoint, fit, then continual.
"""

from collections.abc import Callable, Sequence

from kanbefair.data import Task
from kanbefair.specs import RunSpec, at_least_one
from kanbefair.training import continual, fit, learned_splines, right_rows
from kanbefair.training.continual.spec import ContinualSpec
from kanbefair.training.learned_splines import DrawnSpec
from kanbefair.training.right_rows import RightRowsSpec

LOOPS = {
    RunSpec: fit.train,
    DrawnSpec: learned_splines.train,
    RightRowsSpec: right_rows.train,
    ContinualSpec: continual.train,
}
"""The loop of each kind of run; a subclass of one of them has its loop."""


def loop_of(spec: RunSpec) -> Callable[..., list[dict]]:
    """The loop that trains runs like `spec`: a function of specs and task that returns their records."""
    return next(LOOPS[kind] for kind in type(spec).__mro__ if kind in LOOPS)


def train(specs: Sequence[RunSpec], task: Task, **options: object) -> list[dict]:
    """Train runs that share a stack key, each kind by its own loop, and return their records, in order.

    `options` are those of the loop: all take `device`, `on_epoch` and `checkpoint` (see `fit.train`). Raises `InputError` if
    `specs` are not a list of runs, do not share a stack or do not fit the task.
    """
    return loop_of(at_least_one(specs)[0])(specs, task, **options)


__all__ = ["LOOPS", "ContinualSpec", "DrawnSpec", "RightRowsSpec", "loop_of", "train"]
