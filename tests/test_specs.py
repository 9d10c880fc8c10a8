import json
from dataclasses import fields, replace

import numpy
import pytest

from kanbefair.errors import InputError
from kanbefair.specs import MODEL_FIELDS, OPTIONAL_FIELDS, RunSpec, at_least_one, grid

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


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lr", (1e-3, numpy.float32(1e-3), numpy.float64(1e-3), numpy.float16(1e-3))),
        ("lr", (1, 1.0, numpy.int64(1))),
        ("seed", (3, numpy.int64(3), numpy.uint8(3))),
        ("widths", ((5, 6), [5, 6], range(5, 7), numpy.array([5, 6]), (numpy.int32(5), 6))),
        ("grid_range", ((0.0, 1.0), (-0.0, 1), [0, 1], numpy.array([0, 1], dtype=numpy.float32))),
        ("without", (("bias", "scale"), ["scale", "bias"], ("bias", "bias", "scale"))),
    ],
)
def test_one_value_is_one_key_however_it_is_written(name, values):
    specs = [RunSpec(**(KAN | {name: value})) for value in values]
    assert len({spec.key for spec in specs}) == len(set(specs)) == 1
    assert RunSpec(**MLP, batch_norm=numpy.False_).key == RunSpec(**MLP).key


@pytest.mark.parametrize(
    ("ends", "grid"),
    [
        ((-1e300, 1e300), 5),
        ((-3e38, 3e38), 5),
        ((1e8, 1e8 + 1), 5),
        ((0, 1e-46), 5),
        ((0, 1e-40), 5),
        ((1, 1.0000000001), 5),
        ((1, 1 + 2**-20), 9),
    ],
)
def test_a_grid_range_whose_steps_float32_does_not_hold_is_refused(ends, grid):
    with pytest.raises(InputError, match=f"grid range is .*, where a grid of {grid} has no steps that float32 tells apart"):
        RunSpec(**KAN, grid_range=ends, grid=grid)


@pytest.mark.parametrize(("ends", "grid"), [((-1e38, 1e38), 5), ((1, 1 + 2**-20), 8), ((0, 1e-30), 20), ((-1, 1), 2**24)])
def test_a_grid_range_with_steps_in_float32_is_taken(ends, grid):
    spec = RunSpec(**KAN, grid_range=ends, grid=grid)
    low, high = numpy.float32(ends)
    knots = low + numpy.arange(min(grid, 50) + 1, dtype=numpy.float32) * ((high - low) / numpy.float32(grid))
    assert (numpy.diff(knots) > 0).all()
    assert spec.stack_key() == RunSpec(**KAN, grid=grid).stack_key()


def test_every_field_is_checked():
    assert set(RunSpec.checks) == {f.name for f in fields(RunSpec) if f.init}


