import math

import numpy
import pandas
import pytest
import torch
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import balanced_accuracy_score, root_mean_squared_error

from kanbefair.data import load
from kanbefair.studies.fairness import choice


def tries(metric, valid, loss=None, outcome=None):
    rows = len(valid)
    cell = {"dataset": "d", "family": "KAN", "budget_kind": "values", "level": 1, "metric": metric}
    table = pandas.DataFrame({"valid": valid, "trial": range(rows)}).assign(**cell)
    return table.assign(valid_loss=loss or [math.nan] * rows, outcome=outcome or ["done"] * rows)


@pytest.mark.parametrize(
    ("metric", "valid", "loss", "outcome", "best"),
    [
        ("accuracy", [70.0, 90.0, 80.0], None, None, 1),
        ("mae", [0.7, 0.9, 0.8], None, None, 0),
        ("accuracy", [90.0, 90.0, 90.0], [0.3, 0.1, 0.2], None, 1),
        ("accuracy", [90.0, 90.0], [0.3, 0.3], None, 0),
        ("accuracy", [90.0, 70.0], None, ["failed", "done"], 1),
        ("accuracy", [90.0, 70.0], None, ["at chance", "done"], 1),
        ("mae", [math.nan, 5.0], None, ["diverged", "done"], 1),
        ("mae", [math.nan, math.nan], None, ["failed", "failed"], 0),
    ],
)
def test_the_choice_is_the_best_by_validation(metric, valid, loss, outcome, best):
    chosen = choice.chosen(tries(metric, valid, loss, outcome))
    assert chosen.sum() == 1 and chosen.iloc[best]


def test_one_is_chosen_in_every_cell():
    both = pandas.concat([tries("accuracy", [1.0, 2.0]), tries("accuracy", [4.0, 3.0]).assign(level=2)], ignore_index=True)
    assert choice.chosen(both).tolist() == [False, True, True, False]


@pytest.mark.parametrize("name", ["WineRecognition", "Diabetes"])
def test_the_constant_predictor_is_scikit_learns(name):
    task = load(name)
    x, y, x_test, y_test = (getattr(task, part).numpy() for part in ("x_train", "y_train", "x_test", "y_test"))
    if task.metric == "accuracy":
        expected = 100 * DummyClassifier().fit(x, y).score(x_test, y_test)
    else:
        expected = root_mean_squared_error(y_test.ravel(), DummyRegressor().fit(x, y.ravel()).predict(x_test))
    assert choice.constant(task) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("found", "outcome", "expected"),
    [
        (90.0, "done", 90.0),
        (90.0, "diverged", 90.0),
        (90.0, "failed", 60.0),
        (55.0, "at chance", 60.0),
        (None, "diverged", 60.0),
    ],
)
def test_what_failed_scores_as_the_constant_predictor(found, outcome, expected):
    assert choice.score(found, outcome, 60.0) == expected
    assert choice.score(math.nan if found is None else found, outcome, 60.0) == expected


def test_balanced_accuracy_is_scikit_learns():
    y = torch.randint(0, 4, (200,), generator=torch.Generator().manual_seed(0)).numpy()
    found = numpy.where(numpy.arange(200) % 3, y, 0)
    assert choice.balanced(found == y, y) == pytest.approx(100 * balanced_accuracy_score(y, found))


@pytest.mark.parametrize(
    ("curve", "metric", "late"),
    [
        ([50.0] * 18 + [50.4, 50.5], "accuracy", False),
        ([50.0] * 18 + [50.4, 50.6], "accuracy", True),
        ([50.0] * 17 + [60.0, 55.0, 59.0], "accuracy", False),
        ([1.0] * 18 + [0.95, 0.92], "mae", False),
        ([1.0] * 18 + [0.95, 0.90], "mae", True),
        ([None] * 20, "accuracy", False),
        ([50.0, None] + [51.0] * 8, "accuracy", False),
    ],
)
def test_late_gains_are_those_above_the_margin_in_the_last_tenth(curve, metric, late):
    assert choice.gains_late(curve, metric, 1000) is late


def test_one_validation_row_is_no_late_gain():
    assert choice.gains_late([50.0] * 18 + [50.0, 53.0], "accuracy", 30) is False
    assert choice.gains_late([50.0] * 18 + [50.0, 54.0], "accuracy", 30) is True
