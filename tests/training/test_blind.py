"""Runs that do not read the test part, and those that choose their epoch by the root mean square error."""

from dataclasses import replace

import pytest
import torch

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec
from kanbefair.training import train

CLASSES = RunSpec(dataset="WineRecognition", model="MLP", widths=(6,), epochs=5, lr=1e-2)
NUMBERS = RunSpec(dataset="Special_jv", model="MLP", widths=(6,), epochs=12, lr=3e-2)


@pytest.mark.parametrize("spec", [CLASSES, NUMBERS])
def test_a_blind_run_is_the_same_run_without_any_figure_of_the_test_part(spec):
    task = load(spec.dataset)
    (seeing,), (blind,) = train([spec], task), train([replace(spec, blind=True)], task)
    figures = {name for name in seeing if name.startswith("test_") or name.endswith("_best")}
    assert figures and not figures & set(blind)
    assert not any(name.startswith("test") for name in blind["curves"])
    same = [name for name in seeing if name.endswith(("_selected", "_last")) and not name.startswith("test_")]
    assert len(same) > 8
    assert {name: blind[name] for name in same} == {name: seeing[name] for name in same}


@pytest.mark.parametrize("spec", [CLASSES, NUMBERS])
def test_no_value_of_the_test_part_reaches_a_blind_run(spec):
    task = load(spec.dataset)
    spec = replace(spec, blind=True)
    other = replace(task, x_test=torch.full_like(task.x_test, 1e3), y_test=task.y_test.flip(0))
    first, second = train([spec], task)[0], train([spec], other)[0]
    timed = ("train_seconds", "run_seconds")
    assert {name: value for name, value in first.items() if name not in timed} == {
        name: value for name, value in second.items() if name not in timed
    }


def test_epochs_are_chosen_by_the_root_mean_square_error_where_that_is_asked_for():
    task = load("Special_jv")
    (record,) = train([replace(NUMBERS, selection="rmse")], task)
    curves = record["curves"]
    assert record["epoch_selected"] == 1 + min(range(12), key=curves["valid_rmse"].__getitem__)
    assert record["test_rmse_selected"] == curves["test_rmse"][record["epoch_selected"] - 1]
    with pytest.raises(InputError, match="needs numbers as targets"):
        train([replace(CLASSES, selection="rmse")], load("WineRecognition"))


def test_blind_needs_a_validation_part():
    with pytest.raises(InputError, match="use 'fair'"):
        replace(CLASSES, blind=True, protocol="published")
