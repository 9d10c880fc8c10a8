import math

import numpy
import pandas
import pytest
from scipy import stats

from kanbefair.report import columns
from kanbefair.report.decision import UNDECIDED
from kanbefair.studies.fairness import claims, sizes
from kanbefair.studies.fairness.claims import INFERIOR, NOT_INFERIOR
from kanbefair.studies.fairness.datasets import CONFIRMATORY
from kanbefair.studies.fairness.sensitivity import NOT_RUN

pytestmark = pytest.mark.usefixtures("all_have_run")

EMPTY = pandas.DataFrame()
TABLES = "tabular classification"


def runs(domain, values, metric="accuracy", base=80.0, kinds=("values", "flops"), **fields):
    """Frozen runs of two seeds: `values` has for each family a list of what it is ahead by, one a source."""
    rows = []
    for family, own in values.items():
        for number, ahead in enumerate(own):
            for kind in kinds:
                for level, seed in numpy.ndindex(3, 2):
                    score = base + ahead if metric == "accuracy" else base * 10**-ahead
                    rows.append((f"{domain} {number}", family, kind, level + 1, seed, score))
    table = pandas.DataFrame(rows, columns=["dataset", "family", "budget_kind", "level", "seed", "score"])
    own = {"domain": domain, "source": table["dataset"], "division": 0, "metric": metric, "test_rows": 1000}
    return table.assign(**own).assign(**fields)


def of(table, claim, **place):
    own = table[table["claim"] == claim]
    for name, value in place.items():
        own = own[own[name] == value]
    return own


def test_nothing_has_run_yet():
    table = claims.claims(EMPTY, EMPTY, None)
    columns.check("extended/claims", table.columns)
    assert set(table["label"]) == {NOT_RUN}
    assert set(table["claim"]) == set(claims.RULES)
    assert len(of(table, "1")) == 2 * (len(CONFIRMATORY) + 10)
    assert len(of(table, "2")) == 2 * len(CONFIRMATORY)


def test_claim_1_has_the_labels_of_domains_and_the_papers_bars():
    ahead = [1.0, 2.0, 3.0, 4.0, 5.0]
    final = runs(TABLES, {"KAN": [0.0] * 5, "MLP": ahead})
    row = of(claims.claims(final, EMPTY, None), "1", domain=TABLES, budget_kind="flops").iloc[0]
    # two equal tests that are both sure: Holm divides by 2 for the first, flops by name; t of 4 degrees
    half = stats.t.ppf(1 - 0.05 / 4, 4) * math.sqrt(2.5 / 5)
    assert (row["effect"], row["low"], row["high"]) == pytest.approx((-3, -3 - half, -3 + half))
    assert (row["label"], row["sources"], row["seeds"], row["unit"]) == ("MLP", 5, 2, "points")
    assert row["published"] == pytest.approx(-0.2)
    few = of(claims.claims(final[final["dataset"] < f"{TABLES} 4"], EMPTY, None), "1", domain=TABLES)
    assert set(few["label"]) == {UNDECIDED} and (few["reason"] == claims.FEW).all()
    assert claims.BARS["symbolic"] == pytest.approx(math.log10(7.4 / 1.2))


def test_datasets_of_vision_speak_for_themselves():
    final = runs("vision", {"KAN": [0.0], "MLP": [5.0]}, dataset="MNIST", source="MNIST")
    final["score"] += final["seed"] * 0.1 * (final["family"] == "MLP")
    table = of(claims.claims(final, EMPTY, None), "1", domain="vision")
    assert table.set_index(["dataset", "budget_kind"])["label"].to_dict() == {
        (name, kind): "MLP" if name == "MNIST" else NOT_RUN
        for name in ("FMNIST", "MNIST", "Digits", "MNIST1D")
        for kind in sizes.KINDS
    }


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.4, 2, NOT_INFERIOR), (-0.6, 2, UNDECIDED), (-3, -0.6, INFERIOR), (1, 1, UNDECIDED), (math.nan, 1, UNDECIDED)],
)
def test_not_inferior_by_hand(low, high, expected):
    assert claims.not_inferior(low, high, 0.5) == expected


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_claim_2_takes_the_plain_interval_over_sources(metric):
    spline = numpy.array([-0.2, 0.1, 0.0, 0.3, 0.2]) * (1 if metric == "accuracy" else 0.05)
    values = {"BSpline_MLP": spline, "KAN": [0.0] * 5}
    domain = TABLES if metric == "accuracy" else "symbolic"
    final = runs(domain, values, metric, kinds=["values"])
    table = of(claims.claims(final, EMPTY, None), "2", domain=domain).set_index("comparison")
    row = table.loc["BSpline_MLP − KAN"]
    assert (row["low"], row["high"]) == pytest.approx(tuple(stats.ttest_1samp(spline, 0).confidence_interval(0.95)))
    assert row["label"] == NOT_INFERIOR
    assert table.loc["BSpline_First_MLP − KAN", "label"] == NOT_RUN
    worse = of(claims.claims(runs(domain, values | {"KAN": [2.0] * 5}, metric), EMPTY, None), "2", domain=domain)
    assert worse["label"].iloc[0] == INFERIOR


