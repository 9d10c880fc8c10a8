import json
from dataclasses import replace

import loky
import pandas
import pytest
import torch
from helpers import TIMES, no_training, sweep_here, two_stacks

from kanbefair import sweep
from kanbefair.errors import InputError
from kanbefair.models import LayerCount, Network, register
from kanbefair.models.layers import Linear
from kanbefair.specs import RunSpec, grid
from kanbefair.sweep import memory, workers
from kanbefair.training import ContinualSpec, DrawnSpec, checkpoint, fit


def files(folder):
    """The records of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.json")}


def test_a_second_sweep_trains_nothing_and_says_the_same(task, tmp_path):
    first = sweep_here(two_stacks(), tmp_path)
    before = files(tmp_path)
    second = sweep_here(two_stacks(), tmp_path, train=no_training)
    pandas.testing.assert_frame_equal(first, second)
    assert files(tmp_path) == before


def test_a_wider_sweep_trains_only_what_is_new(task, tmp_path):
    sweep_here(two_stacks(), tmp_path)
    trained = []

    def counting(stack, *args, **options):
        trained.extend(spec.key for spec in stack)
        return fit.train(stack, *args, **options)

    wider = [*two_stacks(), *grid(dataset="Toy", model="MLP", widths=(3,), epochs=2, lr=[0.5])]
    sweep_here(wider, tmp_path, train=counting)
    assert trained == [wider[-1].key]


def test_an_interrupted_sweep_goes_on(task, tmp_path):
    whole = sweep_here(two_stacks(), tmp_path / "whole")
    done = []

    def interrupted(stack, *args, **options):
        if done:
            raise KeyboardInterrupt
        done.extend(stack)
        return fit.train(stack, *args, **options)

    with pytest.raises(KeyboardInterrupt):
        sweep_here(two_stacks(), tmp_path / "cut", train=interrupted)
    kept = files(tmp_path / "cut")
    assert len(kept) == len(done) == 2
    trained = []

    def counting(stack, *args, **options):
        trained.extend(stack)
        return fit.train(stack, *args, **options)

    table = sweep_here(two_stacks(), tmp_path / "cut", train=counting)
    assert not {spec.key for spec in done} & {spec.key for spec in trained}
    assert {spec.key for spec in [*done, *trained]} == {spec.key for spec in two_stacks()}
    assert kept.items() <= files(tmp_path / "cut").items()
    pandas.testing.assert_frame_equal(table, whole)


def test_a_diverged_run_is_a_row_with_gaps(task, tmp_path):
    specs = grid(dataset="Toy", model="MLP", widths=(3,), epochs=2, lr=[1e-2, 1e25])
    table = sweep_here(specs, tmp_path)
    assert table["diverged"].isna().tolist() == [True, False]
    assert table["test_metric_last"].isna().tolist() == [False, True]
    pandas.testing.assert_frame_equal(sweep_here(specs, tmp_path, train=no_training), table)


def without_times(folder):
    records = {name: json.loads(content) for name, content in files(folder).items()}
    own = {name: {k: v for k, v in record["run"].items() if k not in (*TIMES, "finished")} for name, record in records.items()}
    return {name: (own[name], record["curves"]) for name, record in records.items()}


def test_two_workers_find_what_one_process_finds(tmp_path):
    specs = [
        *grid(dataset="WineRecognition", model="KAN", widths=(2,), epochs=2, seed=[1, 2], lr=[1e-2, 1e-3]),
        *grid(dataset="Special_ellipkinc", model="MLP", widths=(3,), epochs=1, seed=[1, 2, 3]),
    ]
    alone = sweep_here(specs, tmp_path / "one")
    pooled = sweep.run(specs, runs=tmp_path / "two", workers=2, progress=False)
    pandas.testing.assert_frame_equal(alone, pooled)
    assert without_times(tmp_path / "one") == without_times(tmp_path / "two")


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
    sweep_here(two_stacks(), tmp_path)
    before = files(tmp_path)
    with pytest.raises(InputError, match=words):
        sweep_here([*two_stacks(), *specs], tmp_path, train=no_training, **options)
    assert files(tmp_path) == before


def test_a_loss_that_does_not_fit_is_refused_before_anything_is_trained(task, tmp_path):
    specs = [*two_stacks(), *grid(dataset="Toy", model="MLP", widths=(3,), loss="cross_entropy")]
    with pytest.raises(InputError, match="'cross_entropy' needs classes"):
        sweep_here(specs, tmp_path, train=no_training)
    assert files(tmp_path) == {}


@pytest.mark.parametrize("workers", [-1, 10**6, "2", 2.0, True])
def test_numbers_of_workers_that_cannot_be(task, tmp_path, workers):
    with pytest.raises(InputError, match=f"workers is {workers!r}; give 0 for one per core"):
        sweep.run(two_stacks(), runs=tmp_path, workers=workers)


def test_a_gpu_that_is_not_there(task, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device 'cuda' is not there: PyTorch sees no GPU; use device cpu"):
        sweep_here(two_stacks(), tmp_path, device="cuda", train=no_training)


# ----- workers, progress and kinds of run


def test_worker_count(monkeypatch):
    assert sweep.worker_count(3, "cpu") == 3
    assert sweep.worker_count(0, "cpu") == sweep.worker_count(None, "cpu") == loky.cpu_count()
    assert sweep.worker_count(None, "cuda") == 1


def test_progress_is_shown_only_where_asked_for(task, tmp_path, capsys):
    sweep.run(two_stacks(), runs=tmp_path / "a", workers=1, label="toys")
    assert "toys: 4 runs" in capsys.readouterr().err
    sweep_here(two_stacks(), tmp_path / "b")
    assert capsys.readouterr().err == ""


def test_every_kind_of_run_is_trained_by_its_own_loop(tmp_path):
    plain = {"dataset": "Peaks_1d", "model": "KAN", "widths": (), "epochs": 1}
    specs = [
        RunSpec(**plain | {"widths": (2,)}),
        DrawnSpec(**plain | {"widths": (2,)}, shown=1),
        ContinualSpec(**plain, stream="peaks"),
        ContinualSpec(**plain, stream="peaks", strategy="joint"),
    ]
    assert sorted(map(len, sweep.plan(specs))) == [1, 1, 1, 1]
    table = sweep_here(specs, tmp_path)
    assert table["test_metric_last"].notna().tolist() == [True, True, False, False]
    assert table["test_forgetting"].notna().tolist() == [False, False, True, True]
    records = [sweep.Store(tmp_path).read(own) for own in sweep.identify(specs, "")]
    assert ["activations" in record["curves"] for record in records] == [False, True, False, False]
    assert [type(spec).from_dict(record).key for spec, record in zip(specs[:2], records, strict=False)] == [
        spec.key for spec in specs[:2]
    ]


# ----- runs that fail


def test_a_stack_that_fails_stops_no_other_and_is_a_row_that_says_why(task, tmp_path):
    def failing(stack, *args, **options):
        if stack[0].widths == (9,):
            raise ZeroDivisionError("nothing is left")
        return fit.train(stack, *args, **options)

    with pytest.raises(sweep.RunsFailed) as told:
        sweep_here(two_stacks(), tmp_path, train=failing)
    assert str(told.value) == (
        "2 of 4 runs failed, all others are done: MLP 9 on Toy and 1 more: ZeroDivisionError: nothing is left"
    )
    table = told.value.table
    assert table["outcome"].isin(["done", "at chance"]).tolist() == [True, True, False, False]
    assert table["outcome"].tolist()[2:] == ["failed", "failed"]
    assert table["message"].isna().tolist() == [True, True, False, False]
    assert table["test_metric_last"].isna().tolist() == [False, False, True, True]
    whole = sweep_here(two_stacks(), tmp_path)
    counted = ["parameters", "flops", "flops_local", "domain", "metric", "train_rows", "record"]
    pandas.testing.assert_frame_equal(table[counted], whole[counted])


def test_runs_too_large_for_memory_are_refused_and_the_others_trained(task, tmp_path):
    good = two_stacks()
    large = grid(dataset="Toy", model=["MLP", "KAN"], widths=[(10**9,), (10**9, 10**9)])
    with pytest.raises(sweep.RunsFailed, match=r"4 of 8 runs failed, .*needs about [\d,.e+]+ GB of memory; [\d.]+ GB are left"):
        sweep_here([*large[:2], *good, *large[2:]], tmp_path)
    assert len(files(tmp_path)) == len(good)


def test_runs_that_fit_only_alone_are_trained_after_the_others(task, tmp_path, monkeypatch):
    wide, small = grid(dataset="Toy", model="MLP", widths=[(90,), (3,)], epochs=1)
    sizes = {spec.key: memory.needed(spec, sweep.task_of(spec, "")) for spec in (wide, small)}
    monkeypatch.setattr(memory, "at_hand", lambda: 1.5 * sizes[wide.key])
    order = []

    def noting(work, jobs, workers, failed):
        order.append((workers, [own.spec.widths for job in jobs for own in job.stack]))
        yield from workers_here(work, jobs, workers, failed)

    workers_here = workers._in_process
    monkeypatch.setattr(workers, "_in_process", noting)
    monkeypatch.setattr(workers, "carry_out", noting)
    sweep.run([wide, small], runs=tmp_path, workers=2, progress=False)
    assert order == [(2, [(3,)]), (1, [(90,)])]


def test_the_memory_that_is_needed_grows_with_what_is_held():
    task = sweep.task_of(RunSpec(dataset="Digits", model="MLP", widths=(8,)), "")
    spec = RunSpec(dataset="Digits", model="MLP", widths=(8,))
    values = 64 * 8 + 8 + 8 * 10 + 10
    assert memory.needed(spec, task) == 4 * (8 * values + 4 * 128 * (64 + 8 + 10))
    assert memory.needed(replace(spec, batch_size=1), task) < memory.needed(spec, task)
    assert memory.needed(replace(spec, optimizer="lbfgs"), task) > memory.needed(spec, task)
    kan = RunSpec(dataset="Digits", model="KAN", widths=(8,), grid=20)
    assert memory.needed(kan, task) > 20 * memory.needed(spec, task)
    assert 0 < memory.at_hand() < 2**50


# ----- stacks that were begun


def test_a_stack_that_was_begun_goes_on_as_it_was_whatever_else_is_to_be_trained(task, tmp_path, monkeypatch):
    specs = grid(dataset="Toy", model="KAN", widths=(3,), epochs=4, lr=[1e-2, 1e-3])
    whole = sweep_here(specs, tmp_path / "whole")
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    monkeypatch.setattr(checkpoint.Checkpoint.__init__, "__kwdefaults__", {"device": "cpu", "seconds": 0})
    epochs = []

    def ended(stack, *args, on_epoch, **options):
        def count():
            epochs.append(len(stack))
            if len(epochs) == 2:
                raise KeyboardInterrupt

        return fit.train(stack, *args, on_epoch=count, **options)

    with pytest.raises(KeyboardInterrupt):
        sweep_here(specs, tmp_path / "cut", train=ended)
    (kept,) = (tmp_path / "cut" / workers.CHECKPOINTS).iterdir()
    stacks = []

    def noting(stack, *args, **options):
        stacks.append([spec.lr for spec in stack])
        return fit.train(stack, *args, **options)

    more = grid(dataset="Toy", model="KAN", widths=(3,), epochs=4, lr=[0.5])
    table = sweep_here([*more, *specs], tmp_path / "cut", train=noting)
    assert stacks == [[1e-2, 1e-3], [0.5]]
    pandas.testing.assert_frame_equal(table[1:].reset_index(drop=True), whole)
    assert not kept.exists()


def test_the_checkpoint_of_runs_that_are_done_is_deleted_and_of_others_kept(task, tmp_path):
    specs = two_stacks()
    table = sweep_here(specs, tmp_path)
    done = checkpoint.Checkpoint(tmp_path / workers.CHECKPOINTS / f"done{checkpoint.SUFFIX}", table["record"].tolist())
    others = checkpoint.Checkpoint(tmp_path / workers.CHECKPOINTS / f"others{checkpoint.SUFFIX}", ["0" * 16])
    for one in (done, others):
        one.write({})
    sweep_here([*specs, *grid(dataset="Toy", model="MLP", widths=(4,), epochs=1)], tmp_path)
    assert others.path.exists() and not done.path.exists()


# ----- networks of one's own that go wrong


def own_network(layer, counter=lambda shape, i, o, last: LayerCount(1, 1, 1, 1, 1)):
    class Own(Network):
        def layer(self, number):
            return layer(self, number)

    register("Own", Own, defaults={}, layer_count=counter)


def raises(*args):
    raise ValueError("this is wrong")


class Shared(torch.nn.Module):
    """A layer whose parameter all runs of a stack would share."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x * self.factor


