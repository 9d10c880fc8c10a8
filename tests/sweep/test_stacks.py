import contextlib

import pytest

from kanbefair import data, sweep
from kanbefair.models import compiled, counting
from kanbefair.specs import grid
from kanbefair.sweep import stacks
from kanbefair.training import fit


def test_a_plan_holds_every_run_once_in_stacks_that_can_train(task):
    specs = [
        *grid(dataset=["Toy", "ToyClasses"], model="MLP", widths=[(3,), (9,)], seed=[1, 2], lr=[1e-2, 1e-3]),
        *grid(dataset="Toy", model="KAN", widths=(2,), grid_range=[(-1, 1), (-2, 2)], epochs=[2, 3]),
    ]
    stacks = sweep.plan(specs)
    assert sorted(spec.key for stack in stacks for spec in stack) == sorted(spec.key for spec in specs)
    kinds = [{(spec.stack_key(), spec.dataset) for spec in stack} for stack in stacks]
    assert all(len(kind) == 1 for kind in kinds)
    assert len(stacks) == len(set.union(*kinds))


def test_a_group_is_cut_where_it_is_too_large_or_a_worker_would_idle(task):
    specs = grid(dataset="Toy", model="MLP", widths=(3,), seed=list(range(stacks.STACK_RUNS + 1)))
    assert len(sweep.plan(specs[: stacks.STACK_RUNS])) == 1
    assert sorted(map(len, sweep.plan(specs))) == [32, 33]
    assert sorted(map(len, sweep.plan(specs[:6], workers=3))) == [2, 2, 2]
    huge = grid(dataset="Toy", model="MLP", widths=(stacks.STACK_VALUES // 128,), seed=[1, 2, 3])
    assert sorted(map(len, sweep.plan(huge))) == [1, 1, 1]


def test_the_costliest_stack_comes_first(task):
    specs = grid(dataset="Toy", model="MLP", widths=[(3,), (90,), (30,)], epochs=2)
    assert [stack[0].widths for stack in sweep.plan(specs)] == [(90,), (30,), (3,)]


@pytest.mark.parametrize("protocol", ["published", "fair"])
def test_symbolic_functions_of_the_same_points_share_a_stack_and_return_what_each_returns_alone(protocol):
    names = ["Special_ellipkinc", "Special_1d_gelu", "Special_sphharm01"]
    specs = grid(dataset=names, model="KAN", widths=(3,), protocol=protocol, epochs=2, lr=[1e-2, 1e-3])
    stacks = sweep.plan(specs)
    assert sorted(len(stack) for stack in stacks) == [2, 4]
    for stack in stacks:
        records = fit.train(stack, sweep.stack_task(stack, ""))
        for spec, record in zip(stack, records, strict=True):
            assert record["dataset"] == spec.dataset
            assert record["curves"] == fit.train([spec], data.load(spec.dataset, protocol=protocol, seed=1314))[0]["curves"]


def test_runs_with_batches_of_their_own_pick_the_targets_of_their_own_dataset():
    specs = grid(dataset=["Special_ellipkinc", "Special_sphharm01"], model="MLP", widths=(3,), epochs=2, seed=[1, 2])
    (stack,) = sweep.plan(specs)
    for spec, record in zip(stack, fit.train(stack, sweep.stack_task(stack, "")), strict=True):
        assert record["curves"] == fit.train([spec], data.load(spec.dataset))[0]["curves"]


@pytest.mark.parametrize("protocol", ["published", "fair"])
@pytest.mark.parametrize("plain", [False, True])
def test_kans_with_and_without_a_silu_shortcut_share_a_stack_and_return_what_each_returns_alone(task, protocol, plain):
    choices = {"shortcut": ["zero", "silu"], "grid_range": [(-1, 1), (-2, 2)]}
    specs = grid(dataset="ToyClasses", model="KAN", widths=(5,), epochs=2, protocol=protocol, **choices)
    (stack,) = sweep.plan(specs)
    assert [spec.grid_range for spec in stack] == [(-2, 2), (-2, 2), (-1, 1), (-1, 1)]
    with compiled.plain() if plain else contextlib.nullcontext():
        together = fit.train(stack, sweep.stack_task(stack, ""))
        alone = [fit.train([spec], sweep.task_of(spec, ""))[0] for spec in stack]
    for spec, ours, own in zip(stack, together, alone, strict=True):
        assert ours["shortcut"] == spec.shortcut
        assert {n: ours[n] for n in ("curves", *counting.COUNTS)} == {n: own[n] for n in ("curves", *counting.COUNTS)}


def test_lbfgs_runs_and_other_domains_keep_to_one_dataset(task):
    specs = grid(dataset=["Special_ellipkinc", "Special_sphharm01"], model="MLP", widths=(3,), optimizer="lbfgs")
    assert sorted(map(len, sweep.plan(specs))) == [1, 1]
    assert sorted(map(len, sweep.plan(grid(dataset=["Toy", "ToyClasses"], model="MLP", widths=(3,))))) == [1, 1]


@pytest.mark.parametrize(
    ("dataset", "tries", "alone"), [("SpokenDigits", 8, True), ("SpokenDigits", 7, False), ("Digits", 8, False)]
)
def test_a_stack_of_many_inputs_holds_one_seed_where_each_has_enough_runs(dataset, tries, alone):
    specs = grid(dataset=dataset, model="MLP", widths=(3,), seed=[1, 2], lr=[1e-3 * (i + 1) for i in range(tries)], epochs=1)
    stacks = sweep.plan(specs)
    assert sorted(spec.key for stack in stacks for spec in stack) == sorted(spec.key for spec in specs)
    assert {len({spec.seed for spec in stack}) for stack in stacks} == {1 if alone else 2}
