"""Answers for accuracies and for errors: every table is made once as accuracies and once as errors 10^−accuracy, so that
the same numbers must come out. Each model has a good and a bad try, far apart."""

import math

import pytest
from helpers import runs_of
from scipy.stats import t as student

from kanbefair.report import statistics

BOTH = pytest.mark.parametrize("metric", ["accuracy", "mae"])
HALF = student.ppf(0.975, 2) / math.sqrt(3)
"""Half the interval of three values that are 1 apart."""


def told(rows, metric="accuracy", protocol="fair"):
    """Rows (dataset, model, seed, parameters, validation, test), all quality: higher is better."""
    turned = [(*row[:4], *(value if metric == "accuracy" else 10.0**-value for value in row[4:])) for row in rows]
    return runs_of(turned, protocol=protocol, metric=metric)


def quality(score, metric):
    return score if metric == "accuracy" else -math.log10(score)


def steps(table, metric):
    found = statistics.envelope(table, "parameters")
    return [(row.budget, pytest.approx(quality(row.score, metric))) for row in found.itertuples()]


TRIES = [
    ("A", "KAN", 1, 10, 1.0, 1.5),
    ("A", "KAN", 1, 20, -3.0, 9.0),  # the best test, which no one could have known
    ("A", "KAN", 1, 30, 2.0, 0.5),
    ("A", "KAN", 1, 40, 1.5, 4.0),
    ("A", "KAN", 1, 50, 5.0, 6.0),
]


@BOTH
def test_an_envelope_goes_from_better_to_better(metric):
    assert steps(told(TRIES, metric), metric) == [(10, 1.5), (30, 0.5), (50, 6.0)]


@BOTH
def test_a_published_envelope_goes_by_the_test_metric(metric):
    assert steps(told(TRIES, metric, "published"), metric) == [(10, 1.5), (20, 9.0)]


@BOTH
def test_gains_are_means_over_budgets_of_the_best_tries(metric):
    rows = [
        ("A", "KAN", 1, 10, 1.0, 1.0),
        ("A", "KAN", 1, 150, 3.0, 3.0),
        ("A", "KAN", 1, 500, -4.0, -4.0),
        ("A", "KAN", 1, 1000, -5.0, 8.0),
        ("A", "MLP", 1, 10, 2.0, 2.5),
        ("A", "MLP", 1, 1000, 1.0, -6.0),
    ]
    # of 25 budgets from 10 to 1000 the first 15 are below 150
    assert 10 * 100 ** (14 / 24) < 150 < 10 * 100 ** (15 / 24)
    table = statistics.gains(told(rows, metric), "parameters")
    assert table["gain"].tolist() == [pytest.approx((15 * (1 - 2.5) + 10 * (3 - 2.5)) / 25)]
    turned = statistics.gains(told(rows, metric), "parameters", ("MLP", "KAN"))
    assert turned["gain"].tolist() == [pytest.approx(-table["gain"][0])]


def apart(difference, datasets, metric, spread=1.0, along=0.0):
    """KAN over MLP by `difference`, `spread` more per seed, `along` more per dataset; each model has a bad try too, before
    and after the good one."""
    rows = []
    for place, dataset in enumerate(datasets):
        for seed in (1, 2, 3):
            ahead = difference + spread * (seed - 2) + along * place
            for model, level, bad in (("KAN", 1 + ahead, -60), ("MLP", 1, -40)):
                for size, value in ((10, bad), (10, level), (100, level), (100, bad)):
                    rows.append((dataset, model, seed, size, value, value))
    return told(rows, metric)


@BOTH
@pytest.mark.parametrize(("difference", "label"), [(9, "KAN"), (-9, "MLP"), (1, "undecided"), (-1, "undecided")])
def test_the_label_is_the_model_on_whose_side_the_interval_lies(difference, label, metric):
    for row in statistics.verdict(apart(difference, "A", metric), "any").itertuples():
        assert (row.label, row.metric, row.interval_over, row.tries_KAN) == (label, metric, "seed", 4)
        assert (row.gain, row.low, row.high) == tuple(pytest.approx(difference + d) for d in (0, -HALF, HALF))


@BOTH
@pytest.mark.parametrize("datasets", ["ABCD", "ABCDE"])
def test_from_five_datasets_on_the_interval_is_over_datasets(datasets, metric):
    row = statistics.verdict(apart(9, datasets, metric, along=0.5), "any").iloc[0]
    count = len(datasets)
    mean = 9 + 0.5 * (count - 1) / 2
    # five numbers that are 1/2 apart have variance 10/4 · 1/4
    half = HALF if count == 4 else student.ppf(0.975, 4) * math.sqrt(10 / 16) / math.sqrt(5)
    assert (row["interval_over"], row["units"], row["datasets"]) == (("seed", 3) if count == 4 else ("dataset", 5)) + (count,)
    assert (row["gain"], row["low"], row["high"]) == tuple(pytest.approx(mean + d) for d in (0, -half, half))