WRONG = {
    "a layer that cannot be made": (raises, "ValueError: this is wrong"),
    "a parameter without an axis of runs": (
        lambda network, number: [Linear(*network.widths[number : number + 2], stack=network.runs), Shared()],
        r"factor has the shape \(3,\), but its first axis must be that of the 1 runs of the stack",
    ),
}


@pytest.mark.parametrize(("layer", "why"), WRONG.values(), ids=list(WRONG))
def test_a_network_that_cannot_be_built_fails_and_the_others_train(task, own_registries, tmp_path, layer, why):
    own_network(layer)
    specs = grid(dataset="Toy", model=["Own", "MLP"], widths=(3,), epochs=1)
    with pytest.raises(sweep.RunsFailed, match=f"1 of 2 runs failed, all others are done: .*{why}"):
        sweep_here(specs, tmp_path)
    assert len(files(tmp_path)) == 1


def test_a_network_that_cannot_be_counted_fails_and_the_others_train(task, own_registries, tmp_path):
    own_network(raises, counter=raises)
    specs = grid(dataset="Toy", model=["Own", "MLP"], widths=(3,), epochs=1)
    with pytest.raises(sweep.RunsFailed, match="1 of 2 runs failed, .*its layers cannot be counted .*this is wrong"):
        sweep_here(specs, tmp_path)
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("specs", [None, RunSpec(dataset="Digits", model="MLP", widths=(3,)), ["Digits"], "Digits"])
def test_what_is_no_list_of_runs(tmp_path, specs):
    with pytest.raises(InputError, match="specs is .*; it must be a list of runs, such as grid returns"):
        sweep.run(specs, runs=tmp_path)


@pytest.mark.parametrize(
    ("given", "words"), [({"runs": None}, "runs is None"), ({"runs": ""}, "runs is ''"), ({"data_dir": 5}, "data_dir is 5")]
)
def test_what_is_no_folder(tmp_path, given, words):
    with pytest.raises(InputError, match=words):
        sweep.run(two_stacks(), **({"runs": tmp_path} | given))
