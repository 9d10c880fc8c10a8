import itertools
import os
import subprocess
import sys

import pytest
import torch

from kanbefair.models import compiled
from kanbefair.models.activations import activation
from kanbefair.models.spline_layers import KANLinear, SplineActivation

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
RANGES = [(-1.0, 1.0), (-2.0, 0.5), (0.1, 3.0)]

needs_operator = pytest.mark.skipif(not compiled.prepare(), reason="there is no compiler, so no compiled operator")


def kan(inputs, outputs, grid, order, shortcut, dtype, runs=3):
    chosen = None if shortcut is None else activation(shortcut)
    layer = KANLinear(
        inputs, outputs, grid=grid, order=order, grid_ranges=[RANGES[s % 3] for s in range(runs)], shortcut=chosen
    )
    return fill(layer, dtype)


def spline(features, grid, order, dtype, runs=3):
    return fill(SplineActivation(features, grid=grid, order=order, grid_ranges=[RANGES[s % 3] for s in range(runs)]), dtype)


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


def results(function, layer, x):
    """Output and all gradients for a fixed upstream gradient."""
    y = function(x)
    weight = (1 + 0.5 * torch.sin(torch.arange(y.numel(), dtype=torch.float64))).view_as(y).to(y)
    wanted = [*layer.parameters(), *([x] if x.requires_grad else [])]
    return [y.detach(), *torch.autograd.grad(y, wanted, weight)]


def compare(layer, x, dtype):
    """Output and gradients of both forms agree, relative to each largest value or, for the base's gradient, whose
    terms cancel, to the sum of the terms' sizes."""
    plain = results(layer.plain, layer, x)
    ours = results(layer, layer, x)
    names = ["y", *(name for name, _ in layer.named_parameters()), *(["x"] if x.requires_grad else [])]
    for name, a, b in zip(names, ours, plain, strict=True):
        size = b.abs().max()
        if name == "base":
            size = layer.shortcut(x.detach()).abs().sum(-2).max().maximum(size)
        assert a.shape == b.shape
        worst = float((a - b).abs().max() / size) if size else float(a.abs().max())
        assert worst <= TOLERANCE[dtype], name


SHAPES = [(1, 1, 1), (7, 3, 2), (130, 17, 10), (65, 5, 5), (33, 4, 16), (129, 3, 40), (70, 19, 65), (600, 2, 9)]


@needs_operator
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kan_equals_the_plain_form(shape, order, dtype):
    rows, inputs, outputs = shape
    for grid, shortcut, shared in itertools.product((1, 5, 20), (None, "identity", "silu"), (False, True)):
        layer = kan(inputs, outputs, grid, order, shortcut, dtype)
        compare(layer, inputs_for(layer, rows, inputs, dtype, shared), dtype)


@needs_operator
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_activation_equals_the_plain_form(order, dtype):
    for (rows, features), grid, shared in itertools.product([(1, 1), (130, 33), (65, 70)], (1, 5, 20), (False, True)):
        layer = spline(features, grid, order, dtype)
        compare(layer, inputs_for(layer, rows, features, dtype, shared), dtype)


@needs_operator
@pytest.mark.parametrize("shape", [(130, 5, 1), (130, 17, 10), (130, 3, 40)], ids=str)
def test_a_run_is_bitwise_the_same_alone_and_in_a_stack_with_own_or_shared_input(shape):
    rows, inputs, outputs = shape
    for grid, order, kind in itertools.product((3, 20), (3, 5), ("silu", None, "activation")):
        if kind == "activation":
            layer = spline(inputs, grid, order, torch.float32, runs=5)
        else:
            layer = kan(inputs, outputs, grid, order, kind, torch.float32, runs=5)
        x = inputs_for(layer, rows, inputs, torch.float32, shared=True)
        own = x.detach().expand(5, rows, inputs).clone().requires_grad_()
        shared = results(layer, layer, x)
        stacked = results(layer, layer, own)
        assert all(torch.equal(a, b) for a, b in zip(shared[:-1], stacked[:-1], strict=True))
        y = layer(own)
        upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        gradients = torch.autograd.grad(y, [*layer.parameters(), own], upstream)
        for run in range(5):
            alone = kan(inputs, outputs, grid, order, kind, torch.float32, 1) if kind != "activation" else None
            alone = spline(inputs, grid, order, torch.float32, 1) if alone is None else alone
            for ours, theirs in zip(
                [*alone.parameters(), *alone.buffers()], [*layer.parameters(), *layer.buffers()], strict=True
            ):
                ours.data = theirs.data[run : run + 1].clone()
            single = own.detach()[0].clone().requires_grad_()
            result = alone(single)
            assert torch.equal(result[0], y[run])
            parts = torch.autograd.grad(result, [*alone.parameters(), single], upstream[run : run + 1])
            assert all(torch.equal(a.reshape(b[run].shape), b[run]) for a, b in zip(parts, gradients, strict=True))


