"""Kolmogorov–Arnold networks with a fixed uniform grid, and how their layers count."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from kanbefair.models.activations import activation
from kanbefair.models.basis import basis, fit_coefficients
from kanbefair.models.counting import ACTIVATION_FLOPS, LayerCount, Shape, basis_flops, count_norm
from kanbefair.models.networks import Network, register
from kanbefair.models.spline_layers import KANLinear
from kanbefair.specs import SPLINE_FIELDS

EXACT_FIRST_SPLINES = {(10, 3), (20, 3)}
"""Grids and orders at which the first spline of every layer started from an exact fit in the authors' runs.

No source says so: it was read off the released rows (notebook 02).
"""


def fit_as_released(noise: Tensor, grid: int, order: int, *, first_exact: bool) -> Tensor:
    """The coefficients with which the authors' KANs really start: `noise` (splines, G+1) to (splines, G+K).

    The original asks LAPACK's gelsy, through `torch.linalg.lstsq`, for the fit. That routine reads its column pivots as
    input. PyTorch hands it whatever memory it finds for the first spline, and the pivots of the spline before for all
    others. With pivots that are not zero it does not pivot. Without pivoting it takes the fit of high orders and fine
    grids for rank deficient and cuts it off, so that all splines but the first start from a truncated fit.
    What the first one starts from depended on the authors' memory: `first_exact` says which.
    """
    points = torch.arange(grid + 1, dtype=torch.float64)
    table = basis(points, 0.0, float(grid), grid, order).to(noise.dtype)
    noise = torch.cat([noise[:1], noise])
    found = torch.linalg.lstsq(table.expand(len(noise), -1, -1), noise.unsqueeze(-1), driver="gelsy").solution[1:, :, 0]
    if first_exact:
        found[0] = fit_coefficients(noise[0], grid, order)
    return found


class KANStack(Network):
    """A stack of KANs. Each layer is a `KANLinear`, with normalisation behind all but the last, if asked for."""

    def layer(self, number: int) -> list[nn.Module]:
        """One KAN layer. All shortcuts of a stack are of one kind, but for runs that have none ("zero")."""
        shape = self.shape()
        inputs, outputs = self.widths[number : number + 2]
        shortcuts = [own.shortcut for own in self.shapes]
        kinds = sorted(set(shortcuts) - {"zero"})
        layer = KANLinear(
            inputs,
            outputs,
            grid=shape.grid,
            order=shape.order,
            grid_ranges=self.grid_ranges,
            shortcut=activation(*kinds) if kinds else None,
            with_shortcut=[kind != "zero" for kind in shortcuts],
            fit=self._fit(),
            start=shape.start,
            scale="scale" not in shape.without,
            bias=self.bias,
        )
        return [layer] if number == self.depth - 1 else [layer, *self.norm(outputs)]

    def _fit(self) -> Callable[[Tensor, int, int], Tensor]:
        if not self.released_start:
            return fit_coefficients
        shape = self.shape()
        return partial(fit_as_released, first_exact=(shape.grid, shape.order) in EXACT_FIRST_SPLINES)


def count_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a KAN layer of `i` inputs and `o` outputs counts (docs/protocol.md: Counting)."""
    g, k = shape.grid, shape.order
    everywhere, local = basis_flops(g, k)
    has_base = shape.shortcut != "zero"
    scale = "scale" not in shape.without
    bias = "bias" not in shape.without
    base = has_base * (ACTIVATION_FLOPS[shape.shortcut] * i + 2 * i * o)
    edges = LayerCount(
        parameters=i * o * (g + k + 1 + scale + has_base) + o * bias,
        live_parameters=i * o * (g + k + scale + has_base) + o * bias,
        flops=i * o * (9 * k * (g + 1.5 * k) + 2 * g - 2.5 * k + 1) + base,
        flops_shared=i * everywhere + i * o * (2 * (g + k) + 1) + base,
        flops_local=i * local + i * o * (2 * (k + 1) + 1) + base,
    )
    return edges if last else edges + count_norm(shape, o)


register(
    "KAN",
    KANStack,
    defaults=SPLINE_FIELDS | {"shortcut": "silu", "without": None, "batch_norm": None, "layer_norm": None, "start": None},
    layer_count=count_layer,
    removable=("scale", "bias"),
)
