import numpy
import pandas
import pytest

from kanbefair.errors import InputError
from kanbefair.report import statistics
from kanbefair.studies.released import findings
from kanbefair.studies.released import rows as released_rows

COLUMNS = ["dataset", "model", "widths", "activation", "grid", "order", "shortcut", "grid_range", "lr", "seed", "test_metric"]


def mlp(metric, dataset="Rice", widths="32", activation="relu", seed=1314):
    return (dataset, "MLP", widths, activation, None, None, None, None, 0.001, seed, metric)


def kan(metric, dataset="Rice", widths="2", grid=5, seed=1314):
    return (dataset, "KAN", widths, None, grid, 3, "silu", "-2.0_2.0", 0.001, seed, metric)


def errors(*rows, dataset="Special_jv"):
    """The same rows on a symbolic function."""
    return [(dataset, *row[1:]) for row in rows]


@pytest.fixture
def released(tmp_path):
    """`released(rows)`: the rows as `rows.released` reads them; counts grow with the width, and drawn says all."""

    def read(*rows):
        table = pandas.DataFrame(rows, columns=COLUMNS).assign(batch_size=128, train_metric=1.0)
        table["epochs"] = table["model"].map({"MLP": 20, "KAN": 10})
        table["parameters"] = table["widths"].str.split("_").map(lambda widths: 10 * int(widths[0]))
        table["flops"] = 20 * table["parameters"]
        table.to_csv(tmp_path / "rows.csv", index=False)
        return released_rows.released(tmp_path / "rows.csv").assign(drawn=True)

    return read


def ours(table, metrics):
    return pandas.DataFrame({"key": table["key"], "test_metric_last": metrics})


def test_accuracies_are_compared_by_difference_and_errors_by_ratio(released):
    table = released(mlp(92.5), kan(90.0), *errors(mlp(0.1), kan(0.02)))
    compared = findings.compare(table, ours(table, [92.5, 89.0, 0.1, 0.01]))
    assert compared["metric"].tolist() == ["accuracy", "accuracy", "mae", "mae"]
    numpy.testing.assert_allclose(compared["points"], [0, -1, numpy.nan, numpy.nan])
    numpy.testing.assert_allclose(compared["ratio"], [numpy.nan, numpy.nan, 1, 0.5])
    assert compared["released"].tolist() == [92.5, 90.0, 0.1, 0.02]


def test_rows_without_a_run_are_not_compared_and_a_run_that_is_listed_twice_counts_once(released):
    table = released(mlp(92.5), kan(90.0), *errors(mlp(0.1)))
    runs = ours(table, [92.0, 89.0, 0.2])
    compared = findings.compare(table, pandas.concat([runs[1:], runs[1:]]))
    assert compared[["model", "ours"]].to_numpy().tolist() == [["KAN", 89.0], ["MLP", 0.2]]


def test_duplicates_are_equal_rows_and_kan_rows_that_differ_in_the_seed(released):
    table = released(mlp(92.5), mlp(92.5), kan(90.0), kan(90.4, seed=521), kan(80.0, grid=10))
    pairs = findings.duplicates(table).set_index("model")
    assert pairs["points"].to_dict() == pytest.approx({"KAN": 0.4, "MLP": 0.0})
    assert pairs["ratio"].isna().all()
    assert pairs.loc["KAN", ["first", "second"]].tolist() == [90.0, 90.4]


def test_the_seed_of_an_error_counts(released):
    table = released(*errors(mlp(0.1), mlp(0.2), kan(0.3), kan(0.6, seed=521)))
    (pair,) = findings.duplicates(table).to_dict("records")
    assert (pair["model"], pair["ratio"]) == ("MLP", 2.0)
    assert numpy.isnan(pair["points"])
    three = released(*errors(kan(0.1), kan(0.2), kan(0.1)))
    assert findings.duplicates(three)["ratio"].tolist() == [2.0, 0.5]


def test_without_duplicates_the_table_is_empty(released):
    pairs = findings.duplicates(released(mlp(92.5), kan(90.0)))
    assert pairs.columns.tolist() == ["dataset", "domain", "metric", "model", "first", "second", "points", "ratio"]
    assert findings.agreement(pairs).columns.tolist() == ["domain", "model", "rows", "lost"]


