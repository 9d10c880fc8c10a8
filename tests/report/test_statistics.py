import math

import numpy
import pandas
import pytest
from helpers import joined, runs_of, troubled, without_scores
from scipy.stats import t as student

from kanbefair.errors import InputError
from kanbefair.report import statistics

INFINITE = math.inf


SMALL = [
    ("A", "KAN", 1, 10, 50, 48),
    ("A", "KAN", 1, 100, 60, 61),
    ("A", "KAN", 1, 200, 55, 99),
    ("A", "KAN", 1, 1000, 70, 65),
    ("A", "MLP", 1, 100, 40, 41),
    ("A", "MLP", 1, 1000, 80, 75),
    ("A", "MLP", 1, 10_000, 90, 95),
]


def steps(table, model, budget="parameters"):
    found = statistics.envelope(table, budget)
    return [tuple(row) for row in found.loc[found["model"] == model, ["budget", "score"]].to_numpy()]


def test_fair_chooses_by_validation_and_scores_by_test():
    # the run of 200 parameters has the best test score, but no one could have known
    assert steps(runs_of(SMALL), "KAN") == [(10, 48), (100, 61), (1000, 65)]
    assert steps(runs_of(SMALL), "KAN", "flops") == [(100, 48), (1000, 61), (10_000, 65)]


def test_published_chooses_and_scores_by_the_last_epochs_test_metric():
    assert steps(runs_of(SMALL, protocol="published"), "KAN") == [(10, 48), (100, 61), (200, 99)]


def test_errors_are_better_when_lower():
    rows = [("A", "KAN", 1, 10, 0.5, 0.6), ("A", "KAN", 1, 20, 0.7, 0.1), ("A", "KAN", 1, 30, 0.4, 0.3)]
    assert steps(runs_of(rows, metric="mae"), "KAN") == [(10, 0.6), (30, 0.3)]


def test_of_equal_validation_the_smaller_network_is_kept():
    rows = [("A", "KAN", 1, 10, 50, 48), ("A", "KAN", 1, 20, 50, 99)]
    assert steps(runs_of(rows), "KAN") == [(10, 48)]


def test_of_equal_accuracy_the_lower_validation_loss_is_better_but_no_accuracy_is_given_for_it():
    table = runs_of([("A", "KAN", 1, 10, 50.0, 1), ("A", "KAN", 1, 20, 50.0, 2), ("A", "KAN", 1, 30, 50.1, 3)])
    table["valid_loss_selected"] = [0.9, 0.5, 500.0]
    assert steps(table, "KAN") == [(10, 1), (20, 2), (30, 3)]
    table["valid_loss_selected"] = [0.5, 0.9, 0.1]
    assert steps(table, "KAN") == [(10, 1), (30, 3)]


def test_diverged_runs_are_never_chosen():
    rows = [("A", "KAN", 1, 10, math.nan, math.nan), ("A", "KAN", 1, 20, 40, 41), ("A", "KAN", 1, 30, math.nan, math.nan)]
    assert steps(runs_of(rows), "KAN") == [(20, 41)]


def test_the_order_of_rows_does_not_matter():
    table = runs_of(SMALL)
    shuffled = table.sample(frac=1, random_state=0)
    pandas.testing.assert_frame_equal(statistics.envelope(table, "flops"), statistics.envelope(shuffled, "flops"))


def test_at_holds_a_score_from_its_budget_to_the_next():
    own = pandas.DataFrame({"budget": [10, 100], "score": [48.0, 61.0]})
    found = statistics.at(own, numpy.array([9, 10, 99, 100, 1e6]))
    numpy.testing.assert_array_equal(found, [math.nan, 48, 48, 61, 61])


def test_common_budgets_are_where_both_have_networks():
    own = pandas.DataFrame({"model": ["KAN", "KAN", "MLP", "MLP"], "budget": [10, 1000, 100, 10_000]})
    budgets = statistics.common_budgets(own)
    assert (budgets[0], budgets[-1]) == (pytest.approx(100), pytest.approx(1000))
    numpy.testing.assert_allclose(budgets[1:] / budgets[:-1], 10 ** (1 / (len(budgets) - 1)))


