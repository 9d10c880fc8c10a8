import numpy
import pytest
import torch
from helpers import generators
from numpy.polynomial import chebyshev

from kanbefair import models
from kanbefair.models import count
from kanbefair.models.chebyshev_kan import ChebyshevKANStack, ChebyshevLinear

SHAPE = models.Shape(family="Chebyshev_KAN", widths=(3, 4, 2), options={"degree": 3})


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_a_layer_sums_numpys_chebyshev_series_of_tanh(degree):
    layer = ChebyshevLinear(3, 2, degree=degree, stack=2)
    torch.manual_seed(0)
    with torch.no_grad():
        layer.coefficients.normal_()
    x = torch.randn(7, 3)
    found = layer(x).detach().numpy()
    place, series = numpy.tanh(x.numpy().astype(float)), layer.coefficients.detach().numpy()
    for run in range(2):
        expected = sum(chebyshev.chebval(place[:, i], series[run, i]).T for i in range(3))
        numpy.testing.assert_allclose(found[run], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gain", [None, 2.0])
def test_coefficients_start_normal_with_one_over_inputs_times_terms(gain):
    shape = models.Shape(family="Chebyshev_KAN", widths=(60, 40), gain=gain, options={"degree": 4})
    stack = ChebyshevKANStack([shape] * 2)
    stack.reset(generators([1, 2]))
    (coefficients,) = stack.parameters()
    assert coefficients[0].std().item() == pytest.approx((gain or 1) / (60 * 5), rel=0.03)
    assert not torch.equal(coefficients[0], coefficients[1])


def test_all_parameters_learn_and_are_counted():
    stack = ChebyshevKANStack([SHAPE])
    stack.reset(generators([1]))
    stack(torch.randn(16, 3)).square().sum().backward()
    assert all(own.grad.abs().sum() > 0 for own in stack.parameters())
    assert count(SHAPE).live_parameters == (3 * 4 + 4 * 2) * 4 == sum(own.numel() for own in stack.parameters())
    # an input pays tanh's 6, 1 for 2x and 2 for each of T_2 and T_3; an edge 2 for each of four polynomials
    assert count(SHAPE).flops == (3 + 4) * (6 + 1 + 4) + 2 * 4 * (3 * 4 + 4 * 2)