def test_agreement_of_accuracies():
    points = [0.0, -0.1, 0.4, -0.6]
    pairs = pandas.DataFrame({"domain": "tabular", "model": "MLP", "metric": "accuracy", "points": points})
    (row,) = findings.agreement(pairs.assign(ratio=numpy.nan)).to_dict("records")
    assert row == {
        "domain": "tabular",
        "model": "MLP",
        "rows": 4,
        "lost": 0,
        "exact": 25,
        "within 0.15 points": 50,
        "within 0.5 points": 75,
    }


def test_agreement_of_errors():
    ratio = [1.0005, 1.0015, 0.96, 1.08, 2.0]
    pairs = pandas.DataFrame({"domain": "symbolic", "model": "KAN", "metric": "mae", "ratio": ratio, "points": numpy.nan})
    row = findings.agreement(pairs).iloc[0]
    assert row[["within 0.1 %", "within 0.2 %", "within 5 %", "within 1.1 times"]].tolist() == [20, 40, 60, 80]
    assert "exact" not in row


def test_agreement_is_per_domain_and_model(released):
    table = released(mlp(92.5), kan(90.0), *errors(mlp(0.1), kan(0.02)))
    shares = findings.agreement(findings.compare(table, ours(table, [92.5, 89.0, 0.1, 0.03])))
    assert shares[["domain", "model", "rows"]].to_numpy().tolist() == [
        ["tabular", "MLP", 1],
        ["tabular", "KAN", 1],
        ["symbolic", "MLP", 1],
        ["symbolic", "KAN", 1],
    ]
    numpy.testing.assert_equal(shares["exact"].to_numpy(), [100, 0, numpy.nan, numpy.nan])
    numpy.testing.assert_equal(shares["within 0.1 %"].to_numpy(), [numpy.nan, numpy.nan, 100, 0])


@pytest.mark.parametrize("of", [lambda *rows: rows, errors], ids=["accuracies", "errors"])
def test_exceptions_are_mlp_rows_that_do_not_come_back(released, of):
    table = released(*of(mlp(0.5, widths="8"), mlp(0.5, widths="16"), mlp(0.5, widths="32"), kan(0.5)))
    off = findings.exceptions(findings.compare(table, ours(table, [0.5, 0.51, 0.49, 0.7])))
    assert off["widths"].tolist() == ["16", "32"]
    assert (off["model"] == "MLP").all()


def test_exceptions_in_words_count_relu_networks_and_say_how_far_off(released):
    table = released(mlp(90.0, widths="8"), mlp(90.0, widths="16", activation="gelu"), mlp(90.0), *errors(mlp(0.9)))
    off = findings.exceptions(findings.compare(table, ours(table, [90.2, 89.6, 90.0, 0.5])))
    assert findings.exceptions_in_words(off) == (
        "2 MLP rows of accuracies do not come back to the digit; 1 of them are of relu networks. They are off by 0.3 points in "
        "the median and by 0.4 at most."
    )


def test_a_run_without_a_score_is_no_row_that_came_back(released):
    table = released(mlp(90.0, widths="8"), mlp(90.0, widths="16"), mlp(numpy.nan, widths="32"))
    found = findings.compare(table, ours(table, [90.0, numpy.nan, numpy.nan]))
    assert findings.agreement(found)[["rows", "lost", "exact"]].to_numpy().tolist() == [[3, 2, pytest.approx(100 / 3)]]
    assert findings.exceptions(found)["widths"].tolist() == ["16"]


def test_without_a_dataset_of_both_models_there_is_nothing_to_compare(released):
    with pytest.raises(InputError, match="no dataset has rows of both KAN and MLP"):
        findings.verdicts(released(mlp(90.0)))


def test_an_error_comes_back_within_a_thousandth_and_an_accuracy_to_the_digit(released):
    table = released(mlp(90.0), *errors(mlp(0.9)))
    off = findings.exceptions(findings.compare(table, ours(table, [90.0005, 0.9005])))
    assert off["metric"].tolist() == ["accuracy"]


