"""Tables of the study of continual learning, from runs made by hand."""

import math

import pandas
import pytest
from helpers import joined, kept, spec, stream_runs

from kanbefair.errors import InputError
from kanbefair.studies.continual import findings
from kanbefair.studies.continual.design import Peak, Try
from kanbefair.training.continual.spec import ContinualSpec

SPEC = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="MLP", widths=(2,), seed=1)


OTHER = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="MLP", widths=(2,), seed=2)


def test_each_run_stands_at_its_own_place():
    found = pandas.DataFrame({"key": [OTHER.key, SPEC.key, OTHER.key], "test_average": [2.0, 1.0, 2.0]})
    table = findings.placed(found, [Try("KAN", SPEC), Try("MLP relu", OTHER)])
    assert table[["network", "method", "test_average"]].to_numpy().tolist() == [["KAN", "Adam", 1], ["MLP relu", "Adam", 2]]
    table = findings.placed(found, [Peak("MLP tanh", "LBFGS", OTHER), Peak("one spline", "Adam, reset", SPEC)])
    found = table[["network", "method", "test_average"]].to_numpy().tolist()
    assert found == [["MLP tanh", "LBFGS", 2], ["one spline", "Adam, reset", 1]]


def test_a_run_with_two_places_is_refused():
    with pytest.raises(pandas.errors.MergeError):
        findings.placed(pandas.DataFrame({"key": [SPEC.key]}), [Try("KAN", SPEC), Try("MLP relu", SPEC)])


@pytest.mark.parametrize(
    ("metric", "uneven", "good", "bad"),
    [("accuracy", [90.0, 30.0], [80.0, 79.0], [10.0, 20.0]), ("mae", [0.1, 0.7], [0.2, 0.3], [0.9, 0.8])],
)
def test_the_best_mean_over_seeds_is_chosen_of_accuracies_and_of_errors(metric, uneven, good, bad):
    tried = {0.1: uneven, 0.01: good, 0.001: bad}
    table = joined(*(stream_runs(lr=lr, metric=metric, valid_average=value, test_average=lr) for lr, value in tried.items()))
    for given in (table, table.drop(columns="strength"), table[::-1]):
        best = findings.chosen(given)
        assert best["lr"].tolist() == [0.01, 0.01] and sorted(best["valid_average"]) == sorted(good)
        assert list(best.columns) == [*given.columns, "lost"] and not best["lost"].any()


def test_a_setting_of_which_a_run_diverged_is_not_chosen():
    table = joined(stream_runs(lr=0.1, valid_average=[99.0, math.nan]), stream_runs(lr=0.01, valid_average=[30.0, 34.0]))
    assert findings.chosen(table)["lr"].tolist() == [0.01, 0.01]
    assert findings.chosen(table)["lost"].tolist() == [1, 1]


def test_a_network_without_any_score_has_no_row_and_all_without_is_refused():
    lost = stream_runs(network="MLP relu", valid_average=[math.nan, math.nan], outcome="failed")
    assert set(findings.chosen(joined(lost, stream_runs(valid_average=[30.0, 34.0])))["network"]) == {"KAN"}
    with pytest.raises(InputError, match="none of 2 runs can be chosen, .*2 of 2 runs failed"):
        findings.chosen(lost.assign(model="MLP"))


def test_runs_at_chance_and_without_a_score_are_counted():
    table = joined(
        stream_runs(lr=0.1, valid_average=[math.nan, 50.0], test_average=[math.nan, 40.0], outcome=["failed", "done"]),
        stream_runs(lr=0.01, valid_average=[10.0, 20.0], test_average=[10.0, 30.0], outcome=["at chance", "done"]),
    )
    row = findings.summary(findings.chosen(table)).iloc[0]
    assert (row["lr"], row["at_chance"], row["lost"]) == (0.01, 1, 1)
    plane = findings.plasticity(table).set_index("lr")
    assert plane.loc[0.1, ["test_average", "at_chance", "lost"]].tolist() == [40, 0, 1]
    assert plane.loc[0.01, ["test_average", "at_chance", "lost"]].tolist() == [20, 1, 0]


def test_a_strength_is_chosen_together_with_the_rate():
    tried = {(0.1, 1.0): 40.0, (0.1, 9.0): 60.0, (0.01, 1.0): 50.0, (0.01, 9.0): 30.0}
    table = joined(*(stream_runs(lr=lr, strength=s, valid_average=value) for (lr, s), value in tried.items()))
    assert findings.chosen(table)[["lr", "strength"]].to_numpy().tolist() == [[0.1, 9.0]]


