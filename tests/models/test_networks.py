import contextlib
import itertools
from dataclasses import replace

import pytest
import torch
from helpers import generators
from torch import nn

from kanbefair import models
from kanbefair.errors import InputError
from kanbefair.models import compiled, counting, networks
from kanbefair.models.mlp import MLPStack
from kanbefair.specs import ACTIVATIONS, RunSpec
from kanbefair.training import fit

KINDS = [
    {"model": "KAN", "shortcut": "silu"},
    {"model": "KAN", "shortcut": "identity", "grid": 3, "order": 2},
    {"model": "KAN", "shortcut": "zero", "grid": 10, "order": 5},
    {"model": "MLP", "activation": "gelu"},
    {"model": "MLP", "activation": "polynomial3"},
    {"model": "MLP", "activation": "relu", "batch_norm": True},
    {"model": "BSpline_MLP", "batch_norm": True},
    {"model": "BSpline_First_MLP"},
]


def plain_mlp(batch_norm):
    norm = [nn.BatchNorm1d(3)] if batch_norm else []
    norm2 = [nn.BatchNorm1d(4)] if batch_norm else []
    return nn.Sequential(nn.Linear(5, 3), *norm, nn.GELU(), nn.Linear(3, 4), *norm2, nn.GELU(), nn.Linear(4, 2))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_an_mlp_is_torchs_from_the_same_seed(batch_norm):
    shape = models.Shape(family="MLP", widths=(5, 3, 4, 2), activation="gelu", batch_norm=batch_norm)
    stack = MLPStack([shape, shape])
    stack.reset(generators([7, 8]))
    x = torch.randn(6, 5)
    for run, seed in enumerate([7, 8]):
        torch.manual_seed(seed)
        torch.testing.assert_close(stack(x)[run], plain_mlp(batch_norm)(x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("widths", [(7,), (3, 5), (1,)])
def test_logits_in_a_stack_are_bitwise_those_of_the_run_alone(toy, kind, widths):
    task = toy()
    common = {"dataset": "toy", "widths": widths, **kind}
    own = [{"seed": 3}, {"seed": 4, "grid_range": (-2, 2)}, {"seed": 5}]
    specs = [RunSpec(**common, **fields) for fields in own]
    together = models.build(specs, task)
    together.reset(generators([3, 4, 5]))
    x = task.x_train[:37]
    for run, spec in enumerate(specs):
        alone = models.build([spec], task)
        alone.reset(generators([spec.seed]))
        assert torch.equal(alone(x)[0], together(x)[run])


def test_reset_wants_a_generator_for_each_run():
    with pytest.raises(InputError, match="1 generators for a stack of 2 runs"):
        shape = models.Shape(family="MLP", widths=(5, 3, 2), activation="relu")
        MLPStack([shape, shape]).reset(generators([1]))


@pytest.mark.parametrize("family", ["KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP"])
def test_a_network_of_a_shape_has_that_shape(family):
    spline = {"grid": 4, "order": 3} if family != "MLP" else {"activation": "relu"}
    shape = models.Shape(family=family, widths=(5, 3, 2), **spline, shortcut="zero" if family == "KAN" else None)
    network = models.network(shape)
    assert network.shape() == shape
    assert network(torch.zeros(4, 5)).shape == (4, 2)


def test_a_network_of_an_unknown_family_or_without_its_fields():
    with pytest.raises(InputError, match="unknown model 'KAM'; did you mean 'KAN'"):
        models.network(models.Shape(family="KAM", widths=(5, 3, 2)))
    with pytest.raises(InputError, match="KAN needs 'grid'; give it, as in grid=5"):
        models.network(models.Shape(family="KAN", widths=(5, 3, 2)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_works_in_an_mlp(name, toy):
    network = models.build([RunSpec(dataset="toy", model="MLP", widths=(3,), activation=name)], toy())
    network.reset(generators([0]))
    assert network(toy().x_train).isfinite().all()


class Squared(MLPStack):
    """An MLP that also sees the squares of its inputs: what a user might write."""

    def __init__(self, shapes, **options):
        super().__init__([replace(own, widths=(2 * own.widths[0], *own.widths[1:])) for own in shapes], **options)

    def forward(self, x):
        return super().forward(torch.cat([x, x * x], dim=-1))


FIELDS = {"activation": "relu", "batch_norm": False, "without": None}


def test_a_model_of_ones_own_may_be_registered_again_and_one_of_the_package_not(own_registries):
    for default in ("relu", "gelu"):
        defaults = FIELDS | {"activation": default}
        models.register("Squared", Squared, defaults=defaults, layer_count=counting.LAYER_COUNTERS["MLP"])
        assert RunSpec(dataset="toy", model="Squared", widths=(3,)).activation == default
    before = networks.FAMILIES["MLP"]
    for network in (Squared, before):
        with pytest.raises(InputError, match=r"^model 'MLP' comes with kanbefair and is not replaced; register yours under"):
            models.register("MLP", network, defaults=FIELDS | {"activation": "gelu"}, layer_count=None)
    assert networks.FAMILIES["MLP"] is before and RunSpec(dataset="toy", model="MLP", widths=(3,)).activation == "relu"
    with pytest.raises(InputError, match="model 'a/b' cannot be registered"):
        models.register("a/b", Squared, defaults=FIELDS, layer_count=None)


def test_a_model_of_ones_own_is_built_counted_and_trained(own_registries, toy):
    models.register(
        "Squared",
        Squared,
        defaults={"activation": "tanh", "batch_norm": False},
        layer_count=counting.LAYER_COUNTERS["MLP"],
    )
    specs = [RunSpec(dataset="toy", model="Squared", widths=(6,), epochs=8, lr=lr) for lr in (1e-2, 1e-3)]
    assert specs[0].activation == "tanh"
    first, second = fit.train(specs, toy())
    assert first["model"] == "Squared"
    assert first["parameters"] == first["live_parameters"] == (8 + 1) * 6 + (6 + 1) * 2
    assert first["flops"] == 2 * 8 * 6 + 6 * 6 + 2 * 6 * 2 + 6 * 2
    curve = first["curves"]["batch_loss"]
    assert curve[-1] < 0.9 * curve[0]
    assert first["curves"] == fit.train(specs[:1], toy())[0]["curves"]
    assert second["test_metric_last"] != first["test_metric_last"]


def test_what_is_registered_in_a_test_is_gone_after_it():
    assert "Squared" not in networks.FAMILIES
    with pytest.raises(InputError, match="unknown model 'Squared'"):
        RunSpec(dataset="toy", model="Squared", widths=(6,))


@pytest.mark.parametrize("form", ["compiled", "plain"])
@pytest.mark.parametrize(
    ("dtype", "kind"), itertools.product([torch.float32, torch.float64], [*KINDS, {"model": "LocalBasis"}])
)
def test_nan_in_an_input_stays_in_its_row_and_run(kind, dtype, form):
    own = shape_of_kind(kind)
    network = networks.FAMILIES[own.family]([own] * 3).to(dtype).eval()
    network.reset(generators([1, 2, 3]))
    x = torch.rand(3, 6, 2, generator=torch.Generator().manual_seed(0), dtype=dtype)
    spoilt = x.clone()
    spoilt[1, 4, 0] = float("nan")
    with torch.no_grad(), compiled.plain() if form == "plain" else contextlib.nullcontext():
        y, found = network(x), network(spoilt)
    assert found[1, 4].isnan().all()
    found[1, 4] = y[1, 4]
    assert torch.equal(found, y)


def shape_of_kind(kind):
    fields = {"grid": 5, "order": 3, "shortcut": "silu", "activation": "relu"} | kind
    family = fields.pop("model")
    return models.Shape(family=family, widths=(2, 1) if family == "LocalBasis" else (2, 4, 3), **fields)
