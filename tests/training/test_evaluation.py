import math

import pytest
import torch
from helpers import spec

from kanbefair import models
from kanbefair.data.task import make_task
from kanbefair.training import evaluation, fit


def test_metrics_are_what_the_trained_network_gives(toy, trained):
    task = toy()
    (record,) = fit.train([spec()], task)
    with torch.no_grad():
        error = trained[0].eval()(task.x_test)[0] - task.y_test
    assert record["test_metric_last"] == pytest.approx(error.abs().mean().item(), rel=1e-6)
    assert record["test_rmse_last"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-6)
    task = toy("classes")
    (record,) = fit.train([spec()], task, evaluation_rows=7)
    with torch.no_grad():
        right = trained[1].eval()(task.x_test)[0].argmax(1) == task.y_test
    assert record["test_metric_last"] == pytest.approx(100 * right.double().mean().item())


@pytest.mark.parametrize(("widths", "rows"), [((4,), 512), ((40, 64), 256), ((1000,), 128)])
def test_the_wider_a_network_the_fewer_rows_are_evaluated_at_once(toy, widths, rows):
    task = toy("classes")
    assert {evaluation.evaluation_block(models.build([spec(widths=widths)] * runs, task), task) for runs in (1, 9)} == {rows}


class Answers:
    """A stack of networks that answer row x with what they are told to: (S, rows, outputs)."""

    def __init__(self, answers):
        self.answers = torch.tensor(answers, dtype=torch.float32)
        self.runs = len(answers)

    def eval(self):
        return self

    def __call__(self, x):
        return self.answers[:, x[:, 0].long()]


def answered(answers, y):
    """The metrics of a stack that gives these answers to the rows of the test part, two of which are evaluated at once."""
    x = torch.arange(len(y)).float().unsqueeze(1)
    task = make_task("told", "tabular", "published", (x, y), (x, y))
    found = evaluation.evaluate(Answers(answers), task, "test", 2)
    return {name: values.tolist() for name, values in found.items()}


NAN, INFINITE = math.nan, math.inf


def test_an_answer_of_nan_is_no_answer_whatever_the_row():
    sure, unsure = [9.0, 0.0], [0.0, 0.0]
    runs = [
        [sure, sure, unsure],
        [sure, sure, [NAN, 0.0]],
        [[0.0, NAN], sure, sure],
        [sure, [NAN, NAN], sure],
        [sure, [INFINITE, 0.0], sure],
        [sure, [0.0, INFINITE], sure],
        [sure, [-INFINITE, -INFINITE], sure],
    ]
    found = answered(runs, torch.tensor([0, 0, 1]))
    assert found["metric"][0] == pytest.approx(200 / 3)
    assert found["loss"][0] == pytest.approx((2 * math.log1p(math.exp(-9)) + math.log(2)) / 3, rel=1e-3)
    for name in ("metric", "loss"):
        assert [math.isnan(value) for value in found[name]] == [False, True, True, True, True, True, True], name


def test_finite_answers_count_where_only_the_loss_overflows():
    far = [3e38, -3e38]
    found = answered([[far, far, far], [[0.0, -INFINITE]] * 3], torch.tensor([0, 0, 1]))
    assert found["metric"] == pytest.approx([200 / 3, 200 / 3])
    assert found["loss"] == [INFINITE, INFINITE]


def test_an_infinite_number_is_no_answer_and_a_large_one_is():
    y = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    right = y.tolist()
    answers = [right, *([*right[:2], [value, 6.0]] for value in (NAN, INFINITE, -INFINITE, 1e30))]
    found = answered(answers, y)
    assert found["metric"][0] == found["rmse"][0] == 0
    assert all(math.isnan(found[name][run]) for name in found for run in (1, 2, 3))
    assert found["metric"][4] == pytest.approx(1e30 / 6)
    assert found["rmse"][4] == INFINITE