@BOTH
def test_the_unit_of_the_interval_can_be_given(metric):
    rows = statistics.verdict(apart(9, "ABCDE", metric), "any", unit="seed", budgets=("flops",))
    assert rows[["budget", "interval_over", "units"]].to_numpy().tolist() == [["flops", "seed", 3]]
    assert rows["low"].tolist() == [pytest.approx(9 - HALF)]


@BOTH
@pytest.mark.parametrize(("first", "label"), [(18, "KAN"), (-2, "MLP"), (4, "undecided"), (12, "undecided")])
def test_over_datasets_the_label_names_who_is_better_on_most(first, label, metric):
    # the gain falls by 4 from dataset to dataset: half the interval is 2.7764 · √40 ∕ √5 = 7.853
    table = statistics.verdict(apart(first, "ABCDE", metric, along=-4.0), "any")
    assert table["label"].tolist() == [label, label]
    assert table["low"].tolist() == [pytest.approx(first - 8 - 7.853, abs=1e-3)] * 2


@BOTH
@pytest.mark.parametrize("difference", [3, -3])
def test_matched_budgets_show_the_best_tries(difference, metric):
    table = statistics.matched(apart(difference, "A", metric, spread=0.0), points=2)
    assert table["at"].tolist() == pytest.approx([10, 100, 100, 1000])
    for row in table.itertuples():
        assert (quality(row.KAN, metric), quality(row.MLP, metric)) == (pytest.approx(1 + difference), pytest.approx(1))
        assert row.gain == pytest.approx(difference)


@BOTH
def test_the_interval_of_a_matched_gain_is_over_seeds(metric):
    for row in statistics.matched(apart(3, "A", metric), points=2).itertuples():
        assert (row.gain, row.gain_low, row.gain_high) == tuple(pytest.approx(3 + d) for d in (0, -HALF, HALF))


@BOTH
def test_matched_budgets_take_the_larger_network_from_its_size_on(metric):
    rows = [(model, size, level) for model in ("KAN", "MLP") for size, level in ((10, 1.0), (100, 2.0 + (model == "KAN")))]
    table = statistics.matched(told([("A", model, 1, size, level, level) for model, size, level in rows], metric), points=3)
    assert table["gain"].tolist() == pytest.approx([0, 0, 1] * 2)


@BOTH
@pytest.mark.parametrize("protocol", ["fair", "published"])
def test_the_best_of_a_model_is_the_mean_over_datasets_of_its_best_try(protocol, metric):
    rows = [
        ("A", "KAN", 1, 10, 1.0, 1.0),
        ("A", "KAN", 1, 20, -7.0, -2.0),
        ("B", "KAN", 1, 10, -8.0, -3.0),
        ("B", "KAN", 1, 20, 3.0, 3.0),
        ("A", "MLP", 1, 20, -1.0, -1.0),
        ("B", "MLP", 1, 20, 5.0, 5.0),
    ]
    table = statistics.best(told(rows, metric, protocol)).set_index("model")
    assert {name: quality(score, metric) for name, score in table["score"].items()} == {
        "KAN": pytest.approx(2.0),
        "MLP": pytest.approx(2.0),
    }


@BOTH
def test_the_best_try_goes_by_validation(metric):
    rows = [("A", "KAN", 1, 10, 2.0, 1.0), ("A", "KAN", 1, 20, 1.0, 4.0), ("A", "KAN", 1, 30, -2.0, 9.0)]
    (row,) = statistics.best(told(rows, metric)).itertuples()
    assert quality(row.score, metric) == pytest.approx(1.0)


@BOTH
def test_the_interval_of_the_best_is_over_seeds(metric):
    rows = [
        (dataset, "KAN", seed, size, level + seed, level + seed)
        for dataset, levels in (("A", (-1, -9)), ("B", (-30, 1)))
        for seed in (1, 2, 3)
        for size, level in zip((10, 20), levels, strict=True)
    ]
    (row,) = statistics.best(told(rows, metric)).itertuples()
    # the means of A and B are 1, 2 and 3 in the three seeds
    ends = sorted(quality(value, metric) for value in (row.low, row.high))
    assert (quality(row.score, metric), *ends) == tuple(pytest.approx(2 + d) for d in (0, -HALF, HALF))


def test_equal_errors_are_not_told_apart_by_a_loss():
    table = runs_of([("A", "KAN", 1, 10, 0.5, 0.1), ("A", "KAN", 1, 20, 0.5, 0.2)], metric="mae")
    chosen = statistics.scored(table.assign(valid_loss_selected=[1.0, 9.0]))["choice"]
    assert chosen.tolist() == [0.5, 0.5]
