import math
import resource
from pathlib import Path

import pytest
import torch
from helpers import KINDS, named, spec

from kanbefair import training
from kanbefair.data import load
from kanbefair.models import compiled
from kanbefair.training import checkpoint, fit, learned_splines
from kanbefair.training.checkpoint import Checkpoint, begun
from kanbefair.training.continual.spec import ContinualSpec

SECONDS = {"train_seconds", "run_seconds"}


class Ended(Exception):
    """Training is ended from outside."""


def ends_after(epochs):
    """What ends training at its epoch number `epochs`."""
    calls = []

    def on_epoch():
        calls.append(1)
        if len(calls) == epochs:
            raise Ended

    return on_epoch


def kept(folder, runs, **options):
    """The checkpoint of these runs, written at every epoch."""
    return Checkpoint(folder / "a.checkpoint", [run.key for run in runs], seconds=0, **options)


def begin(folder, runs, task, epochs, **options):
    """Train until the end comes at epoch number `epochs`."""
    with pytest.raises(Ended):
        training.train(runs, task, checkpoint=kept(folder, runs), on_epoch=ends_after(epochs), **options)


def assert_same(records, expected):
    """The records are the same to the bit, but for times."""
    for record, other in zip(records, expected, strict=True):
        assert list(record) == list(other)
        for name, value in record.items():
            if name not in SECONDS:
                assert repr(value) == repr(other[name]), name  # says all digits, and that NaN is NaN


OPTIMIZERS = [("adam", "fair"), ("sgd", "published"), ("adam", "published"), ("lbfgs", "fair")]


@pytest.mark.parametrize(("optimizer", "protocol"), OPTIMIZERS)
@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_a_stack_goes_on_to_the_same_bits(toy, trained, tmp_path, kind, optimizer, protocol):
    task = toy("numbers", protocol)
    rates = {"adam": (0.05, 0.01, 1e25), "sgd": (0.1, 0.01, 1e25), "lbfgs": (0.5, 0.1)}[optimizer]
    epochs, batch_size = (2, 200) if optimizer == "lbfgs" else (4, 50)
    seeds = (1, 2, 3) if protocol == "fair" else (1, 1, 1)  # others are of another stack
    runs = [
        spec(**kind, optimizer=optimizer, protocol=protocol, seed=seed, lr=lr, epochs=epochs, batch_size=batch_size)
        for seed, lr in zip(seeds, rates, strict=False)
    ]
    expected = fit.train(runs, task)
    undisturbed = [network.state_dict() for network in trained[-(len(runs) if optimizer == "lbfgs" else 1) :]]
    begin(tmp_path, runs, task, epochs=3 if optimizer == "lbfgs" else 2)  # of LBFGS's second run it is the first
    calls = []
    assert_same(fit.train(runs, task, checkpoint=kept(tmp_path, runs), on_epoch=lambda: calls.append(1)), expected)
    for name, values in trained[-1].state_dict().items():
        assert torch.equal(values, undisturbed[-1][name]) or values.isnan().any(), name
    assert len(calls) == epochs, "the epochs before count, too"


@pytest.mark.parametrize("kind", ["classes", "text"])
@pytest.mark.parametrize(("train_curve", "epochs"), [(False, 1), (False, 8), (False, 9), (True, 8)])
def test_best_epochs_are_kept(toy, tmp_path, kind, train_curve, epochs):
    runs = [spec(epochs=9, lr=lr, batch_norm=True) for lr in (1.0, 0.1, 0.01)]
    expected = fit.train(runs, toy(kind), train_curve=train_curve)
    assert min(record["epoch_selected"] for record in expected) < 8, "every run is best at the end"
    begin(tmp_path, runs, toy(kind), epochs, train_curve=train_curve)
    assert_same(fit.train(runs, toy(kind), checkpoint=kept(tmp_path, runs), train_curve=train_curve), expected)


def test_it_may_end_again_and_again_and_times_add_up(toy, tmp_path):
    runs = [spec(epochs=6, seed=seed) for seed in (1, 2)]
    expected = fit.train(runs, toy())
    for epochs in (1, 3, 4):
        begin(tmp_path, runs, toy(), epochs)
    state = kept(tmp_path, runs).read()
    assert state["history"]["epoch"] == 4
    records = fit.train(runs, toy(), checkpoint=kept(tmp_path, runs))
    assert_same(records, expected)
    for name in SECONDS:
        assert records[0][name] * 2 > state[name] > 0


def test_runs_that_train_one_after_the_other_keep_the_records_of_those_before(tmp_path):
    task = load("Special_1d_gelu")
    fields = {"dataset": task.name, "model": "KAN", "widths": (2,), "epochs": 2, "points": 5, "batch_size": 1000}
    for optimizer, lr in (("adam", 0.01), ("lbfgs", 0.1)):  # as curves are drawn after each, both train one after the other
        runs = [learned_splines.DrawnSpec(**fields, optimizer=optimizer, lr=lr, seed=seed) for seed in (1, 2, 3)]
        expected = training.train(runs, task)
        begin(tmp_path, runs, task, epochs=5)
        calls = []
        again = training.train(runs, task, checkpoint=kept(tmp_path, runs), on_epoch=lambda: calls.append(1))  # noqa: B023
        assert_same(again, expected)
        assert len(calls) == 2, "only the third run is trained"


def test_a_stream_takes_one_and_begins_anew(tmp_path):
    runs = [ContinualSpec(dataset="Peaks_1d", stream="peaks", model="MLP", widths=(3,), epochs=1, seed=seed) for seed in (1, 2)]
    records = training.train(runs, load("Peaks_1d"), checkpoint=kept(tmp_path, runs))
    assert_same(records, training.train(runs, load("Peaks_1d")))
    assert begun(tmp_path) == []


