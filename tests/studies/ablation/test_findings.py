"""Scores, budgets and claims of the ablation, for accuracies and for errors, from tables made by hand."""

import math
from types import SimpleNamespace

import numpy
import pandas
import pytest
from helpers import PLAIN_KAN as KAN
from helpers import kept, made_up_scores
from scipy.stats import t as student

from kanbefair.errors import InputError
from kanbefair.studies.ablation import findings
from kanbefair.studies.ablation.design import Try
from kanbefair.studies.ablation.effects import RATIO
from kanbefair.training.learned_splines import DrawnSpec

BOTH = pytest.mark.parametrize("metric", ["accuracy", "mae"])


HALF = student.ppf(0.975, 2) / math.sqrt(3)
"""Half the interval of three values that are 1 apart."""


def by_shares(level):
    """The accuracy at which the share of wrong answers, half a point added, is 20 ∕ 10^level."""
    return 100.5 - 20 / 10**level


def tried_and_run(tries, metric):
    """The places and the runs of tries (variant, size, seed, rate, validation, test), validation and test as quality."""
    places, rows = [], []
    for place, (variant, size, seed, rate, *quality) in enumerate(tries):
        valid, test = quality if metric == "accuracy" else (10.0**-value for value in quality)
        places.append(Try(variant, size, size == 8, SimpleNamespace(key=f"k{place}")))
        rows.append((f"k{place}", "D", "any", "fair", metric, seed, rate, (size,), 100 * size, "done", valid, test))
    columns = ["key", "dataset", "domain", "protocol", "metric", "seed", "lr", "widths", "live_parameters", "outcome"]
    return pandas.DataFrame(rows, columns=[*columns, "valid_metric_selected", "test_metric_selected"]), places


@BOTH
def test_the_score_is_that_of_the_best_validated_rate(metric):
    tries = [
        ("MLP", 8, 1, 0.1, -6.0, 9.0),  # the best test, which no one could have known
        ("MLP", 8, 1, 0.2, 3.0, 2.5),
        ("MLP", 8, 1, 0.3, 2.0, 4.0),
        ("MLP", 8, 2, 0.1, 5.0, 4.5),
        ("MLP", 8, 2, 0.2, 3.0, 2.5),
        ("MLP", 2, 1, 0.2, 1.0, 0.5),
        ("MLP", 2, 1, 0.3, math.nan, math.nan),
        ("KAN", 8, 1, 0.2, math.nan, math.nan),
        ("KAN", 8, 1, 0.3, -9.0, -8.0),
        ("KAN", 8, 2, 0.2, math.nan, math.nan),  # all tries diverged
    ]
    found = findings.scores(*tried_and_run(tries, metric))
    score = found["score"] if metric == "accuracy" else -numpy.log10(found["score"])
    assert score.tolist() == pytest.approx([2.5, 4.5, 0.5, -8.0])
    assert found["lr"].tolist() == [0.2, 0.1, 0.2, 0.3]
    assert found["size"].tolist() == [8, 8, 2, 8] and found["focus"].tolist() == [True, True, False, True]
    assert found["live_parameters"].tolist() == [800, 800, 200, 800]


def test_budget_ratios_are_to_the_kan_of_the_same_dataset_and_budget():
    values = {
        KAN: {("A", 2): 100, ("A", 8): 200, ("B", 2): 1000},
        "MLP": {("A", 2): 90, ("A", 8): 210, ("B", 2): 1300},
        "MLP: no bias": {("A", 8): 190},
        "MLP: KAN": {("A", 8): 200},
    }
    rows = [
        (dataset, variant, size, seed, count)
        for variant, own in values.items()
        for (dataset, size), count in own.items()
        for seed in (1, 2)
    ]
    scores = pandas.DataFrame(rows, columns=["dataset", "variant", "size", "seed", "live_parameters"])
    found = findings.budget_ratios(scores)
    assert found.iloc[:, 0].tolist() == [KAN, "MLP", "MLP: no bias"]
    expected = [[1, 1, 1], [0.9, 1.05, 1.3], [0.95] * 3]
    assert list(found)[1:] == ["min", "median", "max"]
    numpy.testing.assert_allclose(found[["min", "median", "max"]].to_numpy(), expected)


def test_beside_the_papers_top_stands_the_budget_with_the_best_mean():
    budgets = {4: (99.0, 95.0, 70.0), 2: (90.0, 91.0, 92.0), 1: (50.0, 50.5, 51.0), 8: (90.5, 90.5, 90.5)}
    rows = [("Income", "BSpline_First_MLP", size, 100 * size, score) for size, scores in budgets.items() for score in scores]
    rows += [("Bank", "BSpline_First_MLP", 2, 7, 99.0), ("Income", "MLP", 2, 8, 98.0), ("Income", "BSpline_MLP", 4, 9, 70.0)]
    scores = pandas.DataFrame(rows, columns=["dataset", "variant", "size", "live_parameters", "score"])
    found = findings.beside_tops(scores).set_index(["dataset", "model"])
    row = found.loc[("Income", "BSpline_First_MLP")]
    assert (row["paper"], row["seeds"], row["live_parameters"]) == (86.19, 3, 200)
    assert (row["here"], row["low"], row["high"]) == (91, pytest.approx(91 - HALF), pytest.approx(91 + HALF))
    assert found.loc[("Income", "BSpline_MLP"), "here"] == 70 and found.loc[("Bank", "BSpline_First_MLP"), "here"] == 99


