import json
from dataclasses import replace

import pytest

from kanbefair.errors import InputError
from kanbefair.specs import MODEL_FIELDS, OPTIONAL_FIELDS, RunSpec, grid

KAN = {"dataset": "Digits", "model": "KAN", "widths": (5,)}
MLP = {"dataset": "Digits", "model": "MLP", "widths": (5,)}


@pytest.mark.parametrize("model", ["KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP"])
def test_a_model_has_its_own_fields_and_no_others(model):
    spec = RunSpec(dataset="Digits", model=model, widths=(4,))
    own = {name: getattr(spec, name) for name in OPTIONAL_FIELDS if getattr(spec, name) is not None}
    assert own == {name: default for name, default in MODEL_FIELDS[model].items() if default is not None}


def test_fields_that_the_model_does_not_read_do_not_change_the_key():
    assert RunSpec(**MLP, grid=7, shortcut="zero") == RunSpec(**MLP)
    assert RunSpec(**MLP, grid=7).key == RunSpec(**MLP).key
    assert RunSpec(**KAN, activation="tanh").key == RunSpec(**KAN).key


@pytest.mark.parametrize(
    "change",
    [
        {"widths": (5, 5)},
        {"protocol": "published"},
        {"seed": 2},
        {"epochs": 3},
        {"batch_size": 7},
        {"lr": 0.5},
        {"optimizer": "sgd"},
        {"loss": "mse"},
        {"grid": 6},
        {"order": 2},
        {"shortcut": "zero"},
        {"grid_range": (-2, 2)},
    ],
)
def test_everything_that_is_read_changes_the_key(change):
    assert RunSpec(**(KAN | change)).key != RunSpec(**KAN).key


def test_equal_values_have_equal_keys_however_they_are_written():
    assert RunSpec(**(KAN | {"widths": [5]}), lr=1, grid_range=[-1, 1]).key == RunSpec(**KAN, lr=1.0).key


def test_a_spec_survives_json():
    spec = RunSpec(**KAN, lr=3e-4, grid_range=(-2, 2))
    back = RunSpec.from_dict(json.loads(json.dumps(spec.as_dict() | {"key": "x", "test_metric_last": 1.0})))
    assert back == spec
    assert back.key == spec.key


@pytest.mark.parametrize(
    ("base", "change", "words"),
    [
        (KAN, {"model": "KAM"}, ["unknown model 'KAM'", "did you mean 'KAN'", "MLP"]),
        (MLP, {"activation": "glu"}, ["unknown activation 'glu'", "gelu"]),
        (KAN, {"shortcut": "relu"}, ["unknown shortcut 'relu'", "silu, identity, zero"]),
        (KAN, {"optimizer": "adamw"}, ["unknown optimizer 'adamw'", "adam"]),
        (KAN, {"loss": "mae"}, ["unknown loss 'mae'", "mse"]),
        (KAN, {"protocol": "faire"}, ["unknown protocol 'faire'", "published, fair"]),
        (KAN, {"widths": ()}, ["widths", "at least one"]),
        (KAN, {"widths": (5, 0)}, ["layer width is 0", "at least 1"]),
        (KAN, {"widths": (-3,)}, ["layer width is -3", "at least 1"]),
        (KAN, {"widths": (2.5,)}, ["layer width is 2.5", "whole number"]),
        (KAN, {"widths": (True,)}, ["layer width is True", "whole number"]),
        (KAN, {"grid": 0}, ["grid is 0", "at least 1"]),
        (KAN, {"order": 0}, ["order is 0", "at least 1"]),
        (KAN, {"order": -1}, ["order is -1", "at least 1"]),
        (KAN, {"epochs": 0}, ["epochs is 0", "at least 1"]),
        (KAN, {"batch_size": 0}, ["batch_size is 0", "at least 1"]),
        (KAN, {"seed": -1}, ["seed is -1", "at least 0"]),
        (KAN, {"lr": 0.0}, ["lr is 0.0", "above 0"]),
        (KAN, {"lr": float("nan")}, ["lr is nan", "above 0"]),
        (KAN, {"lr": float("inf")}, ["lr is inf", "above 0"]),
        (KAN, {"grid_range": (1, -1)}, ["grid range is [1, -1]", "first below the second"]),
        (KAN, {"grid_range": (1, 1)}, ["grid range is [1, 1]", "first below the second"]),
        (KAN, {"grid_range": ()}, ["grid range is []", "two ends"]),
        (KAN, {"grid_range": (0, 1, 2)}, ["grid range is [0, 1, 2]", "two ends"]),
        (KAN, {"grid_range": (0, float("nan"))}, ["grid range is [0, nan]", "two ends"]),
        (KAN, {"grid_range": (0, float("inf"))}, ["grid range is [0, inf]", "two ends"]),
    ],
)
def test_bad_values_are_named_with_what_is_allowed(base, change, words):
    with pytest.raises(InputError) as caught:
        RunSpec(**(base | change))
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_grid_varies_lists_and_holds_the_rest():
    made = grid(**KAN, grid=[3, 5], lr=[1e-3, 1e-4], grid_range=(-2, 2))
    assert [(spec.grid, spec.lr) for spec in made] == [(3, 1e-3), (3, 1e-4), (5, 1e-3), (5, 1e-4)]
    assert {spec.grid_range for spec in made} == {(-2.0, 2.0)}
    assert [spec.widths for spec in grid(dataset="Digits", model="MLP", widths=[(5,), (5, 5)])] == [(5,), (5, 5)]


@pytest.mark.parametrize("change", [{"lr": 0.7}, {"grid_range": (-4, 4)}, {"seed": 99}, {"shortcut": "zero"}])
def test_what_runs_of_a_fair_stack_may_differ_in(change):
    assert RunSpec(**(KAN | change)).stack_key() == RunSpec(**KAN).stack_key()


@pytest.mark.parametrize(
    "change",
    [
        {"widths": (6,)},
        {"epochs": 3},
        {"batch_size": 7},
        {"optimizer": "sgd"},
        {"loss": "mse"},
        {"grid": 6},
        {"order": 2},
        {"shortcut": "identity"},
        {"protocol": "published"},
        {"model": "BSpline_MLP"},
    ],
)
def test_what_runs_of_a_stack_must_share(change):
    assert RunSpec(**(KAN | change)).stack_key() != RunSpec(**KAN).stack_key()


def test_published_runs_stack_only_within_a_seed():
    spec = RunSpec(**MLP, protocol="published", seed=1)
    assert replace(spec, lr=0.5).stack_key() == spec.stack_key()
    assert replace(spec, seed=2).stack_key() != spec.stack_key()
