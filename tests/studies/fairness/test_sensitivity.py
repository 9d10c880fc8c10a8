import math

import numpy
import pandas
import pytest

from kanbefair.report import columns
from kanbefair.studies.fairness import sensitivity, sizes
from kanbefair.studies.fairness.datasets import CONFIRMATORY
from kanbefair.studies.fairness.sensitivity import NOT_RUN, TOO_FEW
from kanbefair.studies.fairness.variations import VARIATIONS

EMPTY = pandas.DataFrame()


def runs(ahead, domain="text", metric="accuracy", **fields):
    """Frozen runs whose KAN is ahead by so much on each dataset; at the last epoch the MLP is ahead by as much."""
    rows = []
    for number, own in enumerate(ahead):
        for family, sign in (("KAN", 1), ("MLP", -1)):
            for kind in sizes.KINDS:
                value, last = sign * own / 2, -sign * own / 2
                score, end = (80 + value, 80 + last) if metric == "accuracy" else (0.1 * 10**-value, 0.1 * 10**-last)
                rows.append((f"{domain} {number}", family, kind, score, end))
    table = pandas.DataFrame(rows, columns=["dataset", "family", "budget_kind", "score", "score_last"])
    own = {"domain": domain, "source": table["dataset"], "level": 1, "seed": 101, "division": 0, "metric": metric}
    return table.assign(**own, score_best=table["score"], test_rows=1000).assign(**fields)


def tries(final):
    """Tries of which each cell's best has the score of its frozen run."""
    worse = 1 if final["metric"].iloc[0] == "accuracy" else 10.0
    other = final["score"] - worse if worse == 1 else final["score"] * worse
    own = [final.assign(valid=final["score"], trial=0), final.assign(valid=other, trial=1)]
    return pandas.concat(own, ignore_index=True).assign(outcome="done")


def of(table, variation, value):
    own = table[(table["variation"] == variation) & (table["value"] == value)]
    return own.set_index(sensitivity.PLACE)


def test_nothing_has_run_yet():
    table = sensitivity.labels(EMPTY, EMPTY, EMPTY)
    columns.check("extended/fairness_sensitivity_labels", table.columns)
    assert set(table["label"]) == {NOT_RUN}
    assert table.groupby(["variation", "value"]).ngroups == sum(len(own.choices) for own in VARIATIONS.values())
    assert set(of(table, "flops", "paper").index) == {(domain, "flops") for domain in CONFIRMATORY}


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_other_epochs_of_the_same_runs_turn_the_label(metric):
    final = runs([1.0, 2.0, 3.0, 4.0, 5.0], metric=metric)
    table = sensitivity.labels(final, tries(final), EMPTY)
    last, best = (of(table, "epoch", value).loc["text"] for value in ("last", "best"))
    assert last["label"].tolist() == ["MLP", "MLP"] and last["main_label"].tolist() == ["KAN", "KAN"]
    assert best["label"].tolist() == ["KAN", "KAN"]
    assert last["estimate"].to_numpy() == pytest.approx(-3)
    assert last["main_estimate"].to_numpy() == pytest.approx(3)
    assert set(of(table, "epochs", "halved")["label"]) == {NOT_RUN}


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_fewer_tries_are_compared_by_the_expected_best(metric):
    final = runs([1.0, 2.0, 3.0, 4.0, 5.0], metric=metric)
    own = tries(final)
    worst = own["trial"] == 1
    own.loc[worst & (own["family"] == "KAN"), "valid"] *= 0.5 if metric == "accuracy" else 100
    table = sensitivity.labels(final, own, EMPTY)
    assert of(table, "tries", "2").loc["text", "estimate"].to_numpy() == pytest.approx(3)
    # of one try the mean of both; a KAN's other try has half of its accuracy less 1, or a thousandfold error
    one = of(table, "tries", "1").loc["text", "estimate"]
    ahead = numpy.arange(1, 6)
    kan, mlp = 80 + ahead / 2, 80 - ahead / 2
    expected = ((kan + (kan - 1) / 2) / 2 - (mlp - 0.5)).mean() if metric == "accuracy" else 3 - (3 - 1) / 2
    assert one.to_numpy() == pytest.approx(expected)


def test_a_try_without_result_counts_as_the_worst():
    final = runs([1.0, 2.0, 3.0, 4.0, 5.0])
    own = tries(final)
    failed = (own["trial"] == 1) & (own["family"] == "KAN")
    own.loc[failed, ["valid", "outcome"]] = [math.nan, "failed"]
    table = sensitivity.labels(final, own, EMPTY)
    ahead = numpy.arange(1, 6)
    worst = 80 - ahead / 2 - 1
    expected = ((80 + ahead / 2 + worst) / 2 - (80 - ahead / 2 - 0.5)).mean()
    assert of(table, "tries", "1").loc["text", "estimate"].to_numpy() == pytest.approx(expected)


def test_other_runs_stand_beside_the_study_on_the_same_datasets():
    final = runs([2.0, 2.5, 3.0, 3.5, -50.0])
    varied = runs([-2.0, -2.5, -3.0, -3.5], variation="epochs", value="halved")
    table = of(sensitivity.labels(final, tries(final), varied), "epochs", "halved").loc["text"]
    assert table["label"].tolist() == ["MLP", "MLP"] and table["main_label"].tolist() == ["KAN", "KAN"]
    assert table["sources"].tolist() == [4, 4]
    assert table["main_estimate"].to_numpy() == pytest.approx(2.75)
    few = of(sensitivity.labels(final, tries(final), varied[varied["dataset"] < "text 3"]), "epochs", "halved")
    assert few.loc["text", "label"].tolist() == [TOO_FEW, TOO_FEW]
    assert set(few.drop("text")["label"]) == {NOT_RUN}


def test_other_kinds_of_budget_stand_beside_the_studys():
    final = runs([1.0, 2.0, 3.0, 4.0])
    varied = runs([-1.0, -2.0, -3.0, -4.0], variation="flops", value="paper")
    varied = varied[varied["budget_kind"] == "flops"].assign(budget_kind="flops_paper")
    row = of(sensitivity.labels(final, tries(final), varied), "flops", "paper").loc[("text", "flops")]
    assert (row["label"], row["main_label"]) == ("MLP", "KAN")


def test_the_matrix_has_a_row_a_choice_and_a_column_a_domain():
    final = runs([1.0, 2.0, 3.0, 4.0, 5.0])
    table = sensitivity.labels(final, tries(final), EMPTY)
    found = sensitivity.matrix(table)
    assert found.index.tolist() == [(own.name, value) for own in VARIATIONS.values() for value in own.choices]
    assert found.columns.tolist() == [(domain, kind) for domain in CONFIRMATORY for kind in sizes.KINDS]
    assert found.loc[("epoch", "last"), ("text", "flops")] == "MLP"
    assert found.loc[("flops", "paper"), ("text", "values")] is None
