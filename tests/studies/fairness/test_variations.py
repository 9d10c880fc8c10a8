import itertools
from dataclasses import replace

import numpy
import pytest

from kanbefair.data import load
from kanbefair.studies.fairness import design, variations
from kanbefair.studies.fairness.datasets import DATASETS
from kanbefair.studies.fairness.variations import TO_RUN, VARIATIONS


def cell(name, family="KAN"):
    return design.Cell(DATASETS[name], load(name), family, "values", 1)


@pytest.fixture(scope="module")
def wine():
    return cell("WineRecognition")


def frozen(own):
    return design.frozen(own.tries[0].spec, own.entry, own.task)[0]


def test_the_expected_best_is_the_mean_over_all_subsets():
    values = numpy.array([3.0, -1.0, 7.0, 2.0, 2.0])
    for number in range(1, 6):
        expected = numpy.mean([max(own) for own in itertools.combinations(values, number)])
        assert variations.expected_best(values, number) == pytest.approx(expected)


def test_each_choice_changes_its_settings_alone(wine):
    spec = frozen(wine)
    ends = {"half": (-1.5, 1.5), "double": (-6.0, 6.0)}
    expected = {
        "epochs": {"halved": replace(spec, epochs=spec.epochs // 2), "doubled": replace(spec, epochs=2 * spec.epochs)},
        "range": {value: replace(spec, grid_range=own) for value, own in ends.items()},
        "start": {value: replace(spec, start=value) for value in ("paper", "pykan", "power_law")},
    }
    for name, own in expected.items():
        assert {value: TO_RUN[name].change(spec, wine, value) for value in TO_RUN[name].choices} == own
    plain = cell("WineRecognition", "MLP")
    assert all(
        TO_RUN[name].change(frozen(plain), plain, v) == frozen(plain) for name in ("start", "range") for v in expected[name]
    )


def test_lbfgs_takes_steps_of_all_rows_and_as_many_passes(wine):
    spec = replace(frozen(wine), weight_decay=0.01, schedule="cosine", epochs=200)
    found = TO_RUN["optimizer"].change(spec, wine, "lbfgs")
    assert (found.lr, found.epochs, found.batch_size) == (1, 10, len(wine.task.x_train))
    assert (found.weight_decay, found.schedule, found.widths) == (None, None, spec.widths)
    assert TO_RUN["optimizer"].change(spec, wine, "sgd") == replace(spec, optimizer="sgd")
    images = cell("MNIST1D")
    assert TO_RUN["optimizer"].change(frozen(images), images, "sgd") is None


def test_fewer_rows_are_trained_on_as_a_dataset_of_so_many(wine):
    spec = frozen(wine)
    found = TO_RUN["rows"].change(spec, wine, "30")
    # 1,500 steps of one batch of 32 would be 1,500 epochs; 300 are the most
    assert (found.rows, found.batch_size, found.epochs) == (30, 32, 300)
    assert TO_RUN["rows"].change(spec, wine, "300") is None
    formula = cell("Special_lpmv0")
    found = TO_RUN["rows"].change(frozen(formula), formula, "300")
    assert (found.rows, found.batch_size, found.epochs) == (300, 128, 300)


def test_names_are_those_of_the_registry():
    assert all(own.name == name and own.choices for name, own in VARIATIONS.items())
    assert set(VARIATIONS) - set(TO_RUN) == {"epoch", "tries"}
