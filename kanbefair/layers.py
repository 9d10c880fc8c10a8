"""Layers over a stack of runs: every parameter has a leading axis of S runs, and so has every output.

Inputs are (B, in), shared by all runs, or (S, B, in). Initial values are drawn run by run from that run's generator, in
the order and layout in which the paper's files draw them (protocol.md: Training), so that one run can be reproduced
whatever else is in the stack.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kanbefair import fused
from kanbefair.basis import basis, fit_coefficients, fit_coefficients_released, local_basis

REGISTERS = 64
"""Number of values that fill whole vector registers on every processor in use."""


def _product(x: Tensor, weight: Tensor, start: Tensor) -> Tensor:
    """start + x @ weight per run; x (B, in) or (S, B, in), weight (S, in, out), start broadcastable to (S, B, out)."""
    x = x.expand(len(weight), *x.shape[-2:])
    if len(weight) == 1 and 1 in (*x.shape[1:], weight.shape[2]):
        # alone, a run would take the matrix-vector path, which rounds differently from the same run in a stack
        start, x, weight = (tensor.expand(2, -1, -1) for tensor in (start, x, weight))
        return torch.baddbmm(start, x, weight)[:1]
    return torch.baddbmm(start, x, weight)


class Layer(nn.Module):
    """A layer that draws the initial values of one run at a time with `reset_run(run, generator)`."""

    def reset_run(self, run: int, generator: Generator) -> None:
        """Draw the initial values of run number `run`."""
        raise NotImplementedError

    def learned(self, run: int) -> int:
        """How many values of run number `run` receive a gradient."""
        return sum(p.numel() // p.shape[0] for p in self.parameters(recurse=False))

    @torch.no_grad()
    def copy_run(self, run: int, source: int) -> None:
        """Give run number `run` the initial values of run `source`."""
        for values in self.parameters(recurse=False):
            values[run] = values[source]


def _hold(module: nn.Module, name: str, values: Tensor, *, learned: bool) -> None:
    """Give `module` the tensor `values` as a parameter or, if it is not learned, as a constant."""
    if learned:
        module.register_parameter(name, nn.Parameter(values))
    else:
        module.register_buffer(name, values)


class Linear(Layer):
    """y = x W + b per run; W is (S, in, out), drawn as `torch.nn.Linear` draws it."""

    def __init__(self, in_features: int, out_features: int, *, stack: int = 1, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(stack, in_features, out_features))
        _hold(self, "bias", torch.zeros(stack, out_features), learned=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in) or (S, B, in) to (S, B, out)."""
        return _product(x, self.weight, self.bias.unsqueeze(1))

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        _, rows, columns = self.weight.shape
        weight = torch.empty(columns, rows)
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        self.weight[run] = weight.T
        bound = 1 / math.sqrt(rows)
        drawn = torch.empty(columns).uniform_(-bound, bound, generator=generator)
        if self.bias.requires_grad:
            self.bias[run] = drawn


