"""MLPs with one learnable B-spline per unit, after or before each linear map, and how their layers count."""

from dataclasses import replace

from torch import nn

from kanbefair.models import mlp
from kanbefair.models.counting import LayerCount, Shape, basis_flops
from kanbefair.models.layers import Linear
from kanbefair.models.mlp import FIELDS, MLPStack
from kanbefair.models.networks import Network, register
from kanbefair.models.spline_layers import SplineActivation
from kanbefair.specs import SPLINE_FIELDS


def splines(network: Network, features: int) -> SplineActivation:
    """One spline per unit, on the grids of `network`."""
    shape = network.shape()
    return SplineActivation(features, grid=shape.grid, order=shape.order, grid_ranges=network.grid_ranges)


class BSplineMLPStack(MLPStack):
    """A stack of MLPs whose activation is one learnable B-spline per unit."""

    def activation(self, features: int) -> nn.Module:
        """One spline per unit."""
        return splines(self, features)


class BSplineFirstMLPStack(Network):
    """A stack of networks whose layers are one B-spline per input, a linear map and, if asked for, normalisation, the last
    one included, and dropout."""

    def layer(self, number: int) -> list[nn.Module]:
        """The splines, the map, the normalisation."""
        inputs, outputs = self.widths[number : number + 2]
        linear = Linear(inputs, outputs, stack=self.runs, bias=self.bias, gain=self.shape().gain)
        dropout = [] if number == self.depth - 1 else self.dropout()
        return [splines(self, inputs), linear, *self.norm(outputs), *dropout]


def count_splines(g: int, k: int, units: int) -> LayerCount:
    """One spline of grid `g` and order `k` on each of `units` values."""
    everywhere, local = basis_flops(g, k)
    return LayerCount(
        parameters=units * (g + k),
        live_parameters=units * (g + k),
        flops=units * (9 * k * (g + 1.5 * k) + 2 * g - 2.5 * k - 1),
        flops_shared=units * (everywhere + 2 * (g + k) - 1),
        flops_local=units * (local + 2 * (k + 1) - 1),
    )


def count_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a layer of BSpline_MLP counts. The paper's formulas hold a spline behind the last map that is not there."""
    linear = mlp.count_layer(replace(shape, activation="identity"), i, o, last)
    spline = count_splines(shape.grid, shape.order, o)
    if last:
        spline = replace(spline, live_parameters=0, flops_shared=0, flops_local=0)
    return linear + spline


def count_first_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a layer of BSpline_First_MLP counts."""
    linear = mlp.count_layer(replace(shape, activation="identity"), i, o, last=False)
    return linear + count_splines(shape.grid, shape.order, i)


register("BSpline_MLP", BSplineMLPStack, defaults=SPLINE_FIELDS | FIELDS, layer_count=count_layer)
register("BSpline_First_MLP", BSplineFirstMLPStack, defaults=SPLINE_FIELDS | FIELDS, layer_count=count_first_layer)
