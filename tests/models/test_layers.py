import math

import numpy
import pytest
import torch
from scipy.interpolate import BSpline
from torch import nn

from kanbefair import specs
from kanbefair.models.activations import Elementwise, PolynomialActivation, activation
from kanbefair.models.basis import fit_coefficients
from kanbefair.models.layers import BatchNorm, Linear, MeanEmbedding
from kanbefair.models.spline_layers import KANLinear, SplineActivation

SEEDS = [11, 12, 13]
RANGES = [(-1.0, 1.0), (-2.0, 2.0), (-0.5, 1.5)]
SPLINES = [(2, 3), (3, 5), (5, 20)]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def drawn(layer):
    """The layer with run s drawn from SEEDS[s]."""
    for run, seed in enumerate(SEEDS):
        layer.reset_run(run, generator(seed))
    return layer


def inputs(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def spline(x, coefficients, ends, grid, order):
    """Σ_g c_g·B_g(x) by scipy, 0 outside the extended grid."""
    knots = ends[0] + (ends[1] - ends[0]) / grid * numpy.arange(-2 * order, grid + 2 * order + 1)
    padded = numpy.pad(coefficients, order)
    return numpy.nan_to_num(BSpline(knots, padded, order, extrapolate=False)(x))


@pytest.mark.parametrize(("rows", "columns"), [(4, 7), (1, 3), (5, 1), (1, 1), (784, 10)])
def test_linear_is_torchs(rows, columns):
    layer = drawn(Linear(rows, columns, stack=3))
    x = inputs(3, 6, rows)
    (layer(x) ** 2).sum().backward()
    for run, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        reference = nn.Linear(rows, columns)
        assert torch.equal(layer.weight[run], reference.weight.T)
        assert torch.equal(layer.bias[run], reference.bias)
        y = reference(x[run])
        (y**2).sum().backward()
        torch.testing.assert_close(layer(x)[run], y)
        torch.testing.assert_close(layer.weight.grad[run], reference.weight.grad.T, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layer.bias.grad[run], reference.bias.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda stack: Linear(5, 3, stack=stack),
        lambda stack: KANLinear(5, 3, grid=4, order=3, grid_ranges=RANGES[:stack], shortcut=activation("silu")),
        lambda stack: nn.Sequential(
            Linear(5, 4, stack=stack), SplineActivation(4, grid=4, order=2, grid_ranges=RANGES[:stack])
        ),
    ],
)
def test_shared_inputs_are_the_same_for_every_run(make):
    layer = make(3)
    for module in layer.modules():
        if hasattr(module, "reset_run"):
            drawn(module)
    x = inputs(8, 5)
    assert layer(x).shape[:2] == (3, 8)
    assert torch.equal(layer(x), layer(x.expand(3, 8, 5)))


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_torchs(training):
    layer = drawn(BatchNorm(5, stack=3)).train(training)
    references = [nn.BatchNorm1d(5).train(training) for _ in SEEDS]
    with torch.no_grad():
        for run, reference in enumerate(references):
            for name in ("weight", "bias"):
                getattr(reference, name).copy_(inputs(5, seed=run))
                getattr(layer, name)[run] = getattr(reference, name)
    for step in range(3):
        x = inputs(3, 7, 5, seed=step) * 3 + 1
        ys = [reference(x[run]) for run, reference in enumerate(references)]
        torch.testing.assert_close(layer(x), torch.stack(ys), rtol=1e-5, atol=1e-5)
    for run, reference in enumerate(references):
        torch.testing.assert_close(layer.running_mean[run], reference.running_mean)
        torch.testing.assert_close(layer.running_var[run], reference.running_var)


def test_batch_norm_takes_a_batch_of_one_row():
    layer = drawn(BatchNorm(2, stack=3))
    x = inputs(3, 1, 2)
    torch.testing.assert_close(layer(x), x / math.sqrt(1 + 1e-5))


def test_mean_embedding_is_torchs_embedding_bag():
    layer = drawn(MeanEmbedding(9, 4, stack=3))
    texts = [[0, 3, 3], [8], [], [1, 2, 3, 4, 5]]
    tokens = torch.full((4, 6), -1, dtype=torch.int32)
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = torch.tensor(text, dtype=torch.int32)
    flat = torch.tensor([token for text in texts for token in text])
    offsets = torch.tensor([0, 3, 4, 4])
    y = layer(tokens)
    (y**2).sum().backward()
    for run, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        reference = nn.EmbeddingBag(9, 4, mode="mean")
        assert torch.equal(layer.weight[run], reference.weight)
        expected = reference(flat, offsets)
        (expected**2).sum().backward()
        torch.testing.assert_close(y[run], expected)
        torch.testing.assert_close(layer.weight.grad[run], reference.weight.grad)
    assert (y[:, 2] == 0).all()
    torch.testing.assert_close(layer(tokens.expand(3, 4, 6)), y)


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