def claimed(*args, **kwargs):
    found = findings.claims(made_up_scores(*args, **kwargs))
    return found.set_index(["comparison", "on"])


@pytest.mark.parametrize("sign", [1, -1])
def test_a_claim_is_told_in_the_words_of_its_side(sign):
    levels = {"MLP": (0, 0), KAN: (1, -0.2), "BSpline_MLP": (2, -0.4), "BSpline_First_MLP": (0.5, -0.1)}
    found = claimed({name: (sign * a, sign * b) for name, (a, b) in levels.items()}, by_shares)
    kan, passes, splines = ("KAN is worse", "KAN is better"), ("falls short of KAN", "passes KAN"), ("harm", "help")
    more = ("less for symbolic", "more for symbolic")
    for on, up in (("symbolic functions", sign > 0), ("classification", sign < 0)):
        assert found.loc[("KAN − MLP", on), "verdict"] == kan[up]
        assert found.loc[("BSpline_MLP − KAN", on), "verdict"] == passes[up]
        assert found.loc[("BSpline_First_MLP − KAN", on), "verdict"] == passes[not up]
        for name in ("BSpline_MLP", "BSpline_First_MLP"):
            assert found.loc[(f"{name} − MLP", on), "verdict"] == f"splines {splines[up]}"
    for name, size in (("BSpline_MLP", 2.4), ("BSpline_First_MLP", 0.6)):
        row = found.loc[(f"{name} − MLP", "symbolic functions − classification")]
        assert row["verdict"] == more[sign > 0] and row["effect"] == pytest.approx(sign * size)
    assert found.loc[("BSpline_MLP − KAN", "symbolic functions"), ["claim", "effect"]].tolist() == [2, pytest.approx(sign)]


def test_claim_2_is_in_the_groups_units_and_claim_3_on_one_scale():
    half = math.log10(2)  # half as many wrong answers
    found = claimed({"MLP": (0, 0), KAN: (1, half), "BSpline_MLP": (1, half), "BSpline_First_MLP": (1, -half)}, by_shares)
    assert found.loc[("KAN − MLP", "classification"), ["effect", "unit"]].tolist() == [pytest.approx(10, abs=0.01), "points"]
    assert found.loc[("KAN − MLP", "symbolic functions"), ["effect", "unit"]].tolist() == [pytest.approx(1), RATIO]
    for name, size in (("BSpline_MLP", half), ("BSpline_First_MLP", -half)):
        row = found.loc[(f"{name} − MLP", "classification")]
        assert row[["claim", "effect", "unit"]].tolist() == [3, pytest.approx(size), RATIO]


def test_splines_can_help_both_groups_and_symbolic_functions_less():
    splines = ((0.29, 0.31, 0.3), (0.9, 1.1, 1.0))
    found = claimed({"MLP": (0, 0), KAN: (0, 0), "BSpline_MLP": splines, "BSpline_First_MLP": (0.3, 0.3)}, by_shares)
    row = found.loc[("BSpline_MLP − MLP", "symbolic functions − classification")]
    # Welch's interval of two means of three values with variances 0.0001 and 0.01
    half = student.ppf(0.975, 2 * 1.01**2 / 1.0001) * math.sqrt(0.0101 / 3)
    assert row["verdict"] == "less for symbolic" and row["interval_over"] == "seed"
    assert [row["effect"], row["low"], row["high"]] == pytest.approx([-0.7, -0.7 - half, -0.7 + half])
    assert [row["seed_low"], row["seed_high"]] == pytest.approx([-0.7 - half, -0.7 + half])
    neither = found[found["verdict"] == "equivalent"].index.tolist()
    assert neither == [
        ("KAN − MLP", "symbolic functions"),
        ("BSpline_First_MLP − MLP", "symbolic functions − classification"),
    ]
    assert found.loc[("KAN − MLP", "classification"), "verdict"] == "undecided"


def test_without_an_effect_of_splines_none_is_told():
    found = claimed({"MLP": (0, 0), KAN: (0, 0), "BSpline_MLP": (0, 0), "BSpline_First_MLP": (0, 0)}, by_shares)
    assert set(found["verdict"]) <= {"equivalent", "undecided", "not worse than KAN"}
    assert found.loc[("BSpline_MLP − MLP", "classification"), "verdict"] == "equivalent"


