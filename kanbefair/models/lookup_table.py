"""A fixed local basis with a linear head: what is left of a spline network when nothing but the last map is learned."""

from collections.abc import Sequence

from torch import Generator, Tensor, nn

from kanbefair.models.counting import LayerCount, Shape, basis_flops
from kanbefair.models.layers import Linear
from kanbefair.models.networks import Network, register
from kanbefair.models.spline_layers import Grid
from kanbefair.specs import SPLINE_FIELDS


class ProductBasis(nn.Module):
    """All products of one B-spline basis per input: (B, in) or (S, B, in) to (B, (G+K)^in) or (S, B, (G+K)^in)."""

    def __init__(self, grid: int, order: int, grid_ranges: list[tuple[float, float]]):
        super().__init__()
        self.grid = Grid(grid, order, grid_ranges)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the products; at each x all but (K+1)^in of them are zero."""
        first, *others = self.grid.table(x).unbind(-2)
        for table in others:
            first = (first.unsqueeze(-1) * table.unsqueeze(-2)).flatten(-2)
        return first


class LookupTableStack(Network):
    """A fixed tensor-product B-spline basis with a linear head without bias; no hidden layers.

    With order 1 it is a table that is looked up with linear interpolation.
    """

    def layer(self, number: int) -> list[nn.Module]:
        """The basis and the head."""
        shape = self.shape()
        inputs, outputs = self.widths
        size = (shape.grid + shape.order) ** inputs
        basis = ProductBasis(shape.grid, shape.order, self.grid_ranges)
        return [basis, Linear(size, outputs, stack=self.runs, bias=False)]

    def reset(self, generators: Sequence[Generator]) -> None:
        """Start all values at zero; the generators are drawn from as for any network."""
        super().reset(generators)
        nn.init.zeros_(self.layers[1].weight)


def count_layer(shape: Shape, inputs: int, outputs: int, last: bool) -> LayerCount:
    """How the table counts: all products of bases for the dense forms, (K+1)^in of them for the local one."""
    everywhere, local = basis_flops(shape.grid, shape.order)
    size = (shape.grid + shape.order) ** inputs
    alive = (shape.order + 1) ** inputs
    dense = size * (2 * outputs + inputs - 1)
    sparse = alive * (2 * outputs + inputs - 1)
    return LayerCount(
        parameters=size * outputs,
        live_parameters=size * outputs,
        flops=inputs * everywhere + dense,
        flops_shared=inputs * everywhere + dense,
        flops_local=inputs * local + sparse,
    )


register("LocalBasis", LookupTableStack, defaults=SPLINE_FIELDS | {"order": 1}, layer_count=count_layer)
