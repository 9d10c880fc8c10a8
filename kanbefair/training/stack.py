"""A stack of runs in training: what every loop begins with, and one pass over the training rows."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Protocol

import torch
from torch import Generator, Tensor

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.models import build
from kanbefair.specs import RunSpec, at_least_one
from kanbefair.training.checkpoint import Checkpoint, one_by_one
from kanbefair.training.optimizers import Optimizer
from kanbefair.training.step import Step


class RowOrder(Protocol):
    """Where a run's initial values come from, and the order in which it sees the training rows."""

    initial: Generator

    def permutation(self, rows: int) -> Tensor:
        """The row numbers of the next epoch, of `rows` training rows."""


def check_stack(specs: Sequence[RunSpec], task: Task) -> None:
    """Raise `InputError` if there are no runs, they do not share a stack, or the task has not the targets of their datasets."""
    if len({spec.stack_key() for spec in at_least_one(specs)}) != 1:
        raise InputError("these runs do not share a stack key; train each group of equal RunSpec.stack_key() by itself")
    datasets = {spec.dataset for spec in specs}
    own_targets = task.y_train.dim() > 2
    if (own_targets and len(task.y_train) != len(specs)) or (not own_targets and len(datasets) > 1):
        raise InputError("runs on several datasets need a task with targets for each of them (data.task.together)")


def stacked(loop: Callable[..., list[dict]]) -> Callable[..., list[dict]]:
    """Check the stack before a loop trains it, and let runs of LBFGS, which searches for all together, train one by one."""

    @wraps(loop)
    def train(specs: Sequence[RunSpec], task: Task, *, checkpoint: Checkpoint | None = None, **options: object) -> list[dict]:
        check_stack(specs, task)
        if specs[0].optimizer == "lbfgs":
            return one_by_one(lambda spec, own: loop([spec], task, checkpoint=own, **options)[0], specs, checkpoint)
        return loop(specs, task, checkpoint=checkpoint, **options)

    return train


class TrainingStack:
    """The network of a stack with its optimiser on the rows of a task.

    Args:
        specs: runs that share a stack key.
        task: what they train on, on any device.
        orders: for each seed the `RowOrder` of its runs.
        device: where to train.
    """

    def __init__(self, specs: Sequence[RunSpec], task: Task, orders: dict[int, RowOrder], device: str | torch.device):
        self.specs = specs
        self.orders = [orders[spec.seed] for spec in specs]
        self.loss = specs[0].loss or ("cross_entropy" if task.metric == "accuracy" else "mse")
        self.network = build(specs, task)
        self.network.reset([order.initial for order in self.orders])
        self.network.to(device)
        self.task = task.to(device)

    def train_with(self, optimizer: Optimizer) -> None:
        """Take steps with `optimizer` from now on; to be called before the first epoch."""
        self.step = Step(self.network, optimizer, self.task, self.loss)

    def state(self) -> dict[str, object]:
        """The parameters and buffers, what the optimiser knows, and where the runs' orders are, after an epoch."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.step.optimizer.state_dict(),
            "orders": [order.state() for order in dict.fromkeys(self.orders)],
        }

    @torch.no_grad()
    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        for name, values in self.network.state_dict().items():
            values.copy_(state["network"][name])
        self.step.optimizer.load_state_dict(state["optimizer"])
        for order, own in zip(dict.fromkeys(self.orders), state["orders"], strict=True):
            order.restore(own)

    def epoch(self, number: int = 0) -> Tensor:
        """One pass over the training rows, each run in its own order (runs may share one); `number` (0, 1, …) is the epoch's,
        of all epochs of the runs, for the schedule of learning rates.

        Returns the mean loss (S,) of the batches, which is not finite if that of a batch was not.
        """
        self.network.train()
        if self.specs[0].schedule:
            self.step.optimizer.schedule(number, self.specs[0].epochs)
        rows = len(self.step.x)
        drawn = {order: order.permutation(rows) for order in dict.fromkeys(self.orders)}
        shared = len(drawn) == 1
        numbers = drawn[self.orders[0]] if shared else torch.stack([drawn[order] for order in self.orders])
        for batch in numbers.to(self.step.x.device).split(self.specs[0].batch_size, dim=-1):
            self.step(batch)
        return self.step.mean_losses().cpu()
