import numpy
import torch
from helpers import generators
from numpy.polynomial import polynomial
from torch.nn import functional

from kanbefair import models
from kanbefair.models import count
from kanbefair.models.rational_kan import GroupedRational, RationalKANStack

SHAPE = models.Shape(family="Rational_KAN", widths=(5, 4, 2), options={"groups": 2})


def test_groups_of_inputs_share_a_rational():
    layer = GroupedRational(5, 2, "silu", stack=2)
    torch.manual_seed(0)
    with torch.no_grad():
        for own in layer.parameters():
            own.normal_()
    x = torch.randn(7, 5)
    found = layer(x).detach().numpy()
    for run in range(2):
        for number, group in enumerate([0, 0, 0, 1, 1]):
            column = x[:, number].numpy().astype(float)
            above = polynomial.polyval(column, layer.numerator[run, group].detach().numpy())
            below = polynomial.polyval(column, [0, *layer.denominator[run, group].tolist()])
            numpy.testing.assert_allclose(found[run][:, number], above / (1 + abs(below)), rtol=1e-4, atol=1e-5)


def started(function):
    layer = GroupedRational(1, 8, function)
    layer.reset_run(0, generators([1])[0])
    assert layer.numerator.shape == (1, 1, 6)
    return layer


def test_it_starts_as_the_identity_and_as_silu():
    x = torch.linspace(-3, 3, 200).unsqueeze(1)
    torch.testing.assert_close(started("identity")(x)[0], x)
    torch.testing.assert_close(started("silu")(x)[0], functional.silu(x), rtol=0, atol=2e-3)


def test_all_parameters_learn_and_are_counted():
    stack = RationalKANStack([SHAPE])
    stack.reset(generators([1]))
    stack(torch.randn(16, 5)).square().sum().backward()
    assert all(own.grad.abs().sum() > 0 for own in stack.parameters())
    # a group holds 6 + 4 values, a linear map its edges and biases
    assert count(SHAPE).live_parameters == 2 * 10 + 24 + 2 * 10 + 10 == sum(own.numel() for own in stack.parameters())
    assert count(SHAPE).flops == (5 + 4) * 20 + 2 * (5 * 4 + 4 * 2)
