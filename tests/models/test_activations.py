import math

import numpy
import pytest
import torch
from helpers import SEEDS, drawn, generator, inputs

from kanbefair import specs
from kanbefair.models.activations import Elementwise, PolynomialActivation, activation


@pytest.mark.parametrize("degree", [2, 3, 5])
def test_polynomial_activation(degree):
    layer = drawn(PolynomialActivation(degree, stack=3))
    x = inputs(3, 5, 4)
    for run, seed in enumerate(SEEDS):
        stream = generator(seed)
        *powers, constant = [torch.randn(1, generator=stream).item() for _ in range(degree + 1)]
        expected = numpy.polynomial.Polynomial([constant, *powers])(x[run].numpy())
        numpy.testing.assert_allclose(layer(x)[run].detach().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", [0.0, 0.0, 2.0]),
        ("square_relu", [0.0, 0.0, 4.0]),
        ("identity", [-1.0, 0.0, 2.0]),
        ("sigmoid", [1 / (1 + math.e), 0.5, 1 / (1 + math.exp(-2))]),
        ("tanh", [-math.tanh(1), 0.0, math.tanh(2)]),
        ("silu", [-1 / (1 + math.e), 0.0, 2 / (1 + math.exp(-2))]),
        ("gelu", [-(1 - math.erf(1 / math.sqrt(2))) / 2, 0.0, 1 + math.erf(math.sqrt(2))]),
    ],
)
def test_activations(name, expected):
    torch.testing.assert_close(activation(name)(torch.tensor([-1.0, 0.0, 2.0])), torch.tensor(expected))


def test_every_activation_name_makes_a_module():
    for name in specs.ACTIVATIONS:
        module = activation(name, stack=3)
        if isinstance(module, PolynomialActivation):
            drawn(module)
        assert module(inputs(3, 2, 2)).shape == (3, 2, 2)


@pytest.mark.parametrize("name", ["tanh", "silu", "gelu", "sigmoid"])
def test_elementwise_rounds_the_same_wherever_a_value_stands(name):
    function = activation(name)
    assert isinstance(function, Elementwise)
    x = inputs(301)
    whole = function(x)
    assert all(torch.equal(function(x[start : start + 37]), whole[start : start + 37]) for start in (0, 1, 63, 200))
