import math

import numpy
import pytest
import torch
from helpers import RANGES, SEEDS, drawn, generator, inputs
from scipy.interpolate import BSpline
from torch import nn

from kanbefair import specs
from kanbefair.models.activations import PolynomialActivation, activation
from kanbefair.models.basis import fit_coefficients
from kanbefair.models.spline_layers import KANLinear, SplineActivation

SPLINES = [(2, 3), (3, 5), (5, 20)]


def spline(x, coefficients, ends, grid, order):
    """Σ_g c_g·B_g(x) by scipy, 0 outside the extended grid."""
    knots = ends[0] + (ends[1] - ends[0]) / grid * numpy.arange(-2 * order, grid + 2 * order + 1)
    padded = numpy.pad(coefficients, order)
    return numpy.nan_to_num(BSpline(knots, padded, order, extrapolate=False)(x))


@pytest.mark.parametrize("shortcut", specs.SHORTCUTS)
@pytest.mark.parametrize(("order", "grid"), SPLINES)
def test_kan_layer_is_its_formula(shortcut, order, grid):
    base = None if shortcut == "zero" else activation(shortcut)
    layer = drawn(KANLinear(3, 2, grid=grid, order=order, grid_ranges=RANGES, shortcut=base)).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(inputs(*parameter.shape, dtype=torch.float64))
    x = inputs(3, 40, 3, seed=5, dtype=torch.float64) * 1.5
    y = layer(x)
    for run, ends in enumerate(RANGES):
        for j in range(2):
            expected = numpy.full(40, layer.bias[run, j].item())
            for i in range(3):
                xi = x[run, :, i].numpy()
                curve = spline(xi, layer.coefficients[run, i, :, j].detach().numpy(), ends, grid, order)
                expected += layer.scale[run, i, j].item() * curve
                if base is not None:
                    expected += layer.base[run, i, j].item() * (xi if shortcut == "identity" else xi / (1 + numpy.exp(-xi)))
            numpy.testing.assert_allclose(y[run, :, j].detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shortcut", specs.SHORTCUTS)
def test_kan_layer_draws_as_the_paper_does(shortcut):
    base = None if shortcut == "zero" else activation(shortcut)
    layer = drawn(KANLinear(3, 2, grid=4, order=3, grid_ranges=RANGES, shortcut=base))
    for run, seed in enumerate(SEEDS):
        stream = generator(seed)
        scale_base = 1 / math.sqrt(3) + 0.1 * (2 * torch.randn(6, generator=stream) - 1)
        noise = (torch.rand(6, 5, generator=stream) - 0.5) * 0.1 / 4
        coefficients = fit_coefficients(noise, 4, 3)
        for j in range(2):
            for i in range(3):
                edge = j * 3 + i
                torch.testing.assert_close(layer.coefficients[run, i, :, j], coefficients[edge])
                if base is not None:
                    assert layer.base[run, i, j] == scale_base[edge]
    assert (layer.scale == 1).all()
    assert (layer.bias == 0).all()


def test_a_kan_layer_takes_as_many_random_numbers_as_the_papers():
    layer = KANLinear(3, 2, grid=4, order=3, grid_ranges=RANGES[:1], shortcut=None)
    stream, by_hand = generator(5), generator(5)
    layer.reset_run(0, stream)
    torch.randn(6, generator=by_hand)
    torch.rand(6, 5, generator=by_hand)
    nn.init.kaiming_uniform_(torch.empty(1, 2), a=math.sqrt(5), generator=by_hand)
    assert torch.equal(torch.rand(4, generator=stream), torch.rand(4, generator=by_hand))


@pytest.mark.parametrize(("order", "grid"), SPLINES)
def test_spline_activation_is_its_formula(order, grid):
    layer = drawn(SplineActivation(4, grid=grid, order=order, grid_ranges=RANGES)).double()
    x = inputs(3, 40, 4, dtype=torch.float64)
    y = layer(x)
    for run, ends in enumerate(RANGES):
        for unit in range(4):
            coefficients = layer.coefficients[run, unit].detach().numpy()
            expected = spline(x[run, :, unit].numpy(), coefficients, ends, grid, order)
            numpy.testing.assert_allclose(y[run, :, unit].detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: KANLinear(2, 3, grid=4, order=3, grid_ranges=RANGES, shortcut=activation("silu")),
        lambda: KANLinear(2, 3, grid=3, order=2, grid_ranges=RANGES, shortcut=None),
        lambda: SplineActivation(2, grid=5, order=5, grid_ranges=RANGES),
        lambda: PolynomialActivation(3, stack=3),
    ],
)
def test_gradcheck(make):
    layer = drawn(make()).double()
    x = (inputs(3, 4, 2, dtype=torch.float64) * 0.7).requires_grad_()
    parameters = dict(layer.named_parameters())

    def call(x, *values):
        return torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (x, *parameters.values()))
