import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy
import pandas
import pytest

from kanbefair import data, sweep, training
from kanbefair.errors import InputError
from kanbefair.models import compiled, counting
from kanbefair.specs import RunSpec, grid
from kanbefair.sweep import Store, cost, stacks
from kanbefair.training import ContinualSpec, DrawnSpec, fit

TIMES = ["train_seconds", "run_seconds"]


@pytest.fixture
def task(own_registries, toy):
    """The toy tasks under the names Toy (numbers) and ToyClasses, for this test."""
    for name, kind in (("Toy", "numbers"), ("ToyClasses", "classes")):
        data.register(name, domain="tabular")(lambda request, kind=kind: toy(kind, request.protocol))


def two_stacks():
    return grid(dataset="Toy", model="MLP", widths=[(3,), (9,)], epochs=2, lr=[1e-2, 1e-3])


def run(specs, folder, train=None, **options):
    """A sweep in this process; `train` takes the place of what trains a stack."""
    with pytest.MonkeyPatch.context() as patched:
        if train is not None:
            patched.setattr(training, "train", train)
        return sweep.run(specs, runs=folder, workers=1, progress=False, **options)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def no_training(*args, **options):
    raise AssertionError("something is trained")


# ----- the store


def test_records_survive_the_store(tmp_path):
    store = Store(tmp_path / "runs")
    record = {"key": "abcd", "metric": "mae", "a": None, "b": float("nan"), "c": [0.1234567891, float("inf")], "d": {"e": [1]}}
    store.write(record)
    assert store.read("abcd") == {"key": "abcd", "metric": "mae", "a": None, "b": None, "c": [0.1234568, None], "d": {"e": [1]}}
    assert store.read("abce") is None
    assert [path.suffix for path in (tmp_path / "runs").rglob("*") if path.is_file()] == [".json"]


def test_missing_names_each_spec_once(tmp_path):
    store = Store(tmp_path)
    first, second = grid(dataset="Toy", model="MLP", widths=(3,), lr=[1e-2, 1e-3])
    assert store.missing([first, second, first]) == [first, second]
    store.write({"key": first.key})
    assert store.missing([first, second, first]) == [second]


@pytest.mark.parametrize("content", ["", '{"key": "ab', "\x00" * 20])
def test_a_damaged_record_is_named_and_kept(task, tmp_path, content):
    specs = two_stacks()
    run(specs, tmp_path)
    path = Store(tmp_path).path(specs[1].key)
    path.write_text(content)
    with pytest.raises(InputError, match=f"{specs[1].key}.json is damaged; delete it and run again"):
        run(specs, tmp_path)
    assert path.read_text() == content
    path.unlink()
    assert len(run(specs, tmp_path)) == 4


