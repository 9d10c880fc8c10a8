"""One training step of a stack: the gradient of the runs' losses on a batch, and what the optimiser makes of it."""

import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.data.task import targets_at
from kanbefair.models import Network
from kanbefair.models.layers import Dropout
from kanbefair.training.cuda_graphs import Recorded, records_on
from kanbefair.training.losses import run_losses
from kanbefair.training.optimizers import Optimizer


class Step:
    """The training step of a network on rows of a task's training part; call it with row numbers, (B,) or (S, B).

    On a GPU it is recorded (`cuda_graphs`). Three kinds are not: texts, whose batches differ in length, optimisers that
    evaluate the loss as often as they see fit, and dropout, which draws on the host.
    """

    def __init__(self, network: Network, optimizer: Optimizer, task: Task, loss: str):
        self.network = network
        self.optimizer = optimizer
        self.task = task
        self.loss = loss
        self.x, self.y = task.part("train")
        self.total = torch.zeros(network.runs, device=self.x.device)
        self.calls = torch.zeros((), device=self.x.device)
        self.searches = isinstance(optimizer, torch.optim.LBFGS)
        self.lost = False
        on_host = self.searches or network.embedding is not None or any(isinstance(own, Dropout) for own in network.modules())
        self.recorded = Recorded() if records_on(self.x.device) and not on_host else None

    def __call__(self, rows: Tensor) -> None:
        if self.recorded is None:
            self._train_on(rows)
        else:
            self.recorded(self._train_on, rows)

    def _train_on(self, rows: Tensor) -> None:
        inputs, targets = self.task.inputs(self.x[rows]), targets_at(self.y, rows)

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            losses = run_losses(self.network(inputs), targets, self.loss)
            losses.sum().backward()
            self.total.add_(losses.detach())
            self.calls.add_(1)
            return losses.sum()

        if self.searches:
            try:
                if not self.lost:
                    self.optimizer.step(closure)
            except RuntimeError as error:
                if "overflow" not in str(error):
                    raise
                self.lost = True  # the search took a step that float32 cannot hold: the run has diverged
            if self.lost:
                self.total.fill_(torch.nan)
        else:
            closure()
            self.optimizer.step()

    def mean_losses(self) -> Tensor:
        """The mean loss (S,) of the evaluations since the last time that this was asked."""
        mean = self.total / self.calls
        self.total.zero_()
        self.calls.zero_()
        return mean
