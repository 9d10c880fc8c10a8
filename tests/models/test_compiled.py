import itertools
import os
import subprocess
import sys

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.autograd.functional import hessian, jacobian
from torch.fx.experimental.proxy_tensor import make_fx

from kanbefair import models
from kanbefair.models import compiled, plain_splines
from kanbefair.models.activations import activation
from kanbefair.models.counting import Shape
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
def test_points_outside_add_nothing(outputs):
    layer = kan(2, outputs, 5, 3, None, torch.float32)
    x = torch.tensor([[9.0, 1e30], [-1e30, float("inf")], [float("-inf"), 60.0]], requires_grad=True)
    y, gc, gscale, gbias, gx = results(layer, layer, x)
    assert torch.equal(y, layer.bias.detach().unsqueeze(1).expand(3, 3, outputs))
    assert not gc.any() and not gscale.any() and not gx.any() and gbias.any()
    activation = spline(2, 5, 3, torch.float32)
    y, gc, gx = results(activation, activation, x)
    assert not y.any() and not gc.any() and not gx.any()


@needs_operator
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_silu_far_from_zero_is_torchs(dtype):
    layer = kan(1, 1, 5, 3, "silu", dtype, runs=1)
    x = torch.tensor([-1e38, -1e30, -80.0, 80.0, 1e30, float("inf"), float("-inf")], dtype=dtype).unsqueeze(1)
    ours, plain = (results(form, layer, x.clone().requires_grad_()) for form in (layer, layer.plain))
    expected = layer.base.flatten() * torch.nn.functional.silu(x) + layer.bias
    torch.testing.assert_close(ours[0][0], expected.detach(), equal_nan=True)
    torch.testing.assert_close(ours[-1], plain[-1], equal_nan=True)


SPOILT = {"x": (2, 1), "upstream": (2, 0)}
"""Row and column of a NaN."""


@needs_operator
@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", ["none", "identity", "silu", "activation"])
@pytest.mark.parametrize(("rows", "outputs", "order"), [(5, 1, 3), (150, 3, 2), (20, 70, 5), (40, 9, 1)])
def test_nan_stays_nan_in_its_row_and_run_in_both_forms_alike(rows, outputs, order, kind, dtype, spoilt):
    if kind == "activation":
        layer = spline(4, 5, order, dtype)
    else:
        layer = kan(4, outputs, 5, order, None if kind == "none" else kind, dtype)
    layer.grid.low.fill_(-1), layer.grid.high.fill_(1)
    row, column = SPOILT[spoilt]
    found = []
    for form in (layer, layer.plain):
        x = torch.rand(3, rows, 4, generator=torch.Generator().manual_seed(1), dtype=dtype).mul_(2).sub_(1).requires_grad_()
        given = x.detach().clone()
        if spoilt == "x":
            given[1, row, column] = float("nan")
        given.requires_grad_()
        y = form(given)
        upstream = torch.ones_like(y)
        if spoilt == "upstream":
            upstream[1, row, column] = float("nan")
        found.append([y.detach(), *torch.autograd.grad(y, [given, *layer.parameters()], upstream)])
        clean = form(x)
        clean = [clean.detach(), *torch.autograd.grad(clean, [x, *layer.parameters()], torch.ones_like(clean))]
        untouched = [run for run in range(3) if run != 1]
        assert all(torch.equal(a[untouched], b[untouched]) for a, b in zip(found[-1], clean, strict=True))
        others = [other for other in range(rows) if other != row]
        assert torch.equal(found[-1][0][:, others], clean[0][:, others])
    ours, plain = found
    assert all(torch.equal(a.isnan(), b.isnan()) for a, b in zip(ours, plain, strict=True))
    if spoilt == "x":
        assert ours[0][1, row].isnan().all() if kind != "activation" else ours[0][1, row, column].isnan()
        assert ours[2][1, column].isnan().any()  # coefficients
        assert order == 1 or ours[1][1, row, column].isnan()  # of order 1, a spline's slope is a constant, as a linear map's
    elif kind != "activation":  # what torch.nn.Linear does
        assert ours[1][1, row].isnan().all() and ours[2][1, ..., column].isnan().all() and ours[3][1, :, column].isnan().all()


