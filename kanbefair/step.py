"""One training step of a stack: the gradient of the runs' losses on a batch, and what the optimiser makes of it."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kanbefair.data import Task
from kanbefair.data.task import targets_at
from kanbefair.graphs import Recorded, records_on
from kanbefair.models import Network
from kanbefair.models.activations import REGISTERS
from kanbefair.optim import StackOptimizer

FEW_CLASSES = 16
"""Classes that fill a vector register."""


def run_losses(logits: Tensor, y: Tensor, loss: str) -> Tensor:
    """Mean loss of each run: logits (S, B, out), targets (B, …) or (S, B, …), to (S,).

    PyTorch's CPU kernel for the cross entropy takes whole registers of classes where these lie side by side in memory. With
    fewer classes than a register holds, rows are laid side by side instead, which is several times faster, to the same bits.
    Their number is filled up to whole registers, as what is left over would be rounded differently; and the gradient is laid
    out as it was, as the products that follow would be summed differently.
    """
    runs, rows, classes = logits.shape
    if loss == "cross_entropy":
        values, target = logits.flatten(0, 1), y.expand(runs, rows).flatten()
        if classes < FEW_CLASSES:
            if values.requires_grad:
                values.register_hook(Tensor.contiguous)
            rest = -len(target) % REGISTERS
            values, target = F.pad(values, (0, 0, 0, rest)).t().unsqueeze(0), F.pad(target, (0, rest)).unsqueeze(0)
        losses = F.cross_entropy(values, target, reduction="none").flatten()
        return losses[: runs * rows].view(runs, rows).mean(1)
    target = y if y.is_floating_point() else F.one_hot(y, logits.shape[-1]).to(logits.dtype)
    return F.mse_loss(logits, target.expand_as(logits), reduction="none").flatten(1).mean(1)


class Step:
    """The training step of a network on rows of a task's training part; call it with row numbers, (B,) or (S, B).

    On a GPU it is recorded (`graphs`), but for texts, whose batches differ in length, and for an optimiser that evaluates the
    loss as often as it sees fit.
    """

    def __init__(self, network: Network, optimizer: StackOptimizer | torch.optim.LBFGS, task: Task, loss: str):
        self.network, self.optimizer, self.task, self.loss = network, optimizer, task, loss
        self.x, self.y = task.part("train")
        self.total = torch.zeros(network.runs, device=self.x.device)
        self.calls = torch.zeros((), device=self.x.device)
        self.searches = isinstance(optimizer, torch.optim.LBFGS)
        self.recorded = Recorded() if records_on(self.x.device) and not self.searches and network.embedding is None else None

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
            self.optimizer.step(closure)
        else:
            closure()
            self.optimizer.step()

    def mean_losses(self) -> Tensor:
        """The mean loss (S,) of the evaluations since the last time that this was asked."""
        mean = self.total / self.calls
        self.total.zero_()
        self.calls.zero_()
        return mean
