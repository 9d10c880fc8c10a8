"""Runs an hour, and the least work of a run counted by hand."""

import pytest

from kanbefair import sweep
from kanbefair.specs import RunSpec, grid
from kanbefair.studies.speed import design, rates
from kanbefair.sweep import cost

LIMITS = {"gflops": 2.0, "gbytes": 4.0, "call_seconds": 1e-6}


def test_the_least_work_of_an_mlp_by_hand():
    spec = RunSpec(dataset="Random_numbers_250_50_3_2", model="MLP", widths=(4,), epochs=7, batch_size=100)
    work = rates.work([spec], sweep.task_of(spec, ""))
    first, second = 2 * 3 * 4 + 4, 2 * 4 * 2  # products and relu; products
    assert work["flops"] == 7 * (250 * (2 * first + 3 * second) + 50 * (first + second)) + 2 * 250 * (first + second)
    parameters = 3 * 4 + 4 + 4 * 2 + 2
    assert work["bytes"] == 4 * ((7 * (2 * 250 + 50) + 2 * 250) * 3 + 7 * 3 * 9 * parameters)
    curve = rates.work([spec], sweep.task_of(spec, ""), train_curve=True)
    assert curve["flops"] - work["flops"] == (7 - 2) * 250 * (first + second)


def test_the_least_work_of_a_kan_counts_only_bases_that_are_not_zero():
    specs = grid(dataset="Random_numbers_100_50_3_2", model="KAN", widths=(4,), grid=[5, 50], order=3, epochs=1)
    few, many = (rates.work([spec], sweep.task_of(spec, "")) for spec in specs)
    assert few["flops"] == many["flops"]
    per_edge, per_input = 2 * 4 + 1 + 2, 4 + 2 * 3 * 4 + 5  # sum over K+1 bases, scale, base; interval, polynomials, silu
    first, second = 12 * per_edge + 3 * per_input, 8 * per_edge + 4 * per_input
    assert few["flops"] == 100 * (2 * first + 3 * second) + 250 * (first + second)


def test_calls_are_those_of_one_training_step():
    stack = grid(dataset="Random_numbers_1000_100_3_2", model="MLP", widths=(4,), seed=[1, 2])
    task = sweep.task_of(stack[0], "")
    calls = rates.calls_per_step(stack, task, "cpu")
    assert 10 < calls < 200
    deeper = [RunSpec(dataset=stack[0].dataset, model="MLP", widths=(4, 4), seed=seed) for seed in (1, 2)]
    assert rates.calls_per_step(deeper, task, "cpu") > calls


@pytest.fixture
def cells():
    fields = {"dataset": "Random_numbers_640_64_3_2", "model": "MLP", "widths": (4,), "epochs": 5}
    return [design.Cell("four", fields, 4, 1.0), design.Cell("one", fields, 1, 1.0)]


def test_rates_are_of_whole_runs(cells, monkeypatch):
    monkeypatch.setattr(cost, "probe", lambda stack, task, device, batches, train_curve: 0.125)
    monkeypatch.setattr(rates, "calls_per_step", lambda stack, task, device: 30.0)
    table = rates.measure(cells, LIMITS, device="cpu", workers=2, batches=1)
    assert table[["run", "batches", "protocol", "train_curve", "stack"]].to_numpy().tolist() == [
        ["four", "own", "fair", False, 4],
        ["four", "shared", "fair", False, 4],
        ["four", "shared", "published", False, 4],
        ["four", "shared", "published", True, 4],
        ["one", "own", "fair", False, 1],
        ["one", "own", "published", False, 1],
        ["one", "own", "published", True, 1],
    ]
    steps = 5 * 5
    assert table["run_seconds"].tolist() == [0.125 * steps / 4] * 4 + [0.125 * steps] * 3
    assert table["runs_an_hour"].tolist() == [2 * 3600 / (0.125 * steps / 4)] * 4 + [2 * 3600 / (0.125 * steps)] * 3
    assert table["calls"].tolist() == pytest.approx([30 * 1e-6 / 0.125] * 7)
    assert table["arithmetic"].tolist() == pytest.approx((table["gflops"] / 2).tolist())
    assert table["memory"].tolist() == pytest.approx((table["gbytes"] / 4).tolist())


def test_rates_are_measured(cells):
    table = rates.measure(cells[1:], LIMITS, device="cpu", workers=1, batches=2)
    assert (table[["runs_an_hour", "gflops", "gbytes", "calls_per_step"]] > 0).all(axis=None)
    assert (table["threads"] == 1).all()


def test_the_stacks_of_a_cell_differ_in_seeds_or_in_learning_rates(cells):
    own, shared = (rates.stack_of(cells[0], kind) for kind in ("own", "shared"))
    assert (len({spec.seed for spec in own}), len({spec.lr for spec in own})) == (4, 1)
    assert (len({spec.seed for spec in shared}), len({spec.lr for spec in shared})) == (1, 4)