def between_knots(*shape):
    """Values in (−1, 1), none near a knot of the grid with five intervals."""
    values = torch.rand(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    interval = torch.randint(5, shape, generator=torch.Generator().manual_seed(3))
    return (-1 + 0.4 * (interval + 0.1 + 0.8 * values)).requires_grad_()


def operator(kind, order=3):
    """An operator as a function of tensors, with such tensors: x and all parameters."""
    if kind == "activation":
        layer = spline(2, 5, order, torch.float64, runs=2)
    else:
        layer = kan(2, 3, 5, order, None if kind == "none" else kind, torch.float64, runs=2)
    low, high = torch.tensor([-1.0, -1.0]).double(), torch.tensor([1.0, 1.0]).double()
    parameters = [p.detach().clone().requires_grad_() for p in layer.parameters()]

    def function(x, c, *others):
        if kind == "activation":
            return compiled.spline_activation(x, c, low, high, grid=5, order=order)
        scale, base, bias = others if kind != "none" else (others[0], None, others[1])
        shortcut = None if kind == "none" else kind
        return compiled.kan_linear(x, c, scale, base, bias, low, high, grid=5, order=order, shortcut=shortcut)

    return function, parameters


@needs_operator
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", ["none", "identity", "silu", "activation"])
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning", "ignore:Anomaly Detection:UserWarning")
def test_gradients_and_those_of_gradients_by_finite_differences(kind, shared):
    function, parameters = operator(kind)
    x = between_knots(*([] if shared else [2]), 3, 2)
    torch.autograd.gradcheck(function, (x, *parameters), check_forward_ad=True, check_batched_grad=True, fast_mode=True)
    torch.autograd.gradgradcheck(function, (x, *parameters), check_batched_grad=True, fast_mode=True)
    with torch.autograd.set_detect_anomaly(True):
        torch.autograd.gradgradcheck(function, (x, *parameters), fast_mode=True)


def loss(y):
    return y.square().sum()


def penalty(function, x):
    (slope,) = torch.autograd.grad(loss(function(x)), x, create_graph=True)
    return torch.autograd.grad(loss(slope - 1) + loss(function(x)), x, create_graph=True)[0]


def tangent(function, x):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(function(forward_ad.make_dual(x, x.cos()))).tangent


DERIVATIVES = {
    "gradient penalty": lambda f, x: penalty(f, x),
    "third derivative": lambda f, x: torch.autograd.grad(loss(penalty(f, x)), x)[0],
    "of an input made of others": lambda f, x: penalty(lambda x: f(torch.cat([x, x], -1)[..., ::2].contiguous() * x.sum()), x),
    "strided input": lambda f, x: penalty(lambda x: f(torch.cat([x, x], -1)[..., ::2]), x),
    "forward mode": tangent,
    "forward mode without gradients": lambda f, x: torch.no_grad()(tangent)(f, x),
    "batched": lambda f, x: jacobian(f, x, vectorize=True),
    "Hessian": lambda f, x: hessian(lambda x: loss(f(x)), x),
    "batched Hessian": lambda f, x: hessian(lambda x: loss(f(x)), x, vectorize=True),
    "func.grad": lambda f, x: torch.func.grad(lambda x: loss(f(x)))(x),
    "func.jvp": lambda f, x: torch.func.jvp(f, (x,), (x.cos(),))[1],
    "func.jacfwd": lambda f, x: torch.func.jacfwd(f)(x),
    "func.jacrev": lambda f, x: torch.func.jacrev(f)(x),
    "func.hessian": lambda f, x: torch.func.hessian(lambda x: loss(f(x)))(x),
    "vmap": lambda f, x: torch.func.vmap(f)(torch.stack([x, 0.5 * x])),
    "make_fx": lambda f, x: make_fx(f)(0.5 * x)(x),
    "upstream gradients with a tangent": lambda f, x: upstream_tangent(f, x),
}


def upstream_tangent(function, x):
    y = function(x)
    with forward_ad.dual_level():
        upstream = forward_ad.make_dual(torch.ones_like(y), y.detach())
        return forward_ad.unpack_dual(torch.autograd.grad(y, x, upstream)[0]).tangent


NETWORKS = {
    "KAN": Shape(family="KAN", widths=(2, 3, 1), grid=5, order=3, shortcut="identity"),
    "KAN without shortcut": Shape(family="KAN", widths=(2, 3, 1), grid=5, order=4, shortcut="zero"),
    "BSpline_MLP": Shape(family="BSpline_MLP", widths=(2, 3, 1), grid=5, order=3),
    "BSpline_First_MLP": Shape(family="BSpline_First_MLP", widths=(2, 3, 1), grid=5, order=3),
}


def network_of(name):
    torch.manual_seed(1)
    network = models.network(NETWORKS[name]).double()
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return network


@needs_operator
@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_every_derivative_of_a_network_is_that_of_its_plain_form(name, derivative):
    network, x = network_of(name), between_knots(4, 2)
    found = DERIVATIVES[derivative](network, x)
    with compiled.plain():
        expected = DERIVATIVES[derivative](network, x)
    assert expected.any()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@needs_operator
@pytest.mark.parametrize("name", NETWORKS)
def test_the_parameters_gradients_of_a_penalty_are_those_of_the_plain_form(name):
    def gradients():
        network, x = network_of(name), between_knots(4, 2)
        y = network(x)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return torch.autograd.grad(loss(y) + loss(slope - 1), list(network.parameters()), allow_unused=True)

    found = gradients()
    with compiled.plain():
        expected = gradients()
    for ours, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)


