import itertools
import os
import subprocess
import sys
import warnings

import pytest
import torch

from kanbefair import fused
from kanbefair.layers import KANLinear, SplineActivation, activation

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
RANGES = [(-1.0, 1.0), (-2.0, 0.5), (0.1, 3.0)]

needs_operator = pytest.mark.skipif(not fused.prepare(), reason="there is no compiler, so no compiled operator")


def kan(inputs, outputs, grid, order, shortcut, dtype, runs=3):
    chosen = None if shortcut is None else activation(shortcut)
    layer = KANLinear(
        inputs, outputs, grid=grid, order=order, grid_ranges=[RANGES[s % 3] for s in range(runs)], shortcut=chosen
    )
    return fill(layer, dtype)


def spline(features, grid, order, dtype, runs=3):
    return fill(
        SplineActivation(features, grid=grid, order=order, grid_ranges=[RANGES[s % 3] for s in range(runs)]), dtype
    )


def fill(layer, dtype):
    generator = torch.Generator().manual_seed(5)
    for p in layer.parameters():
        p.data = torch.randn(p.shape, generator=generator)
    return layer.to(dtype)


def inputs_for(layer, rows, features, dtype, shared):
    """Values in, at the ends of, and outside the grid."""
    runs = len(layer.coefficients)
    generator = torch.Generator().manual_seed(7)
    x = 1.5 * torch.randn(1 if shared else runs, rows, features, generator=generator)
    flat = x.view(-1)
    special = torch.tensor([-1.0, 1.0, 0.0, -2.0, 0.5, 9.0, -9.0, 0.1, 3.0])
    flat[: len(special)] = special[: flat.numel()]
    return (x[0] if shared else x).to(dtype).requires_grad_()


def operator(layer, x):
    if isinstance(layer, SplineActivation):
        return fused.spline_activation(
            x, layer.coefficients, layer.grid.low, layer.grid.high, grid=layer.grid.grid, order=layer.grid.order
        )
    name = None
    if layer.shortcut is not None:
        name = "identity" if isinstance(layer.shortcut, torch.nn.Identity) else "silu"
    return fused.kan_linear(
        x, layer.coefficients, layer.scale, layer.base, layer.bias, layer.grid.low, layer.grid.high,
        grid=layer.grid.grid, order=layer.grid.order, shortcut=name,
    )  # fmt: skip


def results(function, layer, x):
    """Output and all gradients for a fixed upstream gradient."""
    y = function(x)
    weight = (1 + 0.5 * torch.sin(torch.arange(y.numel(), dtype=torch.float64))).view_as(y).to(y)
    wanted = [*layer.parameters(), *([x] if x.requires_grad else [])]
    return [y.detach(), *torch.autograd.grad(y, wanted, weight)]


def compare(layer, x, dtype):
    """Output and gradients of both forms agree, relative to the largest value of each tensor."""
    with fused.plain():
        plain = results(lambda x: layer(x.expand(len(layer.coefficients), *x.shape[-2:])), layer, x)
    for a, b in zip(results(lambda x: operator(layer, x), layer, x), plain, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= TOLERANCE[dtype] * b.abs().max()


SHAPES = [(1, 1, 1), (7, 3, 2), (130, 17, 10), (65, 5, 5), (33, 4, 16), (129, 3, 40), (70, 19, 65), (600, 2, 9)]


@needs_operator
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kan_equals_the_plain_form(shape, order, dtype):
    rows, inputs, outputs = shape
    for grid, shortcut, shared in itertools.product((1, 5, 20), (None, "identity", "silu"), (False, True)):
        layer = kan(inputs, outputs, grid, order, shortcut, dtype)
        x = inputs_for(layer, rows, inputs, dtype, shared)
        compare(layer, x, dtype)
