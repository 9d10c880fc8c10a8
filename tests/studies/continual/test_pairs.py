"""KAN against MLP, seed by seed, on runs made by hand.

The 95 % interval of m − h, m + h is m ± 12.706 h.
"""

import numpy
import pandas
import pytest
from helpers import joined, stream_runs

from kanbefair.studies.continual import findings, pairs


def test_gaps_are_kan_minus_relu_of_the_same_seeds_and_optimiser_state():
    best = joined(
        stream_runs(
            network="KAN", test_forgetting=[30.0, 34.0, 99.0], test_average=[50.0, 51.0, 0.0], test_learned=[80.0, 82.0, 0.0]
        ),
        stream_runs(network="MLP relu", test_forgetting=[20.0, 22.0], test_average=[55.0, 58.0], test_learned=[70.0, 70.0]),
        stream_runs(network="MLP gelu", test_forgetting=[1.0, 1.0], test_average=[1.0, 1.0], test_learned=[1.0, 1.0]),
        stream_runs(network="KAN", test_forgetting=[5.0, 5.0], optimizer_state="reset"),
        stream_runs(network="MLP relu", test_forgetting=[8.0, 8.0], optimizer_state="reset"),
    )
    found = findings.gaps(best).set_index(["optimizer_state", "measure"])[["effect", "low", "high", "seeds"]]
    assert found.loc[("carried", "forgetting")].tolist() == pytest.approx([11, 11 - 12.706, 11 + 12.706, 2], abs=1e-3)
    assert found.loc[("carried", "average")].tolist() == pytest.approx([-6, -6 - 12.706, -6 + 12.706, 2], abs=1e-3)
    assert found.loc[("carried", "learned")].tolist() == pytest.approx([11, 11 - 12.706, 11 + 12.706, 2], abs=1e-3)
    assert found.loc[("reset", "forgetting")].tolist() == [-3, -3, -3, 2]


def test_remedies_are_measured_with_the_optimiser_carried_over():
    best = joined(
        stream_runs(test_average=[30.0, 40.0]),
        stream_runs(test_average=[50.0, 62.0], strategy="replay"),
        stream_runs(test_average=[0.0, 0.0], optimizer_state="reset"),
        stream_runs(test_average=[30.0, 40.0], network="MLP relu"),
        stream_runs(test_average=[35.0, 47.0], network="MLP relu", strategy="replay"),
    )
    found = findings.remedies(best).set_index("network")["gain"]
    assert found.to_dict() == {"KAN": 21, "MLP relu": 6, "KAN − MLP relu": 15}


def test_of_the_rates_that_reach_a_level_the_one_that_validation_likes_best_counts():
    line = pandas.DataFrame({"valid_learned": [50, 80, 99], "valid_average": [50, 60, 30], "test_average": [51, 61, 29]})
    assert pairs.kept(line, numpy.array([40, 70, 80, 81, 99])).tolist() == [61, 61, 61, 29, 29]


def test_equal_learning_takes_the_levels_that_both_reach():
    rates = {"lr": [1, 2, 3], "valid_learned": [50.0, 80.0, 99.0], "valid_average": [50.0, 60.0, 30.0]}
    table = joined(
        stream_runs(network="KAN", test_average=[31.0, 41.0, 9.0], **rates).assign(seed=1),
        stream_runs(network="MLP relu", test_average=[51.0, 61.0, 29.0], **rates).assign(seed=1),
    )
    found = pairs.equal_learning(table).iloc[0]
    assert (found["low"], found["high"], found["difference"]) == (50, 99, pytest.approx(-20))


@pytest.mark.parametrize("network", ["KAN", "MLP relu"])
def test_without_one_of_the_pair_there_are_no_differences(network):
    best = joined(
        stream_runs(test_average=[30.0, 40.0], network=network),
        stream_runs(test_average=[50.0, 62.0], network=network, strategy="replay"),
    )
    assert findings.gaps(best).empty and pairs.equal_learning(best)["difference"].isna().all()
    assert findings.remedies(best)[["network", "gain"]].to_numpy().tolist() == [[network, 21]]


def test_without_naive_training_no_strategy_adds_anything():
    best = joined(*(stream_runs(test_average=[3.0, 4.0], network=name, strategy="replay") for name in pairs.PAIR))
    assert findings.remedies(best).empty