def test_the_keys_are_those_of_the_records_that_are_kept():
    assert RunSpec(**KAN).key == "8e4b59cc5caba1ee"
    assert RunSpec(**MLP, lr=0.5, seed=3).key == "23a882c9136dc654"


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
        (KAN, {"grid_range": (1, -1)}, ["grid range is [1.0, -1.0]", "first below the second"]),
        (KAN, {"grid_range": (1, 1)}, ["grid range is [1.0, 1.0]", "first below the second"]),
        (KAN, {"grid_range": ()}, ["grid range is []", "two ends"]),
        (KAN, {"grid_range": (0, 1, 2)}, ["grid range is [0.0, 1.0, 2.0]", "two ends"]),
        (KAN, {"grid_range": (0, float("nan"))}, ["end of the grid range is nan", "finite number"]),
        (KAN, {"grid_range": (0, float("inf"))}, ["end of the grid range is inf", "finite number"]),
        (KAN, {"grid_range": 1}, ["grid_range is 1", "a list or a tuple"]),
        (KAN, {"grid_range": "01"}, ["grid_range is '01'", "a list or a tuple"]),
        (KAN, {"grid_range": (0, "1")}, ["end of the grid range is '1'", "finite number"]),
        (KAN, {"grid_range": (-(10**400), 1)}, ["end of the grid range is -1000", "finite number"]),
        (KAN, {"model": None}, ["unknown model 'None'", "KAN"]),
        (KAN, {"dataset": None}, ["dataset is None", "a name"]),
        (KAN, {"dataset": ""}, ["dataset is ''", "a name"]),
        (KAN, {"dataset": 3}, ["dataset is 3", "a name"]),
        (KAN, {"protocol": None}, ["unknown protocol 'None'", "published, fair"]),
        (KAN, {"loss": 5}, ["unknown loss '5'", "mse"]),
        (KAN, {"loss": numpy.ones(2)}, ["unknown loss", "mse"]),
        (KAN, {"widths": 5}, ["widths is 5", "a list or a tuple"]),
        (KAN, {"widths": "10"}, ["widths is '10'", "a list or a tuple"]),
        (KAN, {"widths": None}, ["widths is None", "a list or a tuple"]),
        (KAN, {"widths": numpy.array(5)}, ["widths is array(5)", "a list or a tuple"]),
        (KAN, {"widths": (10**20,)}, ["layer width is 1000", "at most 2,147,483,647"]),
        (KAN, {"seed": 1.0}, ["seed is 1.0", "whole number"]),
        (KAN, {"seed": 2**32}, ["seed is 4294967296", "at most 4,294,967,295"]),
        (KAN, {"seed": numpy.array([1, 2])}, ["seed is array([1, 2])", "whole number"]),
        (KAN, {"epochs": None}, ["epochs is None", "whole number"]),
        (KAN, {"epochs": "3"}, ["epochs is '3'", "whole number"]),
        (KAN, {"batch_size": 10**21}, ["batch_size is 1000", "at most 2,147,483,647"]),
        (KAN, {"lr": "0.1"}, ["lr is '0.1'", "above 0"]),
        (KAN, {"lr": True}, ["lr is True", "above 0"]),
        (KAN, {"lr": None}, ["lr is None", "above 0"]),
        (KAN, {"lr": 10**400}, ["lr is 1000", "above 0"]),
        (KAN, {"grid": 10**8}, ["grid is 100000000", "at most 16,777,216"]),
        (KAN, {"order": 100_000}, ["order is 100000", "at most 100"]),
        (KAN, {"without": "bias"}, ["without is 'bias'", "a list or a tuple"]),
        (KAN, {"without": (3,)}, ["part to leave out is 3", "a name"]),
        (MLP, {"batch_norm": "yes"}, ["batch_norm is 'yes'", "True or False"]),
        (MLP, {"batch_norm": 1}, ["batch_norm is 1", "True or False"]),
        (MLP, {"grid": 0}, ["grid is 0", "at least 1"]),
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


def test_grid_varies_ranges_and_arrays_too():
    rates = numpy.array([1e-2, 1e-3], dtype=numpy.float32)
    made = grid(**KAN, seed=range(3), lr=rates)
    assert made == grid(**KAN, seed=[0, 1, 2], lr=[1e-2, 1e-3])


@pytest.mark.parametrize("given", [[], (), None, RunSpec(**KAN), [RunSpec(**KAN), "KAN"], {"a": 1}])
def test_what_is_no_list_of_runs_is_refused(given):
    with pytest.raises(InputError, match=r"the argument specs is .*; it must be a list of at least one RunSpec") as caught:
        at_least_one(given)
    assert "\n" not in str(caught.value)
    assert at_least_one([RunSpec(**KAN)]) == [RunSpec(**KAN)]


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


def test_values_that_say_nothing_new_leave_the_key_as_it_is():
    plain = RunSpec(dataset="Digits", model="KAN", widths=(4,))
    neutral = {
        "batch_norm": False,
        "layer_norm": False,
        "start": "paper",
        "weight_decay": 0,
        "schedule": "constant",
        "division": 0,
        "blind": False,
        "selection": "metric",
    }
    assert RunSpec(dataset="Digits", model="KAN", widths=(4,), **neutral) == plain
    assert RunSpec(dataset="Digits", model="KAN", widths=(4,), **neutral).key == plain.key == "1b5a4effd94ae9da"
    mlp = RunSpec(dataset="Digits", model="MLP", widths=(4,))
    assert RunSpec(dataset="Digits", model="MLP", widths=(4,), dropout=0, gain=1).key == mlp.key
    changed = [{"batch_norm": True}, {"start": "pykan"}, {"schedule": "cosine"}, {"division": 2}, {"rows": 30}, {"blind": True}]
    assert len({RunSpec(dataset="Digits", model="KAN", widths=(4,), **own).key for own in changed} | {plain.key}) == 7


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dropout": 1.0}, "from 0 to below 1"),
        ({"gain": 0}, "above 0"),
        ({"batch_norm": True, "layer_norm": True}, "choose one"),
        ({"optimizer": "lbfgs", "weight_decay": 0.1}, "leave them out"),
        ({"schedule": "linear"}, "schedule"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"rows": 0}, "rows"),
    ],
)
def test_training_fields_that_are_not_allowed(fields, said):
    with pytest.raises(InputError, match=said):
        RunSpec(dataset="Digits", model="MLP", widths=(4,), **fields)
