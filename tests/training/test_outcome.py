import math
from dataclasses import replace

import pytest
import torch
from helpers import spec

from kanbefair.data.task import make_task, together
from kanbefair.training import fit, outcome
from kanbefair.training.outcome import AT_CHANCE, DIVERGED, DONE, constant_answer

NAN = math.nan


def task_of(y_train, y_test):
    """A task under `published`, whose whole first part is trained on."""
    parts = [(torch.zeros(len(y), 1), torch.tensor(y)) for y in (y_train, y_test)]
    return make_task("told", "tabular", "published", *parts)


def test_the_constant_answer_of_classes_is_the_largest_one():
    task = task_of([2, 2, 2, 0, 1], [0, 0, 0, 2])
    assert [constant_answer(task, part).item() for part in ("train", "test")] == [60, 75]
    assert constant_answer(task_of([1, 0, 0, 1], [0, 1, 1]), "test").item() == pytest.approx(200 / 3)


def test_the_constant_answer_of_numbers_is_the_mean_of_each_output():
    task = task_of([[0.0, 1.0], [0.0, 3.0], [3.0, 5.0]], [[2.0, 3.0], [4.0, 0.0]])
    squares = {"train": (1 + 1 + 4 + 4 + 0 + 4) / 6, "test": (1 + 1 + 1.5**2 + 1.5**2) / 4}
    for part, square in squares.items():
        assert constant_answer(task, part).item() == pytest.approx(math.sqrt(square))


def test_runs_with_targets_of_their_own_have_a_constant_answer_each():
    tasks = [task_of([[0.0], [2.0]], [[1.0], [4.0]]), task_of([[10.0], [30.0]], [[20.0], [20.0]])]
    whole = together([tasks[0], tasks[1], tasks[0]])
    assert constant_answer(whole, "train").tolist() == [1, 10, 1]
    assert constant_answer(whole, "test").tolist() == [1.5, 0, 1.5]


@pytest.mark.parametrize(
    ("metric", "diverged", "compared", "expected"),
    [
        ("accuracy", False, [(60.0, 60.0), (25.0, 25.0)], AT_CHANCE),
        ("accuracy", False, [(60.0, 60.0), (25.1, 25.0)], DONE),
        ("accuracy", False, [(100.0, 60.0), (25.0, 25.0)], DONE),
        ("accuracy", False, [(10.0, 60.0), (0.0, 25.0)], AT_CHANCE),
        ("accuracy", True, [(100.0, 60.0), (90.0, 25.0)], DIVERGED),
        ("accuracy", False, [(NAN, 60.0), (25.0, 25.0)], DONE),
        ("mae", False, [(1.0, 1.0), (2.0, 2.0)], AT_CHANCE),
        ("mae", False, [(1.0, 1.0), (1.9999999, 2.0)], AT_CHANCE),
        ("mae", False, [(1.0, 1.0), (1.999, 2.0)], DONE),
        ("mae", False, [(0.5, 1.0), (9.0, 2.0)], DONE),
        ("mae", False, [(5.0, 1.0), (9.0, 2.0)], AT_CHANCE),
        ("mae", True, [(NAN, 1.0), (NAN, 2.0)], DIVERGED),
    ],
)
def test_a_run_is_at_chance_if_it_beats_the_constant_predictor_nowhere(metric, diverged, compared, expected):
    assert outcome.outcome(metric, diverged, compared) == expected


@pytest.mark.parametrize("protocol", ["fair", "published"])
@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_a_network_that_answers_a_constant_is_at_chance(toy, trained, kind, protocol):
    """Inputs that are all 0 leave it nothing else; with the inputs as they are it learns, or diverges if steps are large."""
    task = toy(kind, protocol)
    blind = replace(task, **{f"x_{part}": task.part(part)[0] * 0 for part in ("train", "valid", "test")})
    runs = [spec(lr=lr, protocol=protocol, epochs=30) for lr in (0.03, 0.01, 1e25)]
    for curve in (True, False):
        records = fit.train(runs[:2], blind, train_curve=curve)
        answers = trained[-1](blind.x_test)[:2]
        assert torch.equal(answers, answers[:, :1].expand_as(answers))
        assert [record["outcome"] for record in records] == [AT_CHANCE, AT_CHANCE]
        assert [record["outcome"] for record in fit.train(runs, task, train_curve=curve)] == [DONE, DONE, DIVERGED]


def test_what_is_judged_is_the_epoch_that_the_protocol_reports(toy):
    """Right answers in validation are wrong ones in training and test: the network is best before it learns."""
    task = toy("classes")
    wrong = (task.y_valid + 1) % 3
    runs = [spec(epochs=30, lr=lr) for lr in (0.03, 1e-9)]
    learned, not_yet = fit.train(runs, replace(task, y_valid=wrong))
    for record in (learned, not_yet):
        figures = [(record[f"{part}_metric_selected"], constant_answer(task, part).item()) for part in ("train", "test")]
        better = any(found > constant for found, constant in figures)
        assert record["outcome"] == (DONE if better else AT_CHANCE)
    assert learned["train_metric_last"] > 60 and learned["epoch_selected"] < 30


def test_a_run_that_has_only_learned_its_training_part_is_done():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 8, generator=generator), torch.arange(40) % 2
    task = make_task("upside down", "tabular", "published", (x, y), (x, 1 - y))
    (record,) = fit.train([spec(protocol="published", widths=(30,), epochs=300, lr=0.01)], task)
    assert record["train_metric_last"] == 100 and record["test_metric_last"] == 0
    assert record["outcome"] == DONE


def test_each_run_of_a_stack_is_compared_with_its_own_targets(toy):
    task = toy("numbers", "published")
    flat = replace(task, y_train=task.y_train * 0 + 5, y_test=task.y_test * 0 + 5)
    runs = [spec(dataset=name, protocol="published", epochs=30, lr=0.03) for name in ("flat", "toy")]
    assert [record["outcome"] for record in fit.train(runs, together([flat, task]))] == [AT_CHANCE, DONE]