def test_gains_worked_by_hand():
    # over 100 … 1000 KAN has 61 and MLP 41, except at 1000 itself: 65 against 75
    (row,) = statistics.gains(runs_of(SMALL), "parameters").itertuples()
    points = statistics.BUDGET_POINTS
    assert (row.dataset, row.seed, row.low, row.high) == ("A", 1, pytest.approx(100), pytest.approx(1000))
    last = statistics.common_budgets(runs_of(SMALL).rename(columns={"parameters": "budget"}))[-1] >= 1000
    assert row.gain == pytest.approx((20 * (points - 1) + (-10 if last else 20)) / points)


def test_a_gain_of_errors_is_the_logarithm_of_their_ratio():
    rows = [("A", model, 1, size, 0.5, error) for model, error in (("KAN", 0.01), ("MLP", 0.1)) for size in (10, 100)]
    assert statistics.gains(runs_of(rows, metric="mae"), "flops")["gain"].tolist() == [pytest.approx(1.0)]


def test_gains_are_per_dataset_and_seed():
    rows = [
        (dataset, model, seed, size, 50 + seed * (model == "KAN"), 50 + 10 * (dataset == "B") + seed * (model == "KAN"))
        for dataset in "AB"
        for model in ("KAN", "MLP")
        for seed in (1, 2)
        for size in (10, 100)
    ]
    table = statistics.gains(runs_of(rows), "parameters")
    assert table[["dataset", "seed", "gain"]].to_numpy().tolist() == [
        ["A", 1, 1.0],
        ["A", 2, 2.0],
        ["B", 1, 1.0],
        ["B", 2, 2.0],
    ]


def test_interval_is_students():
    mean, low, high = statistics.interval([1.0, 2.0, 4.0])
    half = student.ppf(0.975, 2) * numpy.std([1, 2, 4], ddof=1) / math.sqrt(3)
    assert (mean, low, high) == (pytest.approx(7 / 3), pytest.approx(7 / 3 - half), pytest.approx(7 / 3 + half))
    narrow = student.ppf(0.95, 2) * numpy.std([1, 2, 4], ddof=1) / math.sqrt(3)
    assert statistics.interval([1.0, 2.0, 4.0], statistics.NARROW)[1:] == (
        pytest.approx(7 / 3 - narrow),
        pytest.approx(7 / 3 + narrow),
    )
    assert statistics.interval([3.0]) == (3.0, -INFINITE, INFINITE)
    assert statistics.interval([3.0, 3.0, 3.0]) == (3.0, 3.0, 3.0)


def test_interval_covers_as_often_as_it_says():
    draws = numpy.random.RandomState(0).randn(1000, 5)
    ends = [statistics.interval(draw)[1:] for draw in draws]
    assert numpy.mean([low <= 0 <= high for low, high in ends]) == pytest.approx(0.95, abs=0.02)


def even(difference, datasets="A", seeds=(1, 2, 3), spread=1.0):
    """KAN over MLP by `difference`, give or take `spread` from seed to seed."""
    return [
        (dataset, model, seed, size, 50.0, 50.0 + (difference + spread * (seed - 2)) * (model == "KAN"))
        for dataset in datasets
        for model in ("KAN", "MLP")
        for seed in seeds
        for size in (10, 100)
    ]


@pytest.mark.parametrize(("difference", "label"), [(10, "KAN"), (-10, "MLP"), (0, "undecided"), (1, "undecided")])
def test_verdict_goes_by_the_side_the_interval_lies_on(difference, label):
    table = statistics.verdict(runs_of(even(difference)), "tabular")
    assert table["budget"].tolist() == ["parameters", "flops"]
    half = student.ppf(0.975, 2) / math.sqrt(3)
    for row in table.itertuples():
        assert (row.domain, row.label, row.interval_over, row.units) == ("tabular", label, "seed", 3)
        assert (row.gain, row.low, row.high) == tuple(pytest.approx(difference + d) for d in (0, -half, half))
        assert (row.seeds, row.datasets, row.tries_KAN, row.tries_MLP) == (3, 1, 2, 2)
        assert (row.names, float(row.gains), row.margin) == ("A", difference, 0.5)
        narrow = student.ppf(0.95, 2) / math.sqrt(3)
        assert (row.narrow_low, row.narrow_high) == (pytest.approx(difference - narrow), pytest.approx(difference + narrow))


