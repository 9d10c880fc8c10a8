import numpy
import pytest
import torch
from helpers import generators
from torch.nn import functional

from kanbefair import models
from kanbefair.errors import InputError
from kanbefair.models import count
from kanbefair.models.radial_kan import RadialKANStack, RadialLinear

SHAPE = models.Shape(family="RBF_KAN", widths=(3, 4, 2), options={"centres": 5})


def drawn(*seeds, shape=SHAPE):
    stack = RadialKANStack([shape] * len(seeds))
    stack.reset(generators(seeds))
    return stack


def test_a_layer_is_silu_and_gaussian_bumps_a_step_wide():
    layer = RadialLinear(3, 2, centres=5, grid_ranges=[(-2.0, 2.0), (-1.0, 3.0)])
    torch.manual_seed(0)
    with torch.no_grad():
        for own in layer.parameters():
            own.normal_()
    x = torch.randn(7, 3)
    found = layer(x)
    for run, (low, high) in enumerate([(-2.0, 2.0), (-1.0, 3.0)]):
        centres = numpy.linspace(low, high, 5)
        bumps = numpy.exp(-(((x.numpy()[:, :, None] - centres) / ((high - low) / 4)) ** 2))
        expected = numpy.einsum("bic,ico->bo", bumps, layer.weight[run].detach().numpy())
        expected = torch.from_numpy(expected).float() + functional.silu(x) @ layer.base.weight[run] + layer.base.bias[run]
        torch.testing.assert_close(found[run], expected)


def test_bumps_start_normal_with_a_tenth_and_runs_are_drawn_alone():
    stack = drawn(1, 2, shape=models.Shape(family="RBF_KAN", widths=(60, 40), options={"centres": 8}))
    weight = next(own for name, own in stack.named_parameters() if own.ndim == 4)
    assert weight[0].std().item() == pytest.approx(0.1, rel=0.03)
    assert weight[0].mean().item() == pytest.approx(0, abs=0.003)
    assert not torch.equal(weight[0], weight[1])


def test_all_parameters_learn_and_are_counted():
    stack = drawn(1)
    stack(torch.randn(16, 3)).square().sum().backward()
    assert all(own.grad.abs().sum() > 0 for own in stack.parameters())
    # an edge holds 5 bumps and silu, an output a bias
    assert count(SHAPE).live_parameters == 3 * 4 * 6 + 4 + 4 * 2 * 6 + 2 == sum(own.numel() for own in stack.parameters())
    # an input pays 2, 4 for each bump and silu's 5; an edge 2 for each bump and silu
    assert count(SHAPE).flops == (3 + 4) * (2 + 20 + 5) + 2 * 6 * (3 * 4 + 4 * 2)


def test_a_single_centre_is_refused():
    with pytest.raises(InputError, match="option centres is 1"):
        RadialLinear(3, 2, centres=1, grid_ranges=[(-2.0, 2.0)])