class Grid(nn.Module):
    """The uniform grid of a spline layer: one range per run, one G and K for the stack.

    `released` None draws initial coefficients as the paper describes them, True and False as its program did (see
    `basis.fit_coefficients_released`).
    """

    def __init__(self, grid: int, order: int, grid_ranges: list[tuple[float, float]], *, released: bool | None = None):
        super().__init__()
        self.grid, self.order, self.released = grid, order, released
        ends = torch.tensor(grid_ranges, dtype=torch.float32)
        self.same = len(set(map(tuple, grid_ranges))) == 1
        self.register_buffer("low", ends[:, 0].reshape(-1, 1, 1))
        self.register_buffer("high", ends[:, 1].reshape(-1, 1, 1))

    @property
    def size(self) -> int:
        """Number of bases, G+K."""
        return self.grid + self.order

    def table(self, x: Tensor) -> Tensor:
        """Bases at x: (B, in) or (S, B, in) to (B, in, G+K) where x and the range are shared, else (S, B, in, G+K)."""
        return basis(x, *self._ends(x), self.grid, self.order)

    def _ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return (self.low[0, 0], self.high[0, 0]) if x.dim() == 2 and self.same else (self.low, self.high)

    def use(self, x: Tensor) -> Tensor:
        """The share of rows of x at which each basis is not zero: (in, G+K) or (S, in, G+K), as `table`."""
        number, values = local_basis(x, *self._ends(x), self.grid, self.order)
        number, values = (entry.transpose(-3, -2).flatten(-2) for entry in (number, values))
        counts = values.new_zeros(*values.shape[:-1], self.size + 1).scatter_add(-1, number, (values > 0).to(x.dtype))
        return counts[..., :-1] / x.shape[-2]

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Initial coefficients (count, G+K) of `count` splines: a fit to noise of 0.1/G at the grid points."""
        noise = (torch.rand(count, self.grid + 1, generator=generator) - 0.5) * 0.1 / self.grid
        if self.released is None:
            return fit_coefficients(noise, self.grid, self.order)
        return fit_coefficients_released(noise, self.grid, self.order, self.released)

    def extra_repr(self) -> str:
        return f"grid={self.grid}, order={self.order}"


class KANLinear(Layer):
    """y_j = Σ_i base_ij·b(x_i) + scale_ij·Σ_g c_igj·B_g(x_i) + bias_j per run (KAN layer of pykan, fixed grid).

    c is (S, in, G+K, out), base and scale (S, in, out). `shortcut` b may be None: no run then has a base. Where only
    some runs have a base, `with_shortcut` says which; that of the others counts as 0.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        grid: int,
        order: int,
        grid_ranges: list[tuple[float, float]],
        shortcut: nn.Module | None,
        with_shortcut: list[bool] | None = None,
        released: bool | None = None,
        scale: bool = True,
        bias: bool = True,
    ):
        super().__init__()
        stack = len(grid_ranges)
        self.grid = Grid(grid, order, grid_ranges, released=released)
        self.coefficients = nn.Parameter(torch.empty(stack, in_features, self.grid.size, out_features))
        _hold(self, "scale", torch.ones(stack, in_features, out_features), learned=scale)
        self.shortcut = shortcut
        self.base = None if shortcut is None else nn.Parameter(torch.empty(stack, in_features, out_features))
        some = None if self.base is None or with_shortcut is None or all(with_shortcut) else torch.tensor(with_shortcut)
        self.register_buffer("has_base", None if some is None else some.float().reshape(-1, 1, 1))
        _hold(self, "bias", torch.zeros(stack, out_features), learned=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in) or (S, B, in) to (S, B, out)."""
        shortcut = None if self.base is None else self.shortcut.name
        known = shortcut in fused.SHORTCUTS and fused.usable(x, self.coefficients, self.grid.grid, self.grid.order)
        if not known:
            return self.plain(x)
        return fused.kan_linear(
            x,
            self.coefficients,
            self.scale,
            self._base(),
            self.bias,
            self.grid.low,
            self.grid.high,
            grid=self.grid.grid,
            order=self.grid.order,
            shortcut=shortcut,
        )

    def _base(self) -> Tensor | None:
        return self.base if self.has_base is None else self.base * self.has_base

    def learned(self, run: int) -> int:
        none = self.has_base is not None and not self.has_base[run]
        return super().learned(run) - none * self.scale.shape[1] * self.scale.shape[2]

    def plain(self, x: Tensor) -> Tensor:
        """`forward` in plain PyTorch operations: the reference, and what runs without a compiler or on a GPU."""
        weight = (self.coefficients * self.scale.unsqueeze(2)).flatten(1, 2)
        y = _product(self.grid.table(x).flatten(-2), weight, self.bias.unsqueeze(1))
        return y if self.base is None else _product(self.shortcut(x), self._base(), y)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        inputs, outputs = self.scale.shape[1:]
        base = 1 / math.sqrt(inputs) + 0.1 * (2 * torch.randn(inputs * outputs, generator=generator) - 1)
        if self.base is not None:
            self.base[run] = base.reshape(outputs, inputs).T
        drawn = self.grid.draw(inputs * outputs, generator)
        self.coefficients[run] = drawn.reshape(outputs, inputs, -1).permute(1, 2, 0)
        self.scale[run] = 1.0
        torch.empty(outputs).uniform_(generator=generator)
        self.bias[run] = 0.0


class SplineActivation(Layer):
    """y_i = Σ_g c_ig·B_g(x_i) per run: one learnable spline per unit; c is (S, features, G+K)."""

    def __init__(self, features: int, *, grid: int, order: int, grid_ranges: list[tuple[float, float]]):
        super().__init__()
        self.grid = Grid(grid, order, grid_ranges)
        self.coefficients = nn.Parameter(torch.empty(len(grid_ranges), features, self.grid.size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, features) or (S, B, features) to (S, B, features)."""
        if not fused.usable(x, self.coefficients, self.grid.grid, self.grid.order):
            return self.plain(x)
        return fused.spline_activation(
            x, self.coefficients, self.grid.low, self.grid.high, grid=self.grid.grid, order=self.grid.order
        )

    def plain(self, x: Tensor) -> Tensor:
        """`forward` in plain PyTorch operations: the reference, and what runs without a compiler or on a GPU."""
        return (self.grid.table(x) * self.coefficients.unsqueeze(1)).sum(-1)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.coefficients[run] = self.grid.draw(self.coefficients.shape[1], generator)