@pytest.mark.parametrize("rows", [even(30, seeds=(1,)), even(30, spread=0.0)])
def test_one_seed_or_equal_seeds_decide_nothing(rows):
    assert statistics.verdict(runs_of(rows), "tabular")["label"].tolist() == ["undecided", "undecided"]


def test_one_test_row_is_the_least_margin():
    table = statistics.verdict(runs_of(even(2, spread=0.1)), "tabular", test_rows=36)
    assert table["margin"].tolist() == [pytest.approx(100 / 36)] * 2 and table["label"].tolist() == ["equivalent"] * 2
    assert statistics.verdict(runs_of(even(2, spread=0.1)), "tabular", test_rows=1000)["label"].tolist() == ["KAN"] * 2


def test_texts_are_compared_with_their_embedding_counted():
    table = runs_of(even(10)).assign(live_parameters=lambda own: own["parameters"] + 5000)
    found = statistics.verdict(table, "text")
    assert found[["budget", "budget_low"]].to_numpy().tolist() == [["live_parameters", 5010], ["flops", 100]]
    assert statistics.matched(table, 1, statistics.TEXT_BUDGETS)["at"].tolist() == [5010, 100]


def test_gains_stand_beside_the_mean_for_each_dataset_and_for_the_top_of_the_range():
    # B's largest networks are on a par, and hold the last of its budgets alone
    rows = [*even(10), *even(-4, datasets="B")]
    rows += [("B", model, seed, 100, 60.0, 60.0) for model in ("KAN", "MLP") for seed in (1, 2, 3)]
    row = statistics.verdict(runs_of(rows), "tabular").iloc[0]
    first, second = map(float, row["gains"].split())
    assert first == 10 and second == pytest.approx(-4 * (statistics.BUDGET_POINTS - 1) / statistics.BUDGET_POINTS, rel=1e-3)
    assert row["gain"] == pytest.approx((first + second) / 2, rel=1e-3) and row["top"] == pytest.approx(5.0)
    assert row["top_high"] - row["top"] == pytest.approx(student.ppf(0.975, 2) * 0.5 / math.sqrt(3))


def test_with_many_datasets_the_interval_is_over_them():
    rows = [row for i, name in enumerate("ABCDE") for row in even(10 + i, datasets=name)]
    (row, _) = statistics.verdict(runs_of(rows), "symbolic").itertuples()
    assert (row.interval_over, row.units, row.datasets) == ("dataset", 5, 5)
    assert row.names == "A B C D E"
    half = student.ppf(0.975, 4) * numpy.std([10, 11, 12, 13, 14], ddof=1) / math.sqrt(5)
    assert (row.gain, row.low) == (pytest.approx(12), pytest.approx(12 - half))


def test_an_error_verdict_is_in_powers_of_ten():
    rows = [
        ("A", model, seed, size, 0.5, 0.1 / (10 * (1 + 0.1 * seed) if model == "KAN" else 1))
        for model in ("KAN", "MLP")
        for seed in (1, 2, 3)
        for size in (10, 100)
    ]
    row = statistics.verdict(runs_of(rows, metric="mae"), "symbolic").iloc[0]
    assert row["label"] == "KAN"
    assert row["gain"] == pytest.approx(numpy.log10([11, 12, 13]).mean())


def test_a_seed_in_which_a_model_only_diverged_is_survived():
    rows = [
        *even(10),
        ("A", "KAN", 4, 10, math.nan, math.nan),
        ("A", "MLP", 4, 10, 50.0, 50.0),
        ("A", "MLP", 4, 100, 50.0, 50.0),
    ]
    table = statistics.verdict(runs_of(rows), "tabular")
    assert table["gain"].notna().all()