@pytest.mark.parametrize("column", ["dataset", "stream_name", "network", "method", "strategy", "optimizer_state"])
def test_each_group_chooses_for_itself(column):
    table = joined(
        stream_runs(lr=[0.1, 0.01, 0.001], seed=1, valid_average=[50.0, 40.0, 30.0]),
        stream_runs(lr=[0.1, 0.01, 0.001], seed=1, valid_average=[60.0, 70.0, 90.0], **{column: "another"}),
    )
    assert findings.chosen(table)["lr"].tolist() == [0.1, 0.001]


def test_the_summary_has_each_measure_with_its_interval():
    means = {"average": 10, "learned": 20, "backward": 30, "backward_paper": 40, "forgetting": 51}
    values = {f"test_{name}": [mean - 1, mean + 1] for name, mean in means.items()}
    row = findings.summary(stream_runs(metric="mae", overlap=[0.2, 0.4], lost=0, **values)).iloc[0]
    assert row[list(means)].to_dict() == means
    assert [row["forgetting_low"], row["forgetting_high"]] == pytest.approx([51 - 12.706, 51 + 12.706], abs=1e-3)
    assert (row["metric"], row["overlap"], row["seeds"], row["lr"]) == ("mae", pytest.approx(0.3), 2, 0.01)


def test_plasticity_is_the_mean_over_seeds_at_each_rate_of_naive_training():
    table = joined(
        stream_runs(lr=0.1, test_learned=[90.0, 96.0], test_average=[20.0, 30.0]),
        stream_runs(lr=0.01, test_learned=[50.0, 60.0], test_average=[40.0, 42.0]),
        stream_runs(lr=0.1, test_learned=[1.0, 2.0], test_average=[3.0, 4.0], network="MLP relu"),
        stream_runs(lr=0.1, test_learned=[7.0, 7.0], test_average=[7.0, 7.0], strategy="joint"),
        stream_runs(lr=0.01, test_learned=[8.0, 8.0], test_average=[8.0, 8.0], optimizer_state="reset"),
    )
    found = findings.plasticity(table)
    found = found[["network", "lr", "test_learned", "test_average"]].to_numpy().tolist()
    assert found == [["KAN", 0.1, 93, 25], ["KAN", 0.01, 55, 41], ["MLP relu", 0.1, 1.5, 3.5]]


def test_matrices_say_what_is_known_after_a_task_on_a_task():
    seen = {"test_1_1": [90.0, 94.0], "test_1_2": [1.0, 3.0], "test_2_1": [30.0, 40.0], "test_2_2": [80.0, 82.0]}
    other = {name: [7.0, 7.0] for name in seen}
    best = joined(
        stream_runs(**seen),
        stream_runs(**other, network="MLP gelu"),
        stream_runs(**other, strategy="ewc"),
        stream_runs(**other, optimizer_state="reset"),
        stream_runs(test_1_1=[60.0], test_3_1=[9.0], strategy="joint", metric="mae"),
    )
    found = findings.matrices(best, ["KAN", "MLP relu"], ["naive", "joint"])
    assert found[["strategy", "metric", "after", "on", "value"]].to_numpy().tolist() == [
        ["naive", "accuracy", 1, 1, 92],
        ["naive", "accuracy", 1, 2, 2],
        ["naive", "accuracy", 2, 1, 35],
        ["naive", "accuracy", 2, 2, 81],
        ["joint", "mae", 1, 1, 60],
        ["joint", "mae", 3, 1, 9],
    ]


def test_pictures_are_those_of_the_first_seed_in_the_order_of_tasks(tmp_path):
    names = ["flat", "spline1", "spline2", "adam", "tanh", "unwanted"]
    pictures = [{"picture": [[number] * 200 + [number + 0.5], [-number] * 201]} for number in range(len(names))]
    pictures[0] = {}
    runs = [spec(seed=number) for number in range(len(names))]
    flat, first, second, adam, tanh, unwanted = (kept(tmp_path, *own) for own in zip(runs, pictures, strict=True))
    best = joined(
        stream_runs(record=flat, method="LBFGS", dataset="Peaks_2d"),
        stream_runs(record=[first, second], method="LBFGS"),
        stream_runs(record=adam, network="MLP tanh", method="Adam, reset"),
        stream_runs(record=tanh, network="MLP tanh", method="LBFGS"),
        stream_runs(record=unwanted, network="BSpline_MLP", method="LBFGS"),
    )
    found = findings.pictures(best, ["MLP tanh", "KAN"], "LBFGS", tmp_path)
    assert list(found.columns) == ["network", "after", "x", "y"] and len(found) == 4 * 201
    left, right = (found[found["x"] == end][["network", "after", "y"]].to_numpy().tolist() for end in (-1, 1))
    assert left == [["KAN", 1, 1], ["KAN", 2, -1], ["MLP tanh", 1, 4], ["MLP tanh", 2, -4]]
    assert right == [["KAN", 1, 1.5], ["KAN", 2, -1], ["MLP tanh", 1, 4.5], ["MLP tanh", 2, -4]]