def test_an_mlp_with_splines_is_not_worse_where_the_interval_shows_it_and_undecided_where_not():
    words = ("passes KAN", "falls short of KAN")
    for low, verdict in ((-0.02, "not worse than KAN"), (-0.05, "undecided"), (-math.inf, "undecided"), (0.01, "passes KAN")):
        estimate = {"effect": 0.25, "low": low, "high": 0.5 - low, "narrow_low": low, "narrow_high": 0.5 - low}
        assert (
            findings._claim(2, "a − b", "f", RATIO, estimate, math.log10(1.1), words, "not worse than KAN")["verdict"]
            == verdict
        )
        assert findings._claim(2, "a − b", "f", RATIO, estimate, math.log10(1.1), words)["verdict"] != "not worse than KAN"


def test_the_margin_of_classification_is_at_least_one_test_row():
    scores = made_up_scores({"MLP": (0, 0), KAN: (0, 2), "BSpline_MLP": (0, 0), "BSpline_First_MLP": (0, 0)})
    verdicts = {}
    for test_rows in (36, 1000):
        found = findings.claims(scores, test_rows).set_index(["comparison", "on"])
        verdicts[test_rows] = found.loc[("KAN − MLP", "classification"), ["margin", "verdict"]].tolist()
    assert verdicts == {36: [pytest.approx(100 / 36), "equivalent"], 1000: [0.5, "KAN is better"]}


def test_the_contrast_is_over_seeds_where_one_group_is_small():
    levels = {"MLP": (0, 0), KAN: (1, 1), "BSpline_MLP": (2, 1), "BSpline_First_MLP": (1, 2)}
    for many, few in (("symbolic", "classes"), ("classes", "symbolic")):
        found = claimed(levels, by_shares, **{many: "ABCDE", few: "V"})
        over = found.loc["BSpline_MLP − MLP", "interval_over"]
        assert over["symbolic functions − classification"] == "seed"
        assert sorted([over["symbolic functions"], over["classification"]]) == ["dataset", "seed"]
        assert found.drop(columns="remark").notna().all(axis=None) and found["remark"].isna().all()


def test_learned_splines_are_read_point_by_point(tmp_path):
    spec = DrawnSpec(dataset="Digits", model="BSpline_MLP", widths=(2,), points=2)
    layers = [
        {"layer": 1, "count": 7, "low": -0.5, "high": 0.75, "x": [-1.0, 1.0], "y": [[3.0, 4.0], [5.0, 6.0]]},
        {"layer": 2, "count": 8, "low": -0.25, "high": 1.0, "x": [-2.0, 2.0], "y": [[7.0, 9.0]]},
    ]
    runs = pandas.DataFrame(
        [
            {"dataset": "Digits", "model": "BSpline_MLP", "record": kept(tmp_path, spec, {"activations": layers})},
            {"dataset": "Digits", "model": "KAN", "record": "none", "outcome": "failed"},
        ]
    )
    table = findings.read(runs, tmp_path)
    assert set(table["dataset"]) == {"Digits"} and set(table["model"]) == {"BSpline_MLP"}
    assert table[["layer", "edge", "x", "y", "count", "low", "high"]].to_numpy().tolist() == [
        [1, 0, -1, 3, 7, -0.5, 0.75],
        [1, 0, 1, 4, 7, -0.5, 0.75],
        [1, 1, -1, 5, 7, -0.5, 0.75],
        [1, 1, 1, 6, 7, -0.5, 0.75],
        [2, 0, -2, 7, 8, -0.25, 1],
        [2, 0, 2, 9, 8, -0.25, 1],
    ]


@BOTH
def test_runs_without_a_score_are_counted_where_another_rate_has_one(metric):
    runs, places = tried_and_run([("MLP", 8, 1, 0.1, math.nan, math.nan), ("MLP", 8, 1, 0.2, 3.0, 2.5)], metric)
    runs["outcome"] = ["failed", "at chance"]
    found = findings.scores(runs, places)
    assert found[["lr", "outcome", "lost"]].to_numpy().tolist() == [[0.2, "at chance", 1]]
    with pytest.raises(InputError, match="none of 1 runs has a score, 1 of 1 runs failed .*; there is nothing to compare"):
        findings.scores(runs[:1].assign(model="MLP"), places[:1])


def test_claims_remark_on_runs_at_chance_and_of_a_network_without_a_score_there_are_none():
    scores = made_up_scores({"MLP": (0, 0), KAN: (1, 1), "BSpline_MLP": (2, 1)})
    scores.loc[(scores["variant"] == KAN) & (scores["dataset"] == "c"), "outcome"] = "at chance"
    found = findings.claims(scores).set_index(["comparison", "on"])["remark"]
    assert found["KAN − MLP", "classification"] == f"{KAN} is at chance on c"
    assert found["BSpline_MLP − KAN", "classification"] == f"{KAN} is at chance on c"
    assert pandas.isna(found["KAN − MLP", "symbolic functions"])
    assert not any("First" in comparison for comparison, _ in found.index)
    assert findings.budget_ratios(scores[scores["variant"] != KAN].assign(live_parameters=5))["median"].isna().all()