class PolynomialActivation(Layer):
    """y = Σ_p a_p·x^p with one learnable polynomial per layer and run; a is (S, degree+1), drawn from N(0, 1) in the
    order x, x², …, constant."""

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


class BatchNorm(Layer):
    """Batch normalisation of each unit of each run, with the defaults of `torch.nn.BatchNorm1d`."""

    def __init__(self, features: int, *, stack: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(stack, features))
        self.bias = nn.Parameter(torch.empty(stack, features))
        self.register_buffer("running_mean", torch.zeros(stack, features))
        self.register_buffer("running_var", torch.ones(stack, features))

    def forward(self, x: Tensor) -> Tensor:
        """(S, B, features) to the same shape. A batch of one row is normalised with the running values."""
        _, rows, features = x.shape
        flat = torch.cat(x.unbind(), dim=1)
        state = (t.reshape(-1) for t in (self.running_mean, self.running_var, self.weight, self.bias))
        y = F.batch_norm(flat, *state, training=self.training and rows > 1)
        return torch.stack(y.split(features, dim=1))

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.weight[run], self.bias[run] = 1.0, 0.0
        self.running_mean[run], self.running_var[run] = 0.0, 1.0

    def copy_run(self, run: int, source: int) -> None:
        self.reset_run(run, Generator())


class MeanEmbedding(Layer):
    """The mean of the embeddings of a text's tokens, as `torch.nn.EmbeddingBag`; the table is (S, vocabulary, width)."""

    def __init__(self, vocabulary: int, width: int, *, stack: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(stack, vocabulary, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token numbers (B, length) or (S, B, length), -1 behind a text's end, to (S, B, width); no tokens give 0."""
        tokens = tokens.expand(len(self.weight), *tokens.shape[-2:])
        there = tokens >= 0
        starts = there.sum(-1).cumsum(-1).roll(1, -1)
        starts[:, 0] = 0
        runs = zip(tokens, there, self.weight, starts, strict=True)
        return torch.stack([F.embedding_bag(t[h], w, first) for t, h, w, first in runs])

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.weight[run] = torch.empty(self.weight.shape[1:]).normal_(generator=generator)


class Elementwise(nn.Module):
    """A fixed function of each value. It is computed over whole vector registers: PyTorch treats the rest of a tensor with
    other instructions, whose last bit would depend on where in the stack a run stands."""

    def __init__(self, name: str, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.name, self.function = name, function

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