def test_a_write_that_is_cut_off_leaves_the_old_record(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write({"key": "abcd", "value": 1})

    def cut(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        store.write({"key": "abcd", "value": 2})
    assert store.read("abcd")["value"] == 1


def test_a_folder_that_cannot_be_written(task, unwritable):
    with pytest.raises(InputError, match="cannot write to folder"):
        run(two_stacks(), unwritable, train=no_training)


# ----- the plan


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


# ----- sweeps


def test_the_table_has_a_row_per_spec_in_order(task, tmp_path):
    specs = two_stacks()[::-1]
    table = run([*specs, specs[0]], tmp_path)
    assert table["key"].tolist() == [spec.key for spec in [*specs, specs[0]]]
    assert table["widths"].tolist() == ["9", "9", "3", "3", "9"]
    assert not {"curves", *TIMES} & set(table.columns)
    told = {
        "dataset",
        "model",
        "seed",
        "lr",
        "protocol",
        "domain",
        "metric",
        "parameters",
        "flops",
        "flops_shared",
        "flops_local",
        "live_parameters",
        "device",
        "torch",
        "commit",
        "test_metric_last",
        "test_metric_selected",
        "test_metric_best",
        "valid_metric_selected",
        "test_rmse_last",
        "epoch_selected",
        "diverged",
    }
    assert told <= set(table.columns)
    assert numpy.isfinite(table["test_metric_selected"]).all()


def test_widths_and_ranges_are_written_as_in_the_released_rows():
    spec = RunSpec(dataset="Toy", model="KAN", widths=(5, 5), grid_range=(-4, 4))
    row = sweep.table([spec.as_dict()]).iloc[0]
    assert (row["widths"], row["grid_range"]) == ("5_5", "-4.0_4.0")


def test_a_second_sweep_trains_nothing_and_says_the_same(task, tmp_path):
    first = run(two_stacks(), tmp_path)
    before = files(tmp_path)
    second = run(two_stacks(), tmp_path, train=no_training)
    pandas.testing.assert_frame_equal(first, second)
    assert files(tmp_path) == before


def test_a_wider_sweep_trains_only_what_is_new(task, tmp_path):
    run(two_stacks(), tmp_path)
    trained = []

    def counting(stack, *args, **options):
        trained.extend(spec.key for spec in stack)
        return fit.train(stack, *args, **options)

    wider = [*two_stacks(), *grid(dataset="Toy", model="MLP", widths=(3,), epochs=2, lr=[0.5])]
    run(wider, tmp_path, train=counting)
    assert trained == [wider[-1].key]


def test_an_interrupted_sweep_goes_on(task, tmp_path):
    whole = run(two_stacks(), tmp_path / "whole")
    done = []

    def interrupted(stack, *args, **options):
        if done:
            raise KeyboardInterrupt
        done.extend(stack)
        return fit.train(stack, *args, **options)

    with pytest.raises(KeyboardInterrupt):
        run(two_stacks(), tmp_path / "cut", train=interrupted)
    kept = files(tmp_path / "cut")
    assert len(kept) == len(done) == 2
    trained = []

    def counting(stack, *args, **options):
        trained.extend(stack)
        return fit.train(stack, *args, **options)

    table = run(two_stacks(), tmp_path / "cut", train=counting)
    assert not {spec.key for spec in done} & {spec.key for spec in trained}
    assert {spec.key for spec in [*done, *trained]} == {spec.key for spec in two_stacks()}
    assert kept.items() <= files(tmp_path / "cut").items()
    pandas.testing.assert_frame_equal(table, whole)


def test_a_diverged_run_is_a_row_with_gaps(task, tmp_path):
    specs = grid(dataset="Toy", model="MLP", widths=(3,), epochs=2, lr=[1e-2, 1e25])
    table = run(specs, tmp_path)
    assert table["diverged"].isna().tolist() == [True, False]
    assert table["test_metric_last"].isna().tolist() == [False, True]
    pandas.testing.assert_frame_equal(run(specs, tmp_path, train=no_training), table)


def without_times(folder):
    records = {name: json.loads(content) for name, content in files(folder).items()}
    return {name: {k: v for k, v in record.items() if k not in TIMES} for name, record in records.items()}


def test_two_workers_find_what_one_process_finds(tmp_path):
    specs = [
        *grid(dataset="WineRecognition", model="KAN", widths=(2,), epochs=2, seed=[1, 2], lr=[1e-2, 1e-3]),
        *grid(dataset="Special_ellipkinc", model="MLP", widths=(3,), epochs=1, seed=[1, 2, 3]),
    ]
    alone = run(specs, tmp_path / "one")
    pooled = sweep.run(specs, runs=tmp_path / "two", workers=2, progress=False)
    pandas.testing.assert_frame_equal(alone, pooled)
    assert without_times(tmp_path / "one") == without_times(tmp_path / "two")


def test_killed_in_the_middle_it_leaves_whole_records_and_goes_on(tmp_path):
    program = f"""
from kanbefair import sweep
from kanbefair.specs import grid
if __name__ == "__main__":
    specs = grid(dataset="Special_jv", model="MLP", widths=[(n,) for n in range(2, 60)], epochs=3)
    sweep.run(specs, runs={str(tmp_path / "runs")!r}, workers=1, progress=False)
"""
    (tmp_path / "program.py").write_text(program)
    process = subprocess.Popen([sys.executable, tmp_path / "program.py"], stderr=subprocess.PIPE)
    while process.poll() is None and len(list(tmp_path.glob("runs/*/*.json"))) < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    specs = grid(dataset="Special_jv", model="MLP", widths=[(n,) for n in range(2, 60)], epochs=3)
    store = Store(tmp_path / "runs")
    done = [store.read(spec.key) for spec in specs if spec not in store.missing(specs)]
    assert 3 <= len(done) < len(specs)
    kept = [spec for spec in specs if store.read(spec.key)]
    assert len(run(kept, tmp_path / "runs", train=no_training)) == len(kept)


# ----- bad input, before anything is trained


@pytest.mark.parametrize(
    ("specs", "options", "words"),
    [
        (grid(dataset="Tov", model="MLP", widths=(3,)), {}, "unknown dataset 'Tov'; did you mean 'Toy'"),
        (grid(dataset="Toy", model="MLP", widths=(3,)), {"device": "tpux"}, "unknown device 'tpux'; use cpu or cuda"),
        (grid(dataset="Toy", model="MLP", widths=(3,)), {"data_dir": "/nowhere/x"}, "data folder '/nowhere/x' does not exist"),
    ],
)
def test_bad_input_trains_nothing_and_loses_nothing(task, tmp_path, monkeypatch, specs, options, words):
    run(two_stacks(), tmp_path)
    before = files(tmp_path)
    with pytest.raises(InputError, match=words):
        run([*two_stacks(), *specs], tmp_path, train=no_training, **options)
    assert files(tmp_path) == before


def test_a_loss_that_does_not_fit_is_refused_before_anything_is_trained(task, tmp_path):
    specs = [*two_stacks(), *grid(dataset="Toy", model="MLP", widths=(3,), loss="cross_entropy")]
    with pytest.raises(InputError, match="'cross_entropy' needs classes"):
        run(specs, tmp_path, train=no_training)
    assert files(tmp_path) == {}


def test_workers_below_zero(task, tmp_path):
    with pytest.raises(InputError, match="workers is -1; give 0 for one per core"):
        sweep.run(two_stacks(), runs=tmp_path, workers=-1)


def test_a_gpu_that_is_not_there(task, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device 'cuda' is not there: PyTorch sees no GPU; use device cpu"):
        run(two_stacks(), tmp_path, device="cuda", train=no_training)


def test_worker_count(monkeypatch):
    assert sweep.worker_count(3, "cpu") == 3
    assert sweep.worker_count(0, "cpu") == sweep.worker_count(None, "cpu") == len(os.sched_getaffinity(0))
    assert sweep.worker_count(None, "cuda") == 1


def test_progress_is_shown_only_where_asked_for(task, tmp_path, capsys):
    sweep.run(two_stacks(), runs=tmp_path / "a", workers=1, label="toys")
    assert "toys: 4 runs in 2 stacks" in capsys.readouterr().err
    run(two_stacks(), tmp_path / "b")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("dataset", "tries", "alone"), [("SpokenDigits", 8, True), ("SpokenDigits", 7, False), ("Digits", 8, False)]
)
def test_a_stack_of_many_inputs_holds_one_seed_where_each_has_enough_runs(dataset, tries, alone):
    specs = grid(dataset=dataset, model="MLP", widths=(3,), seed=[1, 2], lr=[1e-3 * (i + 1) for i in range(tries)], epochs=1)
    stacks = sweep.plan(specs)
    assert sorted(spec.key for stack in stacks for spec in stack) == sorted(spec.key for spec in specs)
    assert {len({spec.seed for spec in stack}) for stack in stacks} == {1 if alone else 2}


def test_every_kind_of_run_is_trained_by_its_own_loop(tmp_path):
    plain = {"dataset": "Peaks_1d", "model": "KAN", "widths": (), "epochs": 1}
    specs = [
        RunSpec(**plain | {"widths": (2,)}),
        DrawnSpec(**plain | {"widths": (2,)}, shown=1),
        ContinualSpec(**plain, stream="peaks"),
        ContinualSpec(**plain, stream="peaks", strategy="joint"),
    ]
    assert sorted(map(len, sweep.plan(specs))) == [1, 1, 1, 1]
    table = run(specs, tmp_path)
    assert table["test_metric_last"].notna().tolist() == [True, True, False, False]
    assert table["test_forgetting"].notna().tolist() == [False, False, True, True]
    records = [sweep.Store(tmp_path).read(spec.key) for spec in specs]
    assert ["activations" in record["curves"] for record in records] == [False, True, False, False]
    assert [type(spec).from_dict(record).key for spec, record in zip(specs[:2], records, strict=False)] == [
        spec.key for spec in specs[:2]
    ]


def test_the_cost_of_a_stream_is_not_taken_for_that_of_a_plain_run():
    specs = [ContinualSpec(dataset="Peaks_1d", model="KAN", widths=(), epochs=1, stream="peaks")]
    with pytest.raises(InputError, match="cost of a ContinualSpec cannot be probed"):
        cost.of_stacks([specs])