# ----- what cannot be used is not


def notices(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "kanbefair"]


@pytest.fixture
def begun_runs(toy, tmp_path):
    """A stack that has begun: its runs, and the file of its checkpoint."""
    runs = [spec(epochs=4, seed=seed) for seed in (1, 2)]
    begin(tmp_path, runs, toy(), epochs=2)
    return runs, tmp_path / "a.checkpoint"


def damage_all(content):
    """The content of a file, damaged in several ways."""
    middle = len(content) // 2
    yield b""
    yield content[:-1]
    yield content[:middle]
    yield content[:30]
    yield b"\0" * len(content)
    for place in (2, 200, middle, len(content) - 200, len(content) - 1):
        yield content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_a_damaged_checkpoint_is_ignored_with_one_notice(toy, begun_runs, caplog):
    runs, path = begun_runs
    expected, content = fit.train(runs, toy()), path.read_bytes()
    for damaged in damage_all(content):
        path.write_bytes(damaged)
        caplog.clear()
        assert_same(fit.train(runs, toy(), checkpoint=Checkpoint(path, [run.key for run in runs])), expected)
        (notice,) = notices(caplog)
        assert str(path) in notice and "begin anew" in notice


def test_a_checkpoint_of_other_runs_is_ignored(begun_runs, caplog):
    runs, path = begun_runs
    names = [run.key for run in runs]
    assert Checkpoint(path, names).read() is not None
    for other in (names[::-1], names[:1], [*names, "c"], []):
        caplog.clear()
        assert Checkpoint(path, other).read() is None
        assert "other runs" in notices(caplog)[0]


@pytest.mark.parametrize("name", ["form", "processor", "torch", "capability", "mkl", "commit"])
def test_a_checkpoint_that_was_computed_otherwise_is_ignored(begun_runs, caplog, monkeypatch, name):
    runs, path = begun_runs
    here = checkpoint.computed_with("cpu")
    monkeypatch.setattr(checkpoint, "computed_with", lambda device: here | {name: "another"})
    assert Checkpoint(path, [run.key for run in runs]).read() is None
    assert f"its {name} is" in notices(caplog)[0]


def test_the_plain_form_does_not_go_on_from_the_compiled_one(begun_runs, caplog):
    runs, path = begun_runs
    if not compiled.prepare():
        pytest.skip("the compiled operators cannot be built here")
    with compiled.plain():
        assert Checkpoint(path, [run.key for run in runs]).read() is None
    assert "its form is 'compiled', not 'plain'" in notices(caplog)[0]


def test_nothing_but_data_is_loaded(begun_runs):
    """A file with a right checksum that holds a function is refused."""
    runs, path = begun_runs
    own = kept(path.parent, runs)
    own.write({"stack": math.sin})
    with pytest.raises(Exception, match="Weights only load failed"):
        own.read()


# ----- writing


def test_it_is_written_only_when_due(toy, tmp_path):
    runs = [spec(epochs=3)]
    own = Checkpoint(tmp_path / "a.checkpoint", [runs[0].key], seconds=1000)
    fit.train(runs, toy(), checkpoint=own)
    assert list(tmp_path.iterdir()) == []
    own.seconds = 0
    fit.train(runs, toy(), checkpoint=own)
    assert [path.name for path in tmp_path.iterdir()] == ["a.checkpoint"]
    own.seconds = 1000
    assert not own.due(), "the clock begins anew"
    own.delete()
    own.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_once_and_training_goes_on(toy, tmp_path, caplog):
    """Files may be no longer than some bytes here, which fails as a full disk does."""
    runs = [spec(epochs=4)]
    expected = fit.train(runs, toy())
    own = kept(tmp_path, runs)
    own.write({"before": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        records = fit.train(runs, toy(), checkpoint=Checkpoint(tmp_path / "b.checkpoint", ["b"], seconds=0))
        own.write({"after": torch.zeros(10000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_same(records, expected)
    assert len(notices(caplog)) == 2, "one of each checkpoint"
    assert all("no checkpoint can be written" in notice and "File too large" in notice for notice in notices(caplog))
    assert [path.name for path in tmp_path.iterdir()] == ["a.checkpoint"]
    assert own.read() == {"before": 1}


def test_a_folder_that_cannot_be_is_told_once(toy, unwritable, caplog):
    fit.train([spec()], toy(), checkpoint=Checkpoint(unwritable / "a.checkpoint", ["a"], seconds=0))
    assert len(notices(caplog)) == 1


def test_the_begun_stacks_of_a_folder(begun_runs, tmp_path):
    runs, path = begun_runs
    (tmp_path / "b.checkpoint").write_bytes(b"not one")
    (tmp_path / "c.checkpoint").mkdir()
    (tmp_path / "d.checkpoint").write_bytes(b"[1]\n")
    (tmp_path / "e.tmp").write_bytes(path.read_bytes())
    assert begun(tmp_path) == [(path, [run.key for run in runs])]
    assert begun(Path(tmp_path, "nowhere")) == []


def test_dropout_decay_and_a_schedule_go_on_to_the_same_bits(toy, trained, tmp_path):
    own = {"dropout": 0.3, "weight_decay": 0.1, "schedule": "cosine", "widths": (7, 6)}
    runs = [spec(**own, seed=seed, epochs=4) for seed in (1, 2)]
    expected = fit.train(runs, toy("numbers"))
    alone = fit.train(runs[1:], toy("numbers"))
    assert alone[0]["curves"] == expected[1]["curves"], "it depends on its neighbours"
    begin(tmp_path, runs, toy("numbers"), epochs=2)
    assert_same(fit.train(runs, toy("numbers"), checkpoint=kept(tmp_path, runs)), expected)
