"""The loop over a stream: its stacks, its optimisers, its records."""

import math
from dataclasses import replace

import numpy
import pytest

from kanbefair import sweep, training
from kanbefair.data import load
from kanbefair.data.task import PARTS
from kanbefair.training.continual.loop import train
from kanbefair.training.continual.spec import ContinualSpec

KAN = {"model": "KAN", "widths": (3,), "grid": 3}


@pytest.mark.parametrize("kind", [{}, KAN, {"strategy": "ewc", "strength": 10.0}, {"strategy": "replay", "buffer": 20}])
def test_a_run_does_not_depend_on_its_stack(digits, kind, spec):
    specs = [spec(**kind, seed=seed, lr=lr) for seed, lr in ((1, 1e-2), (2, 1e-3), (3, 1e-2))]
    together = train(specs, digits)
    alone = train(specs[1:2], digits)[0]
    same = ("test_average", "test_forgetting", "valid_average", "test_2_1", "test_3_3")
    assert [together[1][name] for name in same] == pytest.approx([alone[name] for name in same], abs=1e-9)


def test_optimizer_state_matters_and_lbfgs_runs(digits, spec, matrix):
    carried, reset = (train([spec(optimizer_state=state)], digits)[0] for state in ("carried", "reset"))
    assert matrix(carried)[0].tolist() == matrix(reset)[0].tolist()
    assert not numpy.array_equal(matrix(carried), matrix(reset))
    lbfgs = train([spec(optimizer="lbfgs", lr=0.1, batch_size=1000, seed=seed) for seed in (1, 2)], digits)
    assert all(record["test_learned"] > 80 for record in lbfgs)


def test_a_diverged_run_is_recorded_and_harms_no_neighbour(digits, spec):
    kind = {"model": "MLP", "activation": "square_relu", "widths": (16, 16, 16)}
    fine, broken = train([spec(**kind), spec(**kind, lr=1e6)], digits)
    assert math.isnan(broken["test_average"]) and fine["test_average"] > 0


@pytest.mark.parametrize("network", [{}, {"batch_norm": True}, KAN])
def test_answers_of_nan_after_a_task_have_no_accuracy(digits, network, spec, matrix):
    """The only step of the first task makes them so; its batch had a finite loss."""
    fine, lost = train([spec(**network, epochs=1, batch_size=500, lr=lr) for lr in (1e-2, 1e30)], digits)
    assert numpy.isnan(matrix(lost)).all() and lost["outcome"] == "diverged"
    assert all(
        math.isnan(lost[f"{part}_{name}"]) for part in ("valid", "test") for name in ("average", "learned", "forgetting")
    )
    assert not numpy.isnan(matrix(fine)).any() and fine["outcome"] != "diverged"


def test_a_stream_of_which_no_task_is_learned_is_at_chance(digits, spec):
    """Without inputs the network can only answer a constant: half of two classes, and the mean of a peak."""
    blind = replace(digits, **{f"x_{part}": digits.part(part)[0] * 0 for part in PARTS})
    assert [train([spec()], task)[0]["outcome"] for task in (digits, blind)] == ["done", "at chance"]
    peaks = load("Peaks_1d")
    kind = {"dataset": "Peaks_1d", "stream": "peaks", "groups": None, "epochs": 40}
    blind = [replace(own, **{f"x_{part}": own.part(part)[0] * 0 for part in PARTS}) for own in spec(**kind).tasks_of(peaks)]
    assert train([spec(**kind)], peaks)[0]["outcome"] == "done"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ContinualSpec, "tasks_of", lambda own, task: blind)
        assert train([spec(**kind)], peaks)[0]["outcome"] == "at chance"


def test_a_second_sweep_trains_nothing_and_the_table_is_tidy(tmp_path, digits, monkeypatch, spec):
    specs = [spec(seed=1), spec(seed=2, strategy="joint")]
    first = sweep.run(specs, runs=tmp_path, workers=1, progress=False)
    monkeypatch.setattr(training, "train", None)
    second = sweep.run(specs, runs=tmp_path, workers=1, progress=False)
    assert first.equals(second)
    assert set(first["groups"]) == {"0 1 | 2 3 | 4 5"} and set(first["stream_name"]) == {"3 × 2 classes"}
    assert {"test_3_1", "valid_average", "live_parameters", "commit"} <= set(first.columns)


def test_on_one_dimension_local_knots_forget_nothing_and_a_base_branch_forgets():
    task = load("Peaks_1d")
    common = {
        "dataset": "Peaks_1d",
        "stream": "peaks",
        "model": "KAN",
        "widths": (),
        "grid": 100,
        "epochs": 40,
        "lr": 0.03,
        "optimizer_state": "reset",
        "batch_size": 32,
    }
    local = train([ContinualSpec(**common, shortcut="zero", without=("scale", "bias"))], task)[0]
    based = train([ContinualSpec(**common, shortcut="silu", without=("scale", "bias"))], task)[0]
    assert local["overlap"] < 0.02
    assert local["test_learned"] < 0.02 and local["test_forgetting"] < 0.003
    assert based["test_learned"] < 0.02 and based["test_forgetting"] > 0.03
    assert len(local["curves"]["picture"]) == 5 and len(local["curves"]["picture"][0]) == 201
