# ruff: noqa: PD011 (the optimiser has a field `values`)
"""Streams, strategies and metrics of continual learning."""

import math
from dataclasses import replace

import numpy
import pandas
import pytest
import torch

from kanbefair import sweep, training
from kanbefair.data import Task, load
from kanbefair.errors import InputError
from kanbefair.models import build
from kanbefair.models.layers import Linear
from kanbefair.studies.continual import design, findings
from kanbefair.training.continual import streams
from kanbefair.training.continual.anchored import Anchored, fisher
from kanbefair.training.continual.grid_update import update_grids
from kanbefair.training.continual.knots import knot_use, overlap, shares
from kanbefair.training.continual.loop import train
from kanbefair.training.continual.metrics import summary
from kanbefair.training.continual.spec import ContinualSpec
from kanbefair.training.continual.strategies import STRATEGIES
from kanbefair.training.continual.task_rows import TaskRows

PAIRS = ((0, 1), (2, 3), (4, 5))
SMALL = {
    "dataset": "Digits",
    "stream": "classes",
    "groups": PAIRS,
    "model": "MLP",
    "widths": (16,),
    "epochs": 3,
    "lr": 1e-2,
    "batch_size": 32,
    "seed": 1,
}
KAN = {"model": "KAN", "widths": (3,), "grid": 3}


@pytest.fixture(scope="module")
def digits() -> Task:
    return load("Digits")


def spec(**given) -> ContinualSpec:
    return ContinualSpec(**SMALL | given)


def matrix(record: dict) -> numpy.ndarray:
    return numpy.array([[record[f"test_{t}_{i}"] for i in (1, 2, 3)] for t in (1, 2, 3)])


def test_metrics_of_a_hand_worked_accuracy_matrix():
    # learned 90, 80, 70; task 1 falls to 30 after a best of 90, task 2 from 80 to 60
    r = numpy.array([[90.0, 10, 20], [50, 80, 0], [30, 60, 70]])
    assert summary(r, "accuracy") == {
        "average": pytest.approx(160 / 3),
        "learned": pytest.approx(80),
        "backward": pytest.approx(-40),
        "backward_paper": pytest.approx(-80 / 3),
        "forgetting": pytest.approx(40),
    }


def test_forgetting_counts_from_the_best_and_backward_transfer_from_the_diagonal():
    r = numpy.array([[60.0, 0], [60, 50]])
    assert summary(r, "accuracy")["forgetting"] == 0
    r = numpy.array([[60.0, 0, 0], [80, 50, 0], [70, 50, 40]])
    found = summary(r, "accuracy")
    assert found["forgetting"] == pytest.approx((10 + 0) / 2)
    assert found["backward"] == pytest.approx((10 + 0) / 2)


def test_for_errors_forgetting_is_positive_when_the_error_grows():
    r = numpy.array([[0.1, 9.0], [0.4, 0.2]])
    assert summary(r, "mae") == {
        "average": pytest.approx(0.3),
        "learned": pytest.approx(0.15),
        "backward": pytest.approx(-0.3),
        "backward_paper": pytest.approx(-0.15),
        "forgetting": pytest.approx(0.3),
    }


def test_class_tasks_hold_their_classes_renumbered_over_shared_outputs(digits):
    tasks = streams.class_tasks(digits, ((7, 2), (0,)))
    assert [torch.unique(task.y_train).tolist() for task in tasks] == [[0, 1], [2]]
    assert {task.output_size for task in tasks} == {3}
    sevens = digits.x_test[digits.y_test == 7]
    assert torch.equal(tasks[0].x_test[tasks[0].y_test == 0], sevens)
    whole = streams.joined(tasks)
    assert len(whole.x_train) == int(torch.isin(digits.y_train, torch.tensor([7, 2, 0])).sum())