def test_rates_of_errors_are_at_least_half_a_row():
    final = runs(TABLES, {"KAN": [10.0, 20.0]})
    found = claims.as_errors(final).groupby("dataset")["score"].first()
    assert found.tolist() == pytest.approx([10, 0.05])
    errors = runs("symbolic", {"KAN": [0.1]}, "mae", 0.3)
    assert claims.as_errors(errors)["score"].tolist() == errors["score"].tolist()


def test_claim_3_is_welchs_test_of_gains_in_logarithms_of_errors():
    gains = {"symbolic": [0.5, 0.7, 0.6, 0.9, 1.0, 0.8], TABLES: [0.05, -0.02, 0.0, 0.03, 0.01]}
    formulas = runs("symbolic", {"BSpline_MLP": gains["symbolic"], "MLP": [0.0] * 6}, "mae", 0.1)
    rates = 20 * 10 ** -numpy.array(gains[TABLES])  # of the MLP 20 %
    tables = runs(TABLES, {"BSpline_MLP": 100 - rates, "MLP": [80.0] * 5}, base=0.0)
    table = of(claims.claims(pandas.concat([formulas, tables]), EMPTY, None), "3").set_index("domain")
    expected = stats.ttest_ind(gains["symbolic"], gains[TABLES], equal_var=False)
    row = table.loc[TABLES]
    assert row["effect"] == pytest.approx(numpy.mean(gains["symbolic"]) - numpy.mean(gains[TABLES]))
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert (row["label"], row["sources"]) == ("symbolic", 11)
    assert set(table.drop(TABLES)["label"]) == {NOT_RUN}
    few = pandas.concat([formulas, tables[tables["dataset"] < f"{TABLES} 3"]])
    row = of(claims.claims(few, EMPTY, None), "3", domain=TABLES).iloc[0]
    assert row["label"] == UNDECIDED and row["reason"] == claims.FEW


def test_welch_agrees_with_scipy():
    first, second = [1.0, 2.0, 4.0, 9.0], [0.5, 0.6, 0.1]
    estimate, error, freedom = claims.welch(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert (estimate / error, freedom) == pytest.approx((expected.statistic, expected.df))
    assert claims.welch([1.0, 1.0], [2.0, 2.0]) == (-1, 0, 1)


def streams(datasets=("Digits",), kan=((40, 20), (80, 40)), mlp=((60, 50), (90, 80))):
    """Runs on streams, with pairs of what was just learned and what is left, a pair a learning rate."""
    fields = {"strategy": "naive", "stream": "classes", "optimizer_state": "carried", "grid_update": False}
    rows = [
        fields | {"dataset": name, "stream_name": "twos", "seed": seed, "model": model}
        | {"shortcut": "silu" if model == "KAN" else None, "activation": None if model == "KAN" else "relu"}
        | {"batch_norm": None if model == "KAN" else False, "test_learned": learned, "test_average": left + number}
        for number, name in enumerate(datasets)
        for seed in (1, 2)
        for model, line in (("KAN", kan), ("MLP", tuple((x, y - number * (number % 2)) for x, y in mlp)))
        for learned, left in line
    ]  # fmt: skip
    return pandas.DataFrame(rows)


def test_what_is_left_is_interpolated_to_equal_learning():
    # from 60 to 80 both are there: KAN has 30 to 40 left, the MLP 50 to 70; the mean of the difference is −25
    table = claims.left_at_equal_learning(streams())
    assert table["difference"].tolist() == pytest.approx([-25, -25])
    others = streams().assign(stream="permuted"), streams().assign(strategy="replay"), streams().assign(optimizer_state="reset")
    assert claims.left_at_equal_learning(pandas.concat(others)).empty
    apart = claims.left_at_equal_learning(streams(kan=((10, 5), (20, 8))))
    assert apart["difference"].isna().all()


def test_claim_4_counts_sources():
    row = of(claims.claims(EMPTY, EMPTY, streams(["Digits", "Other"])), "4").iloc[0]
    assert (row["label"], row["sources"], row["seeds"]) == (UNDECIDED, 2, 2)
    assert row["effect"] == pytest.approx((-25 - 24) / 2)
    assert "2 sources (Digits, Other), of which 5 decide" in row["reason"]
    assert "no streams of MNIST and FMNIST" in row["reason"]
    many = of(claims.claims(EMPTY, EMPTY, streams(["MNIST", "FMNIST", "Digits", "FSDD", "Other"])), "4").iloc[0]
    assert many["label"] == "MLP" and pandas.isna(many["reason"])
    # differences −25, −24, −25, −22, −25: with the number of a dataset if that is odd
    by_hand = stats.ttest_1samp([-25, -24, -25, -22, -25], 0)
    assert (many["low"], many["high"]) == pytest.approx(tuple(by_hand.confidence_interval(0.95)))


def test_the_other_papers_wines():
    final = runs(TABLES, {"KAN": [5.0], "MLP": [0.0]}, dataset="WineRecognition", source="WineRecognition")
    final["score"] += final["seed"] * 0.1 * (final["family"] == "MLP")
    table = of(claims.claims(final, EMPTY, None), "arXiv 2601.10563").set_index(["dataset", "budget_kind"])
    assert table.loc["WineRecognition", "label"].tolist() == ["KAN", "KAN"]
    assert table.loc["Wine", "label"].tolist() == [NOT_RUN, NOT_RUN]
