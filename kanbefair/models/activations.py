"""Activation functions over a stack of runs, by name."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kanbefair.models.layers import Layer

REGISTERS = 64
"""Number of values that fill whole vector registers on every processor in use."""


class PolynomialActivation(Layer):
    """y = Σ_p a_p·x^p with one learnable polynomial per layer and run.

    a is (S, degree+1), drawn from N(0, 1) in the order x, x², …, constant.
    """

    def __init__(self, degree: int, *, stack: int = 1):
        super().__init__()
        self.coefficients = nn.Parameter(torch.empty(stack, degree + 1))

    def forward(self, x: Tensor) -> Tensor:
        """(S, B, features) to the same shape."""
        powers = self.coefficients.unsqueeze(-1).unsqueeze(-1).unbind(1)
        y = powers[-2]
        for coefficient in reversed(powers[:-2]):
            y = y * x + coefficient
        return y * x + powers[-1]

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        for p in range(self.coefficients.shape[1]):
            self.coefficients[run, p] = torch.randn(1, generator=generator).item()


class Elementwise(nn.Module):
    """A fixed function of each value, computed over whole vector registers.

    PyTorch treats the rest of a tensor with other instructions, whose last bit would depend on where in the stack a run
    stands.

    Args:
        name: one of `specs.ACTIVATIONS`.
        function: of a tensor, to one of the same shape.
    """

    def __init__(self, name: str, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.name = name
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        rest = -x.numel() % REGISTERS
        if not rest:
            return self.function(x)
        return self.function(F.pad(x.reshape(-1), (0, rest)))[: x.numel()].view_as(x)

    def extra_repr(self) -> str:
        return self.name


def square_relu(x: Tensor) -> Tensor:
    """max(x, 0)²."""
    return torch.relu(x).square()


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "square_relu": square_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "gelu": F.gelu,
    "identity": torch.clone,
}
MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.SiLU: "silu",
    nn.GELU: "gelu",
    nn.Identity: "identity",
}
DEGREES = {"polynomial2": 2, "polynomial3": 3, "polynomial5": 5}


def activation(name: str, *, stack: int = 1) -> nn.Module:
    """A new activation module by its name (`specs.ACTIVATIONS`)."""
    return PolynomialActivation(DEGREES[name], stack=stack) if name in DEGREES else Elementwise(name, FUNCTIONS[name])
