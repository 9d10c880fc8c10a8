"""Optimisers over a stack: one flat vector of all parameters, one learning rate per run."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kanbefair import fused
from kanbefair.layers import REGISTERS

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


class StackOptimizer:
    """Moves the parameters (S, …) of a stacked network into one flat vector, `values`, of which they stay views, so that a
    step is a few operations on it. `lr` (S,) is each run's learning rate.
    """

    def __init__(self, network: nn.Module, lr: Tensor):
        self.parameters = list(network.parameters())
        self.rates = lr.to(self.parameters[0])
        self.values = self.flat([p.detach() for p in self.parameters])
        self.lr = self.flat([self.rates.reshape(-1, *[1] * (p.dim() - 1)) for p in self.parameters])
        start = 0
        for p in self.parameters:
            p.data = self.values[start : start + p.numel()].view_as(p)
            start += p.numel()

    def flat(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """One flat vector of a tensor per parameter, each broadcast to its parameter (None: 0), filled up with zeros to whole
        vector registers."""
        parts = [
            torch.zeros_like(p).reshape(-1) if t is None else t.to(p).expand_as(p).reshape(-1)
            for p, t in zip(self.parameters, tensors, strict=True)
        ]
        size = sum(part.numel() for part in parts)
        return torch.cat([*parts, parts[0].new_zeros(-size % REGISTERS)])

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.parameters:
            p.grad = None

    def gradient(self) -> Tensor:
        """The gradients as one flat vector."""
        return self.flat([p.grad for p in self.parameters])

    def step(self, gradient: Tensor | None = None) -> None:
        """Change the parameters by what their gradients say, or the flat `gradient`."""
        raise NotImplementedError


class StackSGD(StackOptimizer):
    """Plain gradient descent."""

    @torch.no_grad()
    def step(self, gradient: Tensor | None = None) -> None:
        """θ ← θ − lr · g."""
        self.values.addcmul_(self.lr, self.gradient() if gradient is None else gradient, value=-1)


class StackAdam(StackOptimizer):
    """Adam with the defaults of `torch.optim.Adam`, in the same order of operations."""

    def __init__(self, network: nn.Module, lr: Tensor):
        super().__init__(network, lr)
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.steps = 0

    @torch.no_grad()
    def step(self, gradient: Tensor | None = None) -> None:
        """θ ← θ − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)."""
        self.steps += 1
        beta1, beta2 = ADAM_BETAS
        corrections = (1 - beta1**self.steps, (1 - beta2**self.steps) ** 0.5)
        own = [p.grad for p in self.parameters]
        if gradient is None and None not in own and fused.usable_on(self.values):
            torch.ops.kanbefair.adam_(
                self.values, own, self.mean, self.square, self.rates, beta1, beta2, *corrections, ADAM_EPSILON
            )
            return
        gradient = self.gradient() if gradient is None else gradient
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        size = self.square.sqrt().div_(corrections[1]).add_(ADAM_EPSILON)
        self.values.sub_(torch.div(self.mean, size, out=size).mul_(self.lr).div_(corrections[0]))
