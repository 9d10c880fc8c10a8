"""What the study of continual learning says, from made-up runs."""

import math

import numpy
import pandas
import pytest

from kanbefair.studies.continual import findings, pairs


def _table(rows: list[tuple]) -> pandas.DataFrame:
    """Made-up runs: network, strategy, strength, lr, seed, valid_average, test_average, test_learned, test_forgetting."""
    names = [
        "network",
        "strategy",
        "strength",
        "lr",
        "seed",
        "valid_average",
        "test_average",
        "test_learned",
        "test_forgetting",
    ]
    common = {
        "dataset": "Digits",
        "stream_name": "3 × 2 classes",
        "method": "Adam",
        "optimizer_state": "carried",
        "metric": "accuracy",
        "overlap": 0.5,
        "live_parameters": 100,
        "test_backward": 0.0,
        "test_backward_paper": 0.0,
    }
    table = pandas.DataFrame(rows, columns=names).assign(**common)
    return table.assign(valid_learned=table["test_learned"])


NAN = math.nan


RUNS = _table(
    [
        ("KAN", "naive", NAN, 0.1, 1, 30, 31, 95, 60),
        ("KAN", "naive", NAN, 0.1, 2, 34, 33, 95, 64),
        ("KAN", "naive", NAN, 0.2, 1, 99, 98, 99, 1),
        ("KAN", "naive", NAN, 0.2, 2, NAN, NAN, NAN, NAN),
        ("KAN", "ewc", 1.0, 0.1, 1, 40, 41, 90, 40),
        ("KAN", "ewc", 1.0, 0.1, 2, 42, 43, 90, 40),
        ("KAN", "ewc", 9.0, 0.1, 1, 50, 51, 80, 20),
        ("KAN", "ewc", 9.0, 0.1, 2, 20, 21, 80, 20),
        ("MLP relu", "naive", NAN, 0.1, 1, 50, 50, 95, 40),
        ("MLP relu", "naive", NAN, 0.1, 2, 54, 55, 95, 42),
        ("MLP relu", "ewc", 1.0, 0.1, 1, 60, 60, 95, 30),
        ("MLP relu", "ewc", 1.0, 0.1, 2, 64, 68, 95, 32),
    ]
)


def test_validation_chooses_rate_and_strength_and_leaves_diverged_settings_out():
    best = findings.chosen(RUNS)
    kan = best[best["network"] == "KAN"]
    assert set(kan[kan["strategy"] == "naive"]["lr"]) == {0.1}
    assert kan[kan["strategy"] == "ewc"]["strength"].tolist() == [1.0, 1.0]
    row = findings.summary(best).set_index(["network", "strategy"]).loc[("KAN", "naive")]
    assert row["average"] == 32 and row["average_low"] < 31 and row["seeds"] == 2


def test_gaps_and_remedies_are_paired_by_seed():
    best = findings.chosen(RUNS)
    gaps = findings.gaps(best).set_index(["strategy", "measure"])
    assert gaps.loc[("naive", "average"), "effect"] == pytest.approx((31 - 50 + 33 - 55) / 2)
    assert gaps.loc[("naive", "forgetting"), "effect"] == pytest.approx((60 - 40 + 64 - 42) / 2)
    gains = findings.remedies(best).set_index(["strategy", "network"])["gain"]
    assert gains[("ewc", "KAN")] == pytest.approx(10) and gains[("ewc", "MLP relu")] == pytest.approx(11.5)
    assert gains[("ewc", "KAN − MLP relu")] == pytest.approx(-1.5)


def test_what_is_kept_at_equal_learning():
    line = pandas.DataFrame({"valid_learned": [50, 80, 99], "valid_average": [50, 60, 30], "test_average": [51, 61, 29]})
    assert pairs.kept(line, numpy.array([40, 70, 80, 81, 99])).tolist() == [61, 61, 61, 29, 29]
    mlp = line.assign(network="MLP relu")
    kan = line.assign(network="KAN", test_average=line["test_average"] - 20)
    place = {"dataset": "Digits", "stream_name": "s", "strategy": "naive", "optimizer_state": "carried", "seed": 1}
    found = pairs.equal_learning(pandas.concat([kan, mlp]).assign(**place)).iloc[0]
    assert found["difference"] == pytest.approx(-20) and (found["low"], found["high"]) == (50, 99)


def test_claims_stand_together_in_order():
    first, second = pandas.DataFrame({"claim": [4], "x": [1]}), pandas.DataFrame({"claim": [2, 3], "y": [1, 2]})
    assert findings.all_claims(None, first)["claim"].tolist() == [4]
    assert findings.all_claims(first, second)["claim"].tolist() == [2, 3, 4]
