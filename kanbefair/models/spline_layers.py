"""Layers of B-splines over a stack of runs: the KAN layer, and one spline per unit."""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from kanbefair.models import compiled, plain_splines
from kanbefair.models.basis import basis, fit_coefficients, local_basis
from kanbefair.models.layers import Layer, hold

Fit = Callable[[Tensor, int, int], Tensor]
"""Makes coefficients (splines, G+K) of values (splines, G+1) at the grid points, G and K."""


class Grid(nn.Module):
    """The uniform grid of a spline layer: one range per run, one G and K for the stack.

    Args:
        grid: number of intervals G.
        order: polynomial order K.
        grid_ranges: the grid's two ends, a pair per run.
        fit: makes initial coefficients of the noise at the grid points.
    """

    def __init__(self, grid: int, order: int, grid_ranges: list[tuple[float, float]], *, fit: Fit = fit_coefficients):
        super().__init__()
        self.grid = grid
        self.order = order
        self.sizes = {"grid": grid, "order": order}
        self.fit = fit
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
        return basis(x, *self.ends(x), **self.sizes)

    def ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The two ends, to broadcast with x: numbers where x and the range are shared, else of shape (S, 1, 1)."""
        return (self.low[0, 0], self.high[0, 0]) if x.dim() == 2 and self.same else (self.low, self.high)

    def use(self, x: Tensor) -> Tensor:
        """The share of rows of x at which each basis is not zero: (in, G+K) or (S, in, G+K), as `table`."""
        number, values = local_basis(x, *self.ends(x), **self.sizes)
        number, values = (entry.transpose(-3, -2).flatten(-2) for entry in (number, values))
        counts = values.new_zeros(*values.shape[:-1], self.size + 1).scatter_add(-1, number, (values > 0).to(x.dtype))
        return counts[..., :-1] / x.shape[-2]

    def draw(self, count: int, generator: Generator, noise: float = 0.1) -> Tensor:
        """Initial coefficients (count, G+K) of `count` splines: a fit to noise of width `noise`/G at the grid points."""
        drawn = (torch.rand(count, self.grid + 1, generator=generator) - 0.5) * noise / self.grid
        return self.fit(drawn, self.grid, self.order)

    def extra_repr(self) -> str:
        return f"grid={self.grid}, order={self.order}"


class KANLinear(Layer):
    """y_j = Σ_i base_ij·b(x_i) + scale_ij·Σ_g c_igj·B_g(x_i) + bias_j per run (KAN layer of pykan, fixed grid).

    c is (S, in, G+K, out), base and scale (S, in, out).

    Args:
        in_features, out_features: inputs and outputs.
        grid, order, grid_ranges, fit: as for `Grid`.
        shortcut: the function b; None: no run has a base.
        with_shortcut: which runs have a base, where only some have one; that of the others counts as 0.
        scale: whether the factor of each spline is learned; else it is 1.
        bias: whether there is a bias.
        start: how values start; `in` inputs, n = G+K, and one more where there is a shortcut:
            - None, the paper's: base 1/√in + 0.1·(2·N(0, 1) − 1), scale 1, splines fitted to noise of 0.1/G at the grid points;
            - "pykan", of its version 0.2.8: base U(−1, 1)/√in, scale 1/√in, splines fitted to noise of 0.3/G;
            - "power_law", of arXiv 2509.03417: base N(0, (in·n)^−½), scale 1, coefficients N(0, (in·n)^−3.5), the second
              parameter being the variance: the standard deviations have the exponents 0.25 and 1.75.
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
        fit: Fit = fit_coefficients,
        scale: bool = True,
        bias: bool = True,
        start: str | None = None,
    ):
        super().__init__()
        self.start = start
        stack = len(grid_ranges)
        self.grid = Grid(grid, order, grid_ranges, fit=fit)
        self.coefficients = nn.Parameter(torch.empty(stack, in_features, self.grid.size, out_features))
        hold(self, "scale", torch.ones(stack, in_features, out_features), learned=scale)
        self.shortcut = shortcut
        self.base = None if shortcut is None else nn.Parameter(torch.empty(stack, in_features, out_features))
        some = None if self.base is None or with_shortcut is None or all(with_shortcut) else torch.tensor(with_shortcut)
        self.register_buffer("has_base", None if some is None else some.float().reshape(-1, 1, 1))
        hold(self, "bias", torch.zeros(stack, out_features), learned=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in) or (S, B, in) to (S, B, out)."""
        shortcut = None if self.base is None else self.shortcut.name
        grid = self.grid
        known = shortcut in compiled.SHORTCUTS and compiled.usable(x, self.coefficients, **grid.sizes)
        if not known:
            return self.plain(x)
        return compiled.kan_linear(x, *self._values(), grid.low, grid.high, **grid.sizes, shortcut=shortcut)

    def _values(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        return self.coefficients, self.scale, self._base(), self.bias

    def _base(self) -> Tensor | None:
        return self.base if self.has_base is None else self.base * self.has_base

    def learned(self, run: int) -> int:
        none = self.has_base is not None and not self.has_base[run]
        return super().learned(run) - none * self.scale.shape[1] * self.scale.shape[2]

    def plain(self, x: Tensor) -> Tensor:
        """`forward` in plain PyTorch operations: the reference, and what runs without a compiler or on a GPU."""
        return plain_splines.kan_linear(x, *self._values(), *self.grid.ends(x), **self.grid.sizes, shortcut=self.shortcut)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        inputs, outputs = self.scale.shape[1:]
        base, drawn, scale = self._drawn(inputs, inputs * outputs, self._has_base(run), generator)
        if self.base is not None:
            self.base[run] = base.reshape(outputs, inputs).T
        self.coefficients[run] = drawn.reshape(outputs, inputs, -1).permute(1, 2, 0)
        self.scale[run] = scale
        torch.empty(outputs).uniform_(generator=generator)
        self.bias[run] = 0.0

    def _has_base(self, run: int) -> bool:
        return self.base is not None and (self.has_base is None or bool(self.has_base[run]))

    def _drawn(self, inputs: int, edges: int, has_base: bool, generator: Generator) -> tuple[Tensor, Tensor, float]:
        """Base (edges,), coefficients (edges, G+K) and scale with which a run starts."""
        if self.start == "power_law":
            terms = inputs * (self.grid.size + has_base)
            base = torch.randn(edges, generator=generator) * terms**-0.25
            return base, torch.randn(edges, self.grid.size, generator=generator) * terms**-1.75, 1.0
        if self.start == "pykan":
            base = (2 * torch.rand(edges, generator=generator) - 1) / math.sqrt(inputs)
            return base, self.grid.draw(edges, generator, noise=0.3), 1 / math.sqrt(inputs)
        base = 1 / math.sqrt(inputs) + 0.1 * (2 * torch.randn(edges, generator=generator) - 1)
        return base, self.grid.draw(edges, generator), 1.0


class SplineActivation(Layer):
    """y_i = Σ_g c_ig·B_g(x_i) per run: one learnable spline per unit; c is (S, features, G+K).

    `features` is the number of units; `grid`, `order` and `grid_ranges` are as for `Grid`.
    """

    def __init__(self, features: int, *, grid: int, order: int, grid_ranges: list[tuple[float, float]]):
        super().__init__()
        self.grid = Grid(grid, order, grid_ranges)
        self.coefficients = nn.Parameter(torch.empty(len(grid_ranges), features, self.grid.size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, features) or (S, B, features) to (S, B, features)."""
        grid = self.grid
        if not compiled.usable(x, self.coefficients, **grid.sizes):
            return self.plain(x)
        return compiled.spline_activation(x, self.coefficients, grid.low, grid.high, **grid.sizes)

    def plain(self, x: Tensor) -> Tensor:
        """`forward` in plain PyTorch operations: the reference, and what runs without a compiler or on a GPU."""
        return plain_splines.spline_activation(x, self.coefficients, *self.grid.ends(x), **self.grid.sizes)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        self.coefficients[run] = self.grid.draw(self.coefficients.shape[1], generator)


SPLINE_LAYERS = (KANLinear, SplineActivation)


@torch.no_grad()
def spline_inputs(network: nn.Module, x: Tensor) -> dict[str, tuple[KANLinear | SplineActivation, Tensor]]:
    """Every spline layer of a network by its name, with what it is fed when the network sees the rows x.

    The network is left in evaluation mode.
    """
    fed: dict[str, tuple[nn.Module, Tensor]] = {}
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, SPLINE_LAYERS):

            def note(module: nn.Module, inputs: tuple[Tensor], name: str = name) -> None:
                fed[name] = (module, inputs[0])

            hooks.append(module.register_forward_pre_hook(note))
    network.eval()
    network(x)
    for hook in hooks:
        hook.remove()
    return fed
