"""An optimiser whose parameters are held back where earlier tasks needed them, and what they needed."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from kanbefair.data import Task
from kanbefair.models import Network
from kanbefair.specs import RunSpec
from kanbefair.training.optimizers import make_optimizer


class Anchored:
    """An optimiser whose parameters are pulled to where they were at the end of earlier tasks.

    The pull is that of the sum over tasks of ½·strength·Ω·(θ − θ*)²; `weight` is ΣΩ and `target` ΣΩθ*, flat vectors
    like the optimiser's.
    """

    def __init__(self, network: Network, specs: Sequence[RunSpec]):
        self.network = network
        self.specs = specs
        self.restart()
        self.weight = torch.zeros_like(self.inner.values)
        self.target = torch.zeros_like(self.inner.values)
        strengths = torch.tensor([spec.strength or 0.0 for spec in specs])
        self.strength = self.flat([strengths.reshape(-1, *[1] * (p.dim() - 1)) for p in network.parameters()])

    def restart(self) -> None:
        """Forget the optimiser's state."""
        self.inner = make_optimizer(self.network, self.specs)

    def flat(self, values: Sequence[Tensor]) -> Tensor:
        """One flat vector of a tensor per parameter, each broadcast to its parameter."""
        for p, value in zip(self.network.parameters(), values, strict=True):
            p.grad.copy_(value)
        return self.inner.gradient.clone()

    def hold(self, importance: Tensor) -> None:
        """Add a task that ends here, with its importances (flat)."""
        self.weight += importance
        self.target += importance * self.inner.values

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        self.inner.zero_grad()

    @torch.no_grad()
    def step(self) -> None:
        """Add the pull to the gradient, then let the optimiser step."""
        self.inner.gradient.add_(self.strength * (self.weight * self.inner.values - self.target))
        self.inner.step()


def fisher(anchored: Anchored, task: Task, rows: Tensor, draws: Tensor) -> Tensor:
    """Diagonal Fisher information of each run at its present parameters, flat: the mean square of the gradient of the
    log-likelihood of an answer that the network itself gives.

    `rows` (S, n) are rows of the task's training part, `draws` (S, n) numbers of U(0, 1) that pick the answers. For
    numbers as targets the likelihood is a Gaussian of variance 1.
    """
    total = torch.zeros_like(anchored.inner.values)
    anchored.network.eval()
    for own, draw in zip(rows.T, draws.T, strict=True):
        anchored.zero_grad()
        logits = anchored.network(task.inputs(task.x_train[own].unsqueeze(1))).squeeze(1)
        if task.metric == "accuracy":
            below = logits.detach().softmax(-1).cumsum(-1) < draw.unsqueeze(-1)
            answer = below.sum(-1).clamp(max=logits.shape[-1] - 1)
            F.cross_entropy(logits, answer, reduction="sum").backward()
        else:
            (logits * torch.where(draw < 0.5, -1.0, 1.0).unsqueeze(-1)).sum().backward()
        total += anchored.inner.gradient.square()
    anchored.zero_grad()
    return total / rows.shape[1]
