"""Optimisers over a stack: one flat vector of all parameters, one learning rate per run."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kanbefair.models import Network, compiled
from kanbefair.models.activations import REGISTERS
from kanbefair.specs import RunSpec
from kanbefair.training import cuda_graphs

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


class StackOptimizer:
    """Moves the parameters (S, …) of a stacked network into one flat vector, and their gradients into another.

    The parameters stay views of the vector, so that a step is a few operations on it. The gradients' vector is kept, too:
    allocated anew each step, large gradients would leave holes in the heap, and it would grow.

    Args:
        network: a stacked network.
        lr: each run's learning rate (S,).
        weight_decay: share by which all values shrink in a step, in units of the learning rate.
        schedule: "constant", or "cosine": see `schedule`.
    """

    def __init__(self, network: nn.Module, lr: Tensor, *, weight_decay: float = 0.0, schedule: str = "constant"):
        parameters = list(network.parameters())
        size = sum(p.numel() for p in parameters)
        rest = lr.new_zeros(-size % REGISTERS)
        self.values = torch.cat([*(p.detach().reshape(-1) for p in parameters), rest.to(parameters[0])])
        self.gradient = torch.zeros_like(self.values)
        rates = [lr.reshape(-1, *[1] * (p.dim() - 1)).expand_as(p).reshape(-1) for p in parameters]
        self.lr = torch.cat([*rates, rest]).to(self.values)
        self.first_lr = self.lr.clone() if schedule == "cosine" else None
        self.weight_decay = weight_decay
        start = 0
        for p in parameters:
            part = slice(start, start + p.numel())
            p.data, p.grad = self.values[part].view_as(p), self.gradient[part].view_as(p)
            start += p.numel()

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        self.gradient.zero_()

    def schedule(self, epoch: int, epochs: int) -> None:
        """Set the learning rates of epoch number `epoch` (0 … epochs−1). Those of a cosine are ½(1 + cos(π·epoch/epochs)) times
        the first ones, as `torch.optim.lr_scheduler.CosineAnnealingLR` has them."""
        if self.first_lr is not None:
            torch.mul(self.first_lr, (1 + math.cos(math.pi * epoch / epochs)) / 2, out=self.lr)

    def step(self) -> None:
        """Change the parameters by what the gradients say, after they have decayed: θ ← θ − lr · decay · θ."""
        if self.weight_decay:
            with torch.no_grad():
                self.values.addcmul_(self.values, self.lr, value=-self.weight_decay)
        self.move()

    def move(self) -> None:
        """Change the parameters by what the gradients say."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, object]:
        """What the optimiser knows of the steps before, beside the parameters."""
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on from what `state_dict` gave."""


class StackSGD(StackOptimizer):
    """Plain gradient descent."""

    @torch.no_grad()
    def move(self) -> None:
        """θ ← θ − lr · g."""
        self.values.addcmul_(self.lr, self.gradient, value=-1)


class StackAdam(StackOptimizer):
    """Adam with the defaults of `torch.optim.Adam`, in the same order of operations."""

    def __init__(self, network: nn.Module, lr: Tensor, **options: object):
        super().__init__(network, lr, **options)
        self.mean = torch.zeros_like(self.values)
        self.square = torch.zeros_like(self.values)
        on_device = cuda_graphs.records_on(self.values.device)
        self.steps = torch.zeros((), dtype=torch.float64, device=self.values.device) if on_device else 0

    @torch.no_grad()
    def move(self) -> None:
        """θ ← θ − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)."""
        self.steps += 1
        beta1, beta2 = ADAM_BETAS
        state = (self.values, self.gradient, self.mean, self.square, self.lr)
        if compiled.usable_on(self.values):
            corrections = (1 - beta1**self.steps, (1 - beta2**self.steps) ** 0.5)
            torch.ops.kanbefair.adam_(*state, beta1, beta2, *corrections, ADAM_EPSILON)
            return
        self.mean.lerp_(self.gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(self.gradient, self.gradient, value=1 - beta2)
        size = self.square.sqrt().div_((1 - beta2**self.steps) ** 0.5).add_(ADAM_EPSILON)
        self.values.sub_(torch.div(self.mean, size, out=size).mul_(self.lr).div_(1 - beta1**self.steps))

    def state_dict(self) -> dict[str, object]:
        return {"mean": self.mean, "square": self.square, "steps": self.steps}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.mean.copy_(state["mean"])
        self.square.copy_(state["square"])
        self.steps = state["steps"].to(self.mean.device) if isinstance(self.steps, Tensor) else state["steps"]


Optimizer = StackOptimizer | torch.optim.LBFGS
LBFGS = {"history_size": 10, "line_search_fn": "strong_wolfe", "max_iter": 20}


def make_optimizer(network: Network, specs: Sequence[RunSpec]) -> Optimizer:
    """A new optimiser of the kind that the runs share, each with its learning rate."""
    first = specs[0]
    if first.optimizer == "lbfgs":
        return torch.optim.LBFGS(network.parameters(), lr=first.lr, **LBFGS)
    lr = torch.tensor([spec.lr for spec in specs])
    options = {"weight_decay": first.weight_decay or 0.0, "schedule": first.schedule or "constant"}
    return {"adam": StackAdam, "sgd": StackSGD}[first.optimizer](network, lr, **options)