def test_permuted_tasks_reorder_the_inputs_alike_in_all_parts(digits):
    tasks = streams.permuted_tasks(digits, 3)
    assert torch.equal(tasks[0].x_train, digits.x_train)
    for task in tasks[1:]:
        assert not torch.equal(task.x_train, digits.x_train)
        assert torch.equal(task.x_test.sort(dim=1).values, digits.x_test.sort(dim=1).values)
        assert torch.equal(task.y_train, digits.y_train)
        order = [int((digits.x_train == column[:, None]).all(0).nonzero()[0]) for column in task.x_train.T[:3]]
        assert torch.equal(task.x_test[:, :3], digits.x_test[:, order])


@pytest.mark.parametrize("name", ["Peaks_1d", "Peaks_2d"])
def test_peak_tasks_are_the_surroundings_of_each_peak(name):
    task = load(name)
    tasks = streams.peak_tasks(task)
    assert len(tasks) == 5 and sum(len(own.x_train) for own in tasks) == len(task.x_train)
    for own in tasks:
        top = own.x_train[own.y_train.argmax()]
        assert own.y_train.max() > 0.9 and (own.x_train - top).norm(dim=1).max() < (0.25 if name == "Peaks_1d" else 1.2)


def test_joint_training_beats_naive(digits):
    naive, joint = (train([spec(**kind, seed=seed) for seed in (1, 2)], digits) for kind in ({}, {"strategy": "joint"}))
    assert all(b["test_average"] > a["test_average"] + 20 for a, b in zip(naive, joint, strict=True))
    assert all(b["test_forgetting"] < a["test_forgetting"] - 20 for a, b in zip(naive, joint, strict=True))