def test_matched_budgets_worked_by_hand():
    table = statistics.matched(runs_of(even(10)), points=3)
    assert table["budget"].tolist() == ["parameters"] * 3 + ["flops"] * 3
    numpy.testing.assert_allclose(table["at"], [10, 10**1.5, 100, 100, 10**2.5, 1000])
    half = student.ppf(0.975, 2) / math.sqrt(3)
    numpy.testing.assert_allclose(table[["KAN", "MLP", "gain"]], [[60, 50, 10]] * 6)
    assert table[["train_KAN", "train_MLP"]].isna().all(axis=None)
    known = statistics.matched(runs_of(even(10)).assign(train_metric_selected=lambda own: own["test_metric_selected"] + 30))
    numpy.testing.assert_allclose(known[["train_KAN", "train_MLP"]], [[90, 80]] * 8)
    numpy.testing.assert_allclose(
        table[["KAN_low", "KAN_high", "gain_low", "gain_high"]].iloc[0], [60 - half, 60 + half, 10 - half, 10 + half]
    )


def test_best_is_the_validations_choice_whatever_its_size():
    rows = [
        ("A", "KAN", 1, 10, 50, 40),
        ("A", "KAN", 1, 20, 60, 42),
        ("A", "KAN", 1, 30, 55, 99),
        ("B", "KAN", 1, 10, 50, 80),
        ("A", "MLP", 1, 10, 50, 70),
        ("B", "MLP", 1, 10, 50, 90),
    ]
    table = statistics.best(runs_of(rows)).set_index("model")
    assert table["score"].to_dict() == {"KAN": 61, "MLP": 80}
    errors = statistics.best(runs_of([(d, "KAN", 1, 10, 0.5, e) for d, e in (("A", 0.1), ("B", 0.001))], metric="mae"))
    assert errors["score"].tolist() == [pytest.approx(0.01)]


def test_ours_stand_beside_the_published_bars():
    headline = pandas.DataFrame({"domain": ["vision", "text"], "metric": "accuracy", "KAN": [77.9, 80.0], "MLP": [85.9, 80.5]})
    ours = pandas.DataFrame(
        {
            "domain": ["text", "text"],
            "model": ["KAN", "MLP"],
            "metric": "accuracy",
            "score": [60.0, 61.0],
            "low": [59.0, 60.0],
            "high": [61.0, 62.0],
        }
    )
    table = statistics.beside_published(ours, headline)
    assert table["domain"].tolist() == ["vision"] * 2 + ["text"] * 4
    paper = table[(table["source"] == "paper") & (table["domain"] == "vision")].set_index("model")
    assert paper["score"].to_dict() == {"KAN": 77.9, "MLP": 85.9}
    assert table.loc[table["source"] == "here", "low"].tolist() == [59.0, 60.0]


METRICS = pytest.mark.parametrize("metric", ["accuracy", "mae"])


@METRICS
def test_a_verdict_counts_what_happened_and_names_where_nothing_was_learned(metric):
    for row in statistics.verdict(troubled(metric), "audio").to_dict("records"):
        counts = {
            "diverged": (0, 9),
            "at_chance": (9, 0),
            "failed": (3, 0),
            "all_at_chance": ("B", None),
            "no_score": (None, "C"),
        }
        for name, (kan, mlp) in counts.items():
            assert (row[f"{name}_KAN"], row[f"{name}_MLP"]) == (kan, mlp)
        assert (row["names"], row["units"]) == ("A B C", 3) and math.isfinite(row["gain"])


@METRICS
def test_what_happened_changes_no_gain(metric):
    table = troubled(metric)
    numbers = ["gain", "low", "high", "budget_low", "budget_high"]
    said, unsaid = (statistics.verdict(own, "audio") for own in (table, table.drop(columns="outcome")))
    pandas.testing.assert_frame_equal(said[numbers], unsaid[numbers])
    assert unsaid[["diverged_KAN", "at_chance_MLP", "failed_KAN", "all_at_chance_KAN"]].isna().all(axis=None)
    assert unsaid["no_score_MLP"].tolist() == ["C", "C"]


