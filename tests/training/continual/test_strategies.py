"""Which rows each strategy trains on, how it holds on to old tasks, and what that does to the averages."""

import numpy
import pytest
import torch

from kanbefair.data import load
from kanbefair.models import build
from kanbefair.training.continual import streams
from kanbefair.training.continual.loop import train
from kanbefair.training.continual.spec import ContinualSpec
from kanbefair.training.continual.strategies import Anchored, Rehearsal, fisher, knot_use, overlap, shares, update_grids

KAN = {"model": "KAN", "widths": (3,), "grid": 3}


def test_joint_training_beats_naive(digits, spec):
    naive, joint = (train([spec(**kind, seed=seed) for seed in (1, 2)], digits) for kind in ({}, {"strategy": "joint"}))
    assert all(b["test_average"] > a["test_average"] + 20 for a, b in zip(naive, joint, strict=True))
    assert all(b["test_forgetting"] < a["test_forgetting"] - 20 for a, b in zip(naive, joint, strict=True))


def test_replay_of_the_whole_history_is_joint_training(digits, spec, matrix):
    history = sum(len(task.x_train) for task in spec().tasks_of(digits)[:-1])
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


def test_a_larger_buffer_forgets_less(digits, spec):
    scores = [train([spec(strategy="replay", buffer=rows)], digits)[0]["test_average"] for rows in (2, 20, 200)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 10


def test_buffer_rows_are_taken_in_turn_from_earlier_tasks_only(spec):
    own = Rehearsal(spec(strategy="replay", buffer=5), sizes=[4, 3, 6])
    assert own.kept(0).tolist() == []
    own.enter(2)
    kept = own.rows[6:].tolist()
    assert own.rows[:6].tolist() == list(range(7, 13))
    assert len(set(kept)) == 5 and sorted(row < 4 for row in kept) == [False, False, True, True, True]


@pytest.mark.parametrize("model", [{}, KAN])
@pytest.mark.parametrize("strategy", ["ewc", "knots"])
def test_a_strength_of_zero_is_naive_exactly_and_a_large_one_holds_on(digits, model, strategy, spec, matrix):
    naive = train([spec(**model)], digits)[0]
    zero, strong = train([spec(**model, strategy=strategy, strength=value) for value in (0.0, 1e5)], digits)
    assert numpy.array_equal(matrix(naive), matrix(zero))
    assert strong["test_learned"] < naive["test_learned"] - 20 or strong["test_forgetting"] < naive["test_forgetting"]
    assert not numpy.array_equal(matrix(naive), matrix(strong))


def test_fisher_information_of_logistic_regression(digits, spec):
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


def test_the_pull_is_the_gradient_of_the_penalty(digits, spec):
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