def test_the_best_epoch_flatters_upwards_for_accuracies_and_downwards_for_errors():
    rows = pandas.DataFrame(
        {
            "domain": ["tabular", "symbolic"],
            "model": "KAN",
            "dataset": ["a", "b"],
            "metric": ["accuracy", "mae"],
            "seed": 1,
            "diverged": [None, 3.0],
            "run_seconds": 1800.0,
            "test_metric_best": [91.0, 0.1],
            "test_metric_last": [90.0, 0.3],
        }
    )
    table = findings.summary(rows).set_index("domain")
    assert table["best_minus_last"].to_dict() == pytest.approx({"tabular": 1.0, "symbolic": 0.2})
    assert table["diverged"].to_dict() == {"tabular": 0, "symbolic": 1}
    assert table["core_hours"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("of", [lambda *rows: rows, errors], ids=["accuracies", "errors"])
def test_effort_counts_rows_settings_seeds_epochs_and_units(released, of):
    table = released(
        *of(mlp(0.5), mlp(0.5, activation="gelu"), kan(0.5, widths="2_4"), *(kan(0.5, seed=seed) for seed in (1, 2, 2)))
    )
    effort = findings.effort(table).set_index("model")
    assert effort.loc["KAN", ["rows", "tries", "seeds", "epochs", "most_units"]].tolist() == [4, 2, 3, 10, 6]
    assert effort.loc["MLP", ["rows", "tries", "seeds", "epochs", "most_units"]].tolist() == [2, 2, 1, 20, 32]


def test_equal_tries_draws_as_many_kan_rows_as_there_are_mlp_rows(released):
    table = released(mlp(92.5), mlp(91.0, activation="gelu"), *(kan(90 - grid, grid=grid) for grid in range(3, 8)))
    equal = findings.equal_tries(table, draws=4)
    assert equal.groupby(["seed", "model"]).size().tolist() == [2] * 8
    drawn = equal[equal["model"] == "KAN"].groupby("seed")["grid"].agg(tuple)
    assert len(set(drawn)) > 1
    assert all(len(set(grids)) == 2 for grids in drawn)
    pandas.testing.assert_frame_equal(equal, findings.equal_tries(table, draws=4))


def test_datasets_with_one_model_have_no_equal_tries(released):
    table = released(mlp(92.5), kan(90.0), kan(91.0, dataset="Wine"))
    assert set(findings.equal_tries(table, draws=2)["dataset"]) == {"Rice"}


def both(metric, better, worse):
    """One MLP and two KAN rows at one budget on each of two datasets: KAN's better try beats MLP, its worse one loses."""
    names = ("Rice", "Wine") if metric == "accuracy" else ("Special_jv", "Special_iv")
    middle = (better + worse) / 2
    return [
        row
        for name in names
        for row in (
            mlp(middle, dataset=name, widths="2"),
            kan(better, dataset=name, grid=3),
            kan(worse, dataset=name, grid=4),
        )
    ]


@pytest.mark.parametrize(("metric", "better", "worse"), [("accuracy", 92.0, 88.0), ("mae", 0.01, 0.19)])
def test_verdicts_with_all_tries_take_the_better_one_and_with_equal_tries_any(released, metric, better, worse):
    table = findings.verdicts(released(*both(metric, better, worse)))
    assert table["tries"].tolist() == ["all", "all", "equal", "equal"]
    assert table["tries_KAN"].tolist() == [2, 2, 1, 1]
    assert (table["metric"] == metric).all()
    assert table[["interval_over", "units"]].to_numpy().tolist() == [["dataset", 2]] * 4
    gain, loss = (2.0, -2.0) if metric == "accuracy" else (1.0, numpy.log10(0.1 / 0.19))
    assert table["gain"][:2].tolist() == pytest.approx([gain, gain])
    # equal gains on both datasets have an interval without width, which decides nothing
    assert table["label"].tolist()[:2] == ["undecided", "undecided"]
    assert all(loss < value < gain for value in table["gain"][2:])


@pytest.mark.parametrize("of", [lambda *rows: rows, errors], ids=["accuracies", "errors"])
def test_one_dataset_has_no_interval_and_a_domain_with_one_model_no_verdict(released, of):
    other = errors(kan(0.1)) if of is not errors else [kan(90.0)]
    table = findings.verdicts(released(*of(mlp(0.5), kan(0.25)), *other))
    assert table["names"].tolist() == ["Special_jv" if of is errors else "Rice"] * 4
    assert numpy.isinf(table[["low", "high"]]).all(axis=None)


def test_the_verdicts_are_those_of_the_last_epoch_at_the_papers_budgets(released):
    table = findings.verdicts(released(*both("accuracy", 92.0, 88.0)))
    assert tuple(table["budget"][:2]) == statistics.BUDGETS
    assert table["budget_low"].tolist() == table["budget_high"].tolist() == [20.0, 400.0] * 2