def test_replay_of_the_whole_history_is_joint_training(digits):
    history = sum(len(task.x_train) for task in streams.class_tasks(digits, PAIRS)[:-1])
    joint, replay, less = (
        train([spec(**kind)], digits)[0]
        for kind in (
            {"strategy": "joint"},
            {"strategy": "replay", "buffer": history},
            {"strategy": "replay", "buffer": history // 2},
        )
    )
    assert numpy.array_equal(matrix(joint), matrix(replay))
    assert not numpy.array_equal(matrix(joint), matrix(less))


def test_a_larger_buffer_forgets_less(digits):
    scores = [train([spec(strategy="replay", buffer=rows)], digits)[0]["test_average"] for rows in (2, 20, 200)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 10


@pytest.mark.parametrize("model", [{}, KAN])
@pytest.mark.parametrize("strategy", ["ewc", "knots"])
def test_a_strength_of_zero_is_naive_exactly_and_a_large_one_holds_on(digits, model, strategy):
    naive = train([spec(**model)], digits)[0]
    zero, strong = train([spec(**model, strategy=strategy, strength=value) for value in (0.0, 1e5)], digits)
    assert numpy.array_equal(matrix(naive), matrix(zero))
    assert strong["test_learned"] < naive["test_learned"] - 20 or strong["test_forgetting"] < naive["test_forgetting"]
    assert not numpy.array_equal(matrix(naive), matrix(strong))


def test_fisher_information_of_logistic_regression(digits):
    """For one linear layer the diagonal is E[x²·p(1−p)]: the exact expectation over the answers."""
    own = spec(model="MLP", activation="identity", widths=(4,), strategy="ewc", strength=1.0)
    task = streams.joined(own.tasks_of(digits))
    network = build([own], task)
    network.reset([torch.Generator().manual_seed(0)])
    with torch.no_grad():
        network.layers[2].weight.mul_(3)
    rows = torch.arange(200).expand(1, -1)
    draws = [torch.rand(1, 200, generator=torch.Generator().manual_seed(n)) for n in range(20)]
    anchored = Anchored(network, [own])
    found = sum(fisher(anchored, task, rows, draw) for draw in draws) / len(draws)
    with torch.no_grad():
        inner = network.layers[0](task.x_train[:200])
        p = network.layers[2](inner)[0].softmax(-1)
        expected = (inner[0].square().unsqueeze(2) * (p * (1 - p)).unsqueeze(1)).mean(0)
    weights = network.layers[2].weight
    start = sum(q.numel() for q in network.layers[0].parameters())
    ours = found[start : start + weights.numel()].view_as(weights)[0]
    assert (ours - expected).abs().max() < 0.1 * expected.max()


def test_the_pull_is_the_gradient_of_the_penalty(digits):
    own = spec(strategy="ewc", strength=3.0)
    network = build([own], streams.joined(own.tasks_of(digits)))
    network.reset([torch.Generator().manual_seed(0)])
    anchored = Anchored(network, [own])
    first, omega = anchored.inner.values.clone(), torch.rand_like(anchored.inner.values)
    anchored.hold(omega)
    anchored.inner.values.add_(0.5)
    second, other = anchored.inner.values.clone(), torch.rand_like(omega)
    anchored.hold(other)
    anchored.inner.values.sub_(0.25)
    theta = anchored.inner.values.clone().requires_grad_()
    (1.5 * (omega * (theta - first).square() + other * (theta - second).square()).sum()).backward()
    anchored.zero_grad()
    anchored.inner.step = lambda: None
    anchored.step()
    size = sum(p.numel() for p in network.parameters())
    assert torch.allclose(anchored.inner.gradient[:size], theta.grad[:size], atol=1e-5)


def test_knots_in_use_are_those_whose_basis_is_not_zero():
    own = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="KAN", widths=(), grid=4, order=1, shortcut="zero")
    tasks = own.tasks_of(load("Peaks_1d"))
    network = build([own], tasks[0])
    network.reset([torch.Generator().manual_seed(0)])
    places = ([[-1.0], [-0.75]], [[0.1]], [[0.9]])
    first, middle, last = (knot_use(network, torch.tensor(x)) for x in places)
    assert first["layers.0.coefficients"].tolist() == [[[1.0, 0.5, 0.0, 0.0, 0.0]]]
    assert overlap(first, last, 1).tolist() == [0.0] and overlap(last, last, 1).tolist() == [1.0]
    assert overlap(middle, last, 1).tolist() == [pytest.approx(1 / 3)]
    names = [name for name, _ in network.named_parameters()]
    sizes = {name: share.shape for name, share in zip(names, shares(network, first), strict=True)}
    assert sizes["layers.0.coefficients"] == (1, 1, 5, 1) and sizes["layers.0.bias"] == ()


def test_a_grid_update_keeps_the_function_on_the_rows_it_sees():
    own = ContinualSpec(dataset="Peaks_2d", stream="peaks", model="KAN", widths=(3,), grid=8, shortcut="silu", seed=3)
    task = load("Peaks_2d")
    network = build([own], task)
    network.reset([torch.Generator().manual_seed(3)])
    with torch.no_grad():
        for layer in network.layers:
            layer.coefficients.mul_(20)
        before = network(task.x_train)
        update_grids(network, task.x_train)
        assert (network(task.x_train) - before).abs().max() < 0.05 * before.std()
        update_grids(network, task.x_train[:200] * 0.1)
    assert network.layers[0].grid.high.max() < 0.2


def test_on_one_dimension_local_knots_forget_nothing_and_a_base_branch_forgets():
    task = load("Peaks_1d")
    common = {
        "dataset": "Peaks_1d",
        "stream": "peaks",
        "model": "KAN",
        "widths": (),
        "grid": 100,
        "epochs": 40,
        "lr": 0.03,
        "optimizer_state": "reset",
        "batch_size": 32,
    }
    local = train([ContinualSpec(**common, shortcut="zero", without=("scale", "bias"))], task)[0]
    based = train([ContinualSpec(**common, shortcut="silu", without=("scale", "bias"))], task)[0]
    assert local["overlap"] < 0.02
    assert local["test_learned"] < 0.02 and local["test_forgetting"] < 0.003
    assert based["test_learned"] < 0.02 and based["test_forgetting"] > 0.03
    assert len(local["curves"]["picture"]) == 5 and len(local["curves"]["picture"][0]) == 201


def test_a_table_without_hidden_layers_does_what_a_kan_of_one_spline_does():
    task = load("Peaks_1d")
    common = {"dataset": "Peaks_1d", "stream": "peaks", "widths": (), "grid": 50, "order": 3, "epochs": 3, "lr": 0.01}
    kan = build([ContinualSpec(**common, model="KAN", shortcut="zero", without=("scale", "bias"))], task)
    table = build([ContinualSpec(**common, model="LocalBasis")], task)
    values = torch.randn(1, 53, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        kan.reset([torch.Generator().manual_seed(0)])
        kan.layers[0].coefficients.copy_(values.unsqueeze(1))
        table.layers[1].weight.copy_(values)
        assert torch.allclose(kan(task.x_test), table(task.x_test), atol=1e-6)
    plane = build([ContinualSpec(**common | {"dataset": "Peaks_2d", "grid": 5}, model="LocalBasis")], load("Peaks_2d"))
    assert torch.allclose(plane.layers[0](load("Peaks_2d").x_test).sum(-1), torch.ones(2000), atol=1e-5)


@pytest.mark.parametrize("kind", [{}, KAN, {"strategy": "ewc", "strength": 10.0}, {"strategy": "replay", "buffer": 20}])
def test_a_run_does_not_depend_on_its_stack(digits, kind):
    specs = [spec(**kind, seed=seed, lr=lr) for seed, lr in ((1, 1e-2), (2, 1e-3), (3, 1e-2))]
    together = train(specs, digits)
    alone = train(specs[1:2], digits)[0]
    same = ("test_average", "test_forgetting", "valid_average", "test_2_1", "test_3_3")
    assert [together[1][name] for name in same] == pytest.approx([alone[name] for name in same], abs=1e-9)


def test_optimizer_state_matters_and_lbfgs_runs(digits):
    carried, reset = (train([spec(optimizer_state=state)], digits)[0] for state in ("carried", "reset"))
    assert matrix(carried)[0].tolist() == matrix(reset)[0].tolist()
    assert not numpy.array_equal(matrix(carried), matrix(reset))
    lbfgs = train([spec(optimizer="lbfgs", lr=0.1, batch_size=1000, seed=seed) for seed in (1, 2)], digits)
    assert all(record["test_learned"] > 80 for record in lbfgs)


def test_a_diverged_run_is_recorded_and_harms_no_neighbour(digits):
    kind = {"model": "MLP", "activation": "square_relu", "widths": (16, 16, 16)}
    fine, broken = train([spec(**kind), spec(**kind, lr=1e6)], digits)
    assert math.isnan(broken["test_average"]) and fine["test_average"] > 0


def test_a_second_sweep_trains_nothing_and_the_table_is_tidy(tmp_path, digits, monkeypatch):
    specs = [spec(seed=1), spec(seed=2, strategy="joint")]
    first = sweep.run(specs, runs=tmp_path, workers=1, progress=False)
    monkeypatch.setattr(training, "train", None)
    second = sweep.run(specs, runs=tmp_path, workers=1, progress=False)
    assert first.equals(second)
    assert set(first["groups"]) == {"0 1 | 2 3 | 4 5"} and set(first["stream_name"]) == {"3 × 2 classes"}
    assert {"test_3_1", "valid_average", "live_parameters", "commit"} <= set(first.columns)


def test_buffer_rows_are_taken_in_turn_from_earlier_tasks_only():
    replay = spec(strategy="replay", buffer=5)
    own = TaskRows(replay, sizes=[4, 3, 6])
    strategy = STRATEGIES["replay"](Linear(1, 1), [replay])
    assert strategy.rows(0, own).tolist() == []
    own.enter(2, strategy.rows(2, own))
    kept = own.rows[6:].tolist()
    assert own.rows[:6].tolist() == list(range(7, 13))
    assert len(set(kept)) == 5 and sorted(row < 4 for row in kept) == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"strategy": "ewcc"}, "did you mean 'ewc'"),
        ({"stream": "digits"}, "known: classes, permuted, peaks"),
        ({"strategy": "ewc"}, "needs 'strength'"),
        ({"strategy": "naive", "buffer": 3}, "does not take 'buffer'"),
        ({"strategy": "replay", "buffer": 0}, "at least 1 row"),
        ({"strategy": "ewc", "strength": -1.0}, "strength is -1.0"),
        ({"groups": ((0, 1), ())}, "task 2 of the stream has no classes"),
        ({"groups": ((0, 1),)}, "at least 2"),
        ({"optimizer_state": "kept"}, "known: carried, reset"),
        ({"stream": "peaks", "groups": None}, "not from Digits"),
        ({"stream": "permuted", "groups": None}, "needs 'tasks'"),
        ({"grid_update": True}, "MLP has no grid"),
        ({"strategy": "ewc", "strength": 1.0, "optimizer": "lbfgs"}, "lbfgs"),
        ({"model": "KAN", "without": ("scales",)}, "did you mean 'scale'"),
        ({"without": ("scale",)}, "known: bias"),
    ],
)
def test_bad_specs_are_refused_before_any_training(given, words):
    with pytest.raises(InputError, match=words):
        spec(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"groups": ((0, 1), (2, 12))}, "class 12 is not in Digits; it has 0, 1"),
        ({"groups": ((0, 1), (1, 2))}, "class 1 is in two tasks"),
        ({"strategy": "replay", "buffer": 10_000}, "buffer is 10000 rows, but the tasks before the last have only"),
        ({"dataset": "Special_jv"}, "numbers as targets"),
    ],
)
def test_streams_that_cannot_be_cut_are_refused_before_anything_is_trained(given, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sweep.run([spec(), spec(**given)], runs=tmp_path, workers=1, progress=False)
    assert not list(tmp_path.rglob("*.json"))


def test_a_task_without_rows_is_refused(digits):
    ones = digits.y_test != 1
    bare = replace(digits, x_test=digits.x_test[ones], y_test=digits.y_test[ones])
    with pytest.raises(InputError, match="task 2 of the stream has no test rows in Digits"):
        streams.class_tasks(bare, ((0, 2), (1,)))


def test_parts_left_out_change_the_key_and_the_counts():
    bare = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="KAN", widths=(), grid=10, without=("bias", "scale"))
    full = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="KAN", widths=(), grid=10)
    assert bare.key != full.key and "without" not in full.as_dict()
    assert bare.key == replace(bare, without=("scale", "bias")).key
    counts = [train([replace(own, epochs=1)], load("Peaks_1d"))[0]["live_parameters"] for own in (bare, full)]
    assert counts == [13 + 1, 13 + 1 + 1 + 1]


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
    assert findings.kept(line, numpy.array([40, 70, 80, 81, 99])).tolist() == [61, 61, 61, 29, 29]
    mlp = line.assign(network="MLP relu")
    kan = line.assign(network="KAN", test_average=line["test_average"] - 20)
    place = {"dataset": "Digits", "stream_name": "s", "strategy": "naive", "optimizer_state": "carried", "seed": 1}
    found = findings.equal_learning(pandas.concat([kan, mlp]).assign(**place)).iloc[0]
    assert found["difference"] == pytest.approx(-20) and (found["low"], found["high"]) == (50, 99)


def test_claims_stand_together_in_order():
    first, second = pandas.DataFrame({"claim": [4], "x": [1]}), pandas.DataFrame({"claim": [2, 3], "y": [1, 2]})
    assert findings.all_claims(None, first)["claim"].tolist() == [4]
    assert findings.all_claims(first, second)["claim"].tolist() == [2, 3, 4]


def test_all_networks_of_a_stream_have_nearly_equal_trainable_values():
    tried = [t for t in design.tries("smoke") if t.spec.strategy == "naive" and t.spec.seed == 1]
    runs = [train([replace(t.spec, epochs=1)], load(t.spec.dataset))[0]["live_parameters"] for t in tried]
    assert max(runs) / min(runs) < 1.03 and {t.network for t in tried} == set(design.NETWORKS)


def test_the_peaks_compare_networks_of_about_one_size():
    sizes = {}
    for peak in design.peaks("smoke"):
        values = sum(p[0].numel() for p in build([peak.spec], load(peak.spec.dataset)).parameters())
        sizes.setdefault(peak.spec.dataset, []).append(values)
    assert all(max(values) / min(values) < 1.25 for values in sizes.values()), sizes