def test_a_model_that_learned_at_one_compared_size_is_not_at_chance_at_all_of_them():
    table = runs_of(even(10)).assign(outcome="at chance")
    assert statistics.verdict(table, "audio")["all_at_chance_KAN"].tolist() == ["A", "A"]
    table.loc[(table["model"] == "KAN") & (table["seed"] == 2) & (table["parameters"] == 10), "outcome"] = "done"
    assert statistics.verdict(table, "audio")["all_at_chance_KAN"].isna().all()
    assert statistics.verdict(table, "audio")["all_at_chance_MLP"].tolist() == ["A", "A"]
    largest = table["parameters"] == 100
    larger = table.assign(outcome="at chance", valid_metric_selected=50 + largest)
    larger.loc[largest, "outcome"] = "done"
    assert statistics.verdict(larger, "audio")[["all_at_chance_KAN", "all_at_chance_MLP"]].isna().all(axis=None)


def test_a_size_that_is_not_compared_does_not_count_as_learned():
    large = [("A", "KAN", seed, 1000, 99.0, 99.0) for seed in (1, 2, 3)]
    table = runs_of([*even(10), *large])
    table["outcome"] = ["at chance" if size <= 100 else "done" for size in table["parameters"]]
    assert statistics.verdict(table, "audio")["all_at_chance_KAN"].tolist() == ["A", "A"]


@METRICS
def test_where_no_run_has_a_score_there_is_no_number(metric):
    table = without_scores(troubled(metric))
    for row in statistics.verdict(table, "audio").itertuples():
        said = (row.label, row.units, row.names, row.no_score_KAN, row.no_score_MLP)
        assert said == ("undecided", 0, "A B C", "A B C", "A B C")
        assert math.isnan(row.gain) and (row.failed_KAN, row.failed_MLP) == (27, 27)
    assert statistics.matched(table)[["KAN", "MLP", "gain"]].isna().all(axis=None)
    best = statistics.best(table)
    assert best["model"].tolist() == ["KAN", "MLP"] and best["score"].isna().all() and best["no_score"].tolist() == [9, 9]


@pytest.mark.parametrize("model", ["KAN", "MLP"])
def test_without_runs_of_a_model_there_is_no_verdict(model):
    table = troubled()
    for own in (table[table["model"] != model], table[:0]):
        with pytest.raises(InputError, match="the runs of the domain 'audio' have none of (KAN|MLP); a verdict compares"):
            statistics.verdict(own, "audio")
    both = joined(table[table["dataset"] == "A"], table[(table["dataset"] == "B") & (table["model"] != model)])
    row = statistics.verdict(both, "audio").iloc[0]
    assert row[f"no_score_{model}"] == "B" and math.isfinite(row["gain"])
    assert statistics.matched(both).set_index("dataset").loc["B", model].isna().all()


@METRICS
def test_matched_budgets_and_best_choices_count_seeds_without_a_score_and_at_chance(metric):
    table = statistics.matched(troubled(metric)).groupby("dataset")[
        ["no_score_KAN", "no_score_MLP", "at_chance_KAN", "at_chance_MLP"]
    ]
    assert table.max().to_numpy().tolist() == table.min().to_numpy().tolist() == [[0, 0, 0, 0], [0, 0, 3, 0], [0, 3, 0, 0]]
    best = statistics.best(troubled(metric))
    assert best[["no_score", "at_chance"]].to_numpy().tolist() == [[0, 3], [3, 0]]


def test_a_seed_without_a_score_leaves_no_mean_at_matched_budgets():
    rows = [*even(10), ("A", "KAN", 4, 10, math.nan, math.nan), ("A", "MLP", 4, 10, 50.0, 50.0)]
    table = statistics.matched(runs_of(rows))
    assert table["KAN"].isna().all() and table["gain"].isna().all() and (table["MLP"] == 50).all()
    assert (table["no_score_KAN"] == 1).all() and not table["no_score_MLP"].any()


def test_no_values_have_no_mean_and_no_interval():
    mean, low, high = statistics.interval([])
    assert math.isnan(mean) and (low, high) == (-INFINITE, INFINITE)


def test_budgets_of_one_size_are_that_size():
    # 417090 is not met when one goes there by logarithms
    rows = [("A", model, 1, 417090, 50.0, score) for model, score in (("KAN", 60.0), ("MLP", 50.0))]
    table = statistics.matched(runs_of(rows))
    assert statistics.gains(runs_of(rows), "parameters")["gain"].tolist() == [10.0]
    assert table["gain"].tolist() == [10.0] * 8 and not table[["no_score_KAN", "no_score_MLP"]].any(axis=None)