@needs_operator
def test_a_gradient_of_parameters_that_are_made_of_the_input():
    function, (c, *others) = operator("silu")
    x = between_knots(3, 2)

    def slopes(form):
        return penalty(lambda x: form(x, c * x.sum(), *others), x)

    def plain(x, c, scale, base, bias):
        ends = torch.full((2, 1, 1), -1.0).double(), torch.full((2, 1, 1), 1.0).double()
        return plain_splines.kan_linear(x, c, scale, base, bias, *ends, grid=5, order=3, shortcut=torch.nn.SiLU())

    torch.testing.assert_close(slopes(function), slopes(plain))


@needs_operator
@pytest.mark.parametrize("name", ["KAN", "BSpline_MLP"])
def test_a_network_compiled_by_torch_and_an_exported_one_are_the_plain_form(name):
    network, x = network_of(name), between_knots(4, 2)
    traced = torch.compile(network, backend="aot_eager", fullgraph=True)
    with compiled.plain():
        y = network(x)
        expected = torch.autograd.grad(loss(y), [x, *network.parameters()], allow_unused=True)
    found = traced(x)
    torch.testing.assert_close(found, y)
    gradients = torch.autograd.grad(loss(found), [x, *network.parameters()], allow_unused=True)
    for ours, plain in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, plain)
    for strict in (False, True):
        exported = torch.export.export(network, (0.5 * x.detach(),), strict=strict).module()
        torch.testing.assert_close(exported(x), y)
    torch.testing.assert_close(network(x), y)  # and tracing leaves nothing behind


@needs_operator
def test_the_operator_called_by_itself_is_the_plain_form_for_what_it_cannot_do():
    function, parameters = operator("identity")
    x = between_knots(3, 2)

    def call(x):
        return function(x, *parameters)

    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert call(mode.from_tensor(x)).shape == (2, 3, 3)
    torch.testing.assert_close(make_fx(call)(0.5 * x)(x), call(x))
    low = torch.tensor([-1.0, -1.0], dtype=torch.float64, requires_grad=True)
    c = torch.ones(2, 2, 8, dtype=torch.float64) * torch.arange(8)
    high = torch.ones(2, dtype=torch.float64)
    torch.autograd.gradcheck(lambda low: compiled.spline_activation(x, c, low, high, grid=5, order=3), low)
    torch.testing.assert_close(torch.func.hessian(lambda x: loss(call(x)))(x), hessian(lambda x: loss(call(x)), x))


@needs_operator
def test_adam_has_no_derivative_and_tells_what_it_changes():
    state = [torch.rand(64) for _ in range(5)]
    numbers = (0.9, 0.999, 0.1, 0.1, 1e-8)
    weight = torch.rand(64, requires_grad=True)
    y = (weight * state[0]).sum()
    torch.ops.kanbefair.adam_(*state, *numbers)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    with pytest.raises(RuntimeError, match="leaf Variable"):
        torch.ops.kanbefair.adam_(weight, *state[1:], *numbers)
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match="does not support"):
        torch.ops.kanbefair.adam_(forward_ad.make_dual(state[0], state[1]), *state[1:], *numbers)


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