@needs_operator
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("outputs", "order"), [(1, 3), (2, 5), (10, 3), (16, 2), (40, 3)])
def test_runs_that_share_points_are_bitwise_those_alone_and_equal_the_plain_form(outputs, order, dtype):
    for rows, inputs, grid, shortcut in [(130, 35, 5, "silu"), (1030, 3, 20, None), (1, 40, 3, "identity")]:
        runs = 13
        layer = kan(inputs, outputs, grid, order, shortcut, dtype, runs)
        layer.grid.low.fill_(-1.5), layer.grid.high.fill_(1.25)
        x = inputs_for(layer, rows, inputs, dtype, shared=True).detach()
        compare(layer, x, dtype)
        y = layer(x)
        upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
        gradients = torch.autograd.grad(y, [*layer.parameters()], upstream)
        for run in (0, 6, runs - 1):
            alone = kan(inputs, outputs, grid, order, shortcut, dtype, 1)
            pairs = zip([*alone.parameters(), *alone.buffers()], [*layer.parameters(), *layer.buffers()], strict=True)
            for ours, theirs in pairs:
                ours.data = theirs.data[run : run + 1].clone()
            result = alone(x)
            assert torch.equal(result[0], y[run])
            parts = torch.autograd.grad(result, [*alone.parameters()], upstream[run : run + 1])
            assert all(torch.equal(a[0], b[run]) for a, b in zip(parts, gradients, strict=True))


@needs_operator
@pytest.mark.parametrize("outputs", [3, 40])
def test_nan_and_points_outside_add_nothing(outputs):
    layer = kan(2, outputs, 5, 3, None, torch.float32)
    x = torch.tensor([[float("nan"), 1e30], [-1e30, float("inf")], [float("-inf"), 60.0]], requires_grad=True)
    y, gc, gscale, gbias, gx = results(layer, layer, x)
    assert torch.equal(y, layer.bias.detach().unsqueeze(1).expand(3, 3, outputs))
    assert not gc.any() and not gscale.any() and not gx.any() and gbias.any()
    activation = spline(2, 5, 3, torch.float32)
    y, gc, gx = results(activation, activation, x)
    assert not y.any() and not gc.any() and not gx.any()


@needs_operator
def test_gradients_by_finite_differences():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    layer = kan(3, 2, 4, 3, "silu", torch.float64, runs=2)
    parameters = [p.detach().requires_grad_() for p in (layer.coefficients, layer.scale, layer.base, layer.bias)]
    ends = layer.grid.low, layer.grid.high

    def function(x, *parameters):
        return compiled.kan_linear(x, *parameters, *ends, grid=4, order=3, shortcut="silu")

    torch.autograd.gradcheck(function, (x, *parameters))


@needs_operator
def test_an_input_without_gradient_and_a_strided_one():
    layer = kan(6, 4, 5, 3, "silu", torch.float32)
    x = inputs_for(layer, 20, 12, torch.float32, shared=True).detach()[:, ::2]
    y = layer(x)
    y.sum().backward()
    assert torch.equal(y, layer(x.contiguous())) and layer.coefficients.grad.any()
    with torch.no_grad():
        assert not layer(x).requires_grad


def test_what_the_operator_cannot_do_is_left_to_the_plain_form():
    x, c = torch.zeros(2, 3), torch.zeros(1, 3, 8, 4)
    assert compiled.usable(x, c, 5, 3) == compiled.prepare()
    assert not compiled.usable(x, c, 5, 6) and not compiled.usable(x, c, 250, 3)
    assert not compiled.usable(x.double(), c, 5, 3) and not compiled.usable(x.half(), c.half(), 5, 3)
    assert not compiled.usable(x.to("meta"), c, 5, 3)
    with compiled.plain():
        assert not compiled.usable(x, c, 5, 3)


PROGRAM = """
import os
import torch
from kanbefair.models import compiled
print(compiled.prepare(), compiled.prepare(), compiled.usable(torch.zeros(2, 3), torch.zeros(1, 3, 8, 4), 5, 3))
print(os.environ["KANBEFAIR_FUSED"])  # workers do not try again
"""


@pytest.mark.parametrize(("change", "said"), [({"CXX": "no-such-compiler"}, 1), ({"KANBEFAIR_FUSED": "0"}, 0)], ids=str)
def test_without_a_compiler_there_is_one_notice(tmp_path, change, said):
    environment = os.environ | {"KANBEFAIR_CACHE": str(tmp_path)} | change
    environment = (
        environment if "KANBEFAIR_FUSED" in change else {k: v for k, v in environment.items() if k != "KANBEFAIR_FUSED"}
    )
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"] * 3 + ["0"]
    assert done.stderr.count("plain form") == said and len(done.stderr.splitlines()) == said
    assert done.stderr.count("no C++ compiler 'no-such-compiler' on PATH") == said
