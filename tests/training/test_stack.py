from dataclasses import replace

import pytest
import torch
from helpers import KINDS, MODELS, named, spec, values

from kanbefair import training
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec
from kanbefair.training import continual, fit


@pytest.mark.parametrize("widths", [(7,), (5, 3), (1,), (33,)], ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_a_run_is_bitwise_the_same_alone_and_in_any_stack(toy, trained, kind, widths):
    task = toy()
    run = spec(**kind, widths=widths, epochs=2, seed=1)
    others = [replace(run, seed=2, lr=1e-3), replace(run, lr=3e-3), replace(run, seed=3)]
    if run.grid_range:
        others[1] = replace(others[1], grid_range=(-4, 4))
    assert len(task.x_train) % run.batch_size not in (0, 1), "the last batch is to be a partial one"
    alone = fit.train([run], task)[0]
    first = fit.train([run, *others], task)[0]
    last = fit.train([*others[:2], run], task)[2]
    assert alone["curves"] == first["curves"] == last["curves"]
    expected = values(trained[0], 0)
    for network, place in ((trained[1], 0), (trained[2], 2)):
        for name, tensor in values(network, place).items():
            assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("domain", ["classes", "text"])
@pytest.mark.parametrize("model", MODELS)
def test_stacks_of_classifiers_and_of_texts(toy, trained, model, domain):
    task = toy(domain)
    runs = [spec(model=model, widths=(5,), seed=seed, lr=lr) for seed in (1, 2) for lr in (1e-2, 1e-3)]
    together = fit.train(runs, task)
    for place, run in enumerate(runs):
        alone = fit.train([run], task)[0]
        assert alone["curves"] == together[place]["curves"]
        for name, tensor in values(trained[-1], 0).items():
            assert torch.equal(tensor, values(trained[0], place)[name]), name


def test_batches_shared_by_runs_of_one_seed_meet_several_grid_ranges(toy):
    runs = [spec(model="BSpline_First_MLP", grid_range=(-end, end)) for end in (1, 2, 4)]
    together = fit.train(runs, toy())
    assert [record["curves"] for record in together] == [fit.train([run], toy())[0]["curves"] for run in runs]


def test_runs_that_share_no_stack_are_refused(toy):
    with pytest.raises(InputError, match="do not share a stack key"):
        fit.train([spec(widths=(7,)), spec(widths=(8,))], toy())


def test_runs_on_several_datasets_need_targets_for_each(toy):
    specs = [RunSpec(dataset=name, model="MLP", widths=(3,), epochs=1) for name in "AB"]
    with pytest.raises(InputError, match="targets for each"):
        fit.train(specs, toy("numbers"))


def test_lbfgs_runs_of_a_stack_are_those_alone(toy):
    runs = [spec(optimizer="lbfgs", lr=lr, seed=seed, epochs=2) for lr, seed in ((0.5, 1), (0.1, 2))]
    counted, shown = [], []
    together = fit.train(runs, toy(), on_epoch=lambda: counted.append(1), on_end=shown.append)
    assert [network.runs for network in shown] == [1, 1]
    assert [r["curves"] for r in together] == [fit.train([run], toy())[0]["curves"] for run in runs]


@pytest.mark.parametrize("given", [[], (), None, spec(), [spec(), "KAN"]], ids=str)
@pytest.mark.parametrize("train", [training.train, fit.train, continual.train])
def test_what_is_no_list_of_runs_is_refused(toy, train, given):
    with pytest.raises(InputError, match="the argument specs is .*; it must be a list of at least one RunSpec"):
        train(given, toy())
