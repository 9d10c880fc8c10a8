import importlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kanbefair import training
from kanbefair.data import load
from kanbefair.specs import MODEL_FIELDS, RunSpec
from kanbefair.sweep import Store
from kanbefair.training import fit

TINY = ["--dataset", "Special_ellipkinc", "--layers_width", "3", "--epochs", "2"]

train = importlib.import_module("kanbefair.train")


def call(out, *flags):
    """Run the command line in this process: exit status and what it printed."""
    return train.main([*TINY, "--out", str(out), *map(str, flags)])


def shell(flags, out):
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "kanbefair.train", *shlex.split(flags), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def record_of(capsys, out, *flags):
    assert call(out, *flags, "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_the_papers_command_line_prints_one_json_line(tmp_path):
    ended = shell(
        "--model KAN --layers_width 10 10 --dataset Digits --batch-size 128 --epochs 2 --lr 0.001 --seed 1314 "
        "--activation_name gelu --kan_bspline_grid 20 --kan_bspline_order 5 --kan_grid_range -4 4 --json",
        tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    record = json.loads(line)
    assert record["parameters"] == 64 * 10 * 28 + 10 + 2 * (100 * 28 + 10)
    assert record["flops"] == 840 * (9 * 5 * (20 + 7.5) + 40 - 12.5 + 1 + 2) + 84 * 5
    assert 0 < record["test_metric_last"] <= record["test_metric_best"] <= 100
    assert 0 < record["train_metric_last"] <= 100
    assert (record["protocol"], record["grid"], record["order"], record["grid_range"]) == ("published", 20, 5, [-4, 4])
    assert "curves" not in record
    assert "activation" not in record


def test_the_record_is_that_of_fit_train(capsys, tmp_path):
    spec = RunSpec(
        dataset="Special_ellipkinc",
        model="MLP",
        widths=(3, 4),
        protocol="published",
        seed=7,
        epochs=2,
        batch_size=100,
        lr=0.01,
        activation="tanh",
        batch_norm=True,
    )
    (expected,) = fit.train([spec], load(spec.dataset, protocol="published", seed=7))
    flags = "--model MLP --layers_width 3 4 --seed 7 --batch-size 100 --lr 0.01 --activation_name tanh --batch_norm"
    record = record_of(capsys, tmp_path, *shlex.split(flags))
    assert record["key"] == spec.key
    for name in ("train_metric_last", "test_metric_last", "test_metric_best", "test_rmse_last", "parameters", "flops"):
        assert record[name] == expected[name]


@pytest.mark.parametrize("model", ["KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP"])
@pytest.mark.parametrize("protocol", ["published", "fair"])
def test_every_model_under_both_protocols(capsys, tmp_path, model, protocol):
    record = record_of(capsys, tmp_path, "--model", model, "--protocol", protocol)
    assert (record["model"], record["protocol"]) == (model, protocol)
    assert (record["test_metric_selected"] is not None) == (protocol == "fair")


@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        (["--kan_shortcut_name", "zero"], {"shortcut": "zero"}),
        (["--optimizer", "lbfgs"], {"optimizer": "lbfgs"}),
        (["--optimizer", "sgd", "--loss", "mse"], {"optimizer": "sgd", "loss": "mse"}),
        (["--model", "MLP"], {"activation": "gelu", "batch_norm": False}),
        (["--model", "BSpline_MLP", "--batch_norm", "--kan_bspline_grid", "4"], {"batch_norm": True, "grid": 4}),
        (["--model", "KAN_Text"], {"model": "KAN"}),
        (["--dataset", "Docstrings", "--model", "MLP", "--epochs", "1"], {"domain": "text", "metric": "accuracy"}),
    ],
)
def test_flags_reach_the_run(capsys, tmp_path, flags, fields):
    record = record_of(capsys, tmp_path, *flags)
    assert {name: record[name] for name in fields} == fields


def test_the_test_batch_size_changes_no_metric(capsys, tmp_path):
    records = [record_of(capsys, tmp_path / size, "--dataset", "Digits", "--test-batch-size", size) for size in ("7", "1000")]
    assert records[0]["test_metric_last"] == records[1]["test_metric_last"]
    assert records[0]["train_metric_last"] == records[1]["train_metric_last"]


def test_a_second_call_trains_nothing_and_says_so(capsys, tmp_path, monkeypatch):
    first = record_of(capsys, tmp_path)
    assert call(tmp_path / "new") == 0
    place = Path("results", "runs", first["record"][:2], f"{first['record']}.json")
    assert capsys.readouterr().out.splitlines()[-1] == f"kept in {tmp_path / 'new' / place}"
    monkeypatch.setattr(training, "train", None)
    assert record_of(capsys, tmp_path) == first
    for flags, stream in (([], "out"), (["--json"], "err")):
        assert call(tmp_path, *flags) == 0
        printed = getattr(capsys.readouterr(), stream)
        assert printed.splitlines()[-1] == f"read from {tmp_path / place}, trained before"


def test_without_json_it_says_it_in_words(capsys, tmp_path):
    assert call(tmp_path, "--model", "MLP", "--protocol", "fair") == 0
    printed = capsys.readouterr().out
    assert "13 parameters" in printed
    assert all(f"{moment} epoch" in printed for moment in ("last", "best", "selected"))


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
def test_a_diverged_run_is_reported_not_raised(capsys, tmp_path, optimizer):
    flags = ["--lr", "1e30", "--optimizer", optimizer]
    assert call(tmp_path, *flags, "--json") == 0

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    record = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert record["diverged"] in (1, 2)
    assert record["test_metric_last"] is None
    assert call(tmp_path, *flags) == 0
    printed = capsys.readouterr().out
    assert f"the run diverged: its loss is not finite from epoch {record['diverged']} on" in printed
    assert "last epoch" not in printed


def test_flags_that_the_model_does_not_read_are_named_once(capsys, tmp_path):
    assert call(tmp_path, "--model", "MLP", "--batch_norm", "--kan_bspline_grid", "4", "--kan_shortcut_name", "silu") == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert notes == ["note: MLP does not read --kan_bspline_grid, --kan_shortcut_name"]
    assert call(tmp_path, "--batch_norm", "--kan_bspline_grid", "4") == 0
    assert "note: " not in capsys.readouterr().err


@pytest.mark.parametrize("ends", [("-1e38", "1e38"), ("-1e-3", "1"), ("-.5E0", "+1e0"), ("-2", "-1e-1")])
def test_ends_of_a_grid_may_have_exponents(capsys, tmp_path, ends):
    assert record_of(capsys, tmp_path, "--kan_grid_range", *ends)["grid_range"] == list(map(float, ends))


BAD = [
    (["--dataset", "MINST"], "unknown dataset 'MINST'; did you mean 'MNIST'"),
    (["--model", "MPL"], "unknown model 'MPL'; did you mean 'MLP'? known: RBF_KAN, Chebyshev_KAN, KAN, LocalBasis, MLP"),
    (["--model", "MLP", "--activation_name", "softmax"], "unknown activation 'softmax'"),
    (["--kan_shortcut_name", "relu"], "unknown shortcut 'relu'"),
    (["--optimizer", "adamw"], "unknown optimizer 'adamw'; did you mean 'adam'"),
    (["--loss", "l1"], "unknown loss 'l1'"),
    (["--loss", "cross_entropy"], "'cross_entropy' needs classes, but Special_ellipkinc has numbers"),
    (["--protocol", "paper"], "unknown protocol 'paper'"),
    (["--layers_width", "5", "0"], "layer width is 0; it must be a whole number of at least 1"),
    (["--kan_bspline_grid", "0"], "grid is 0; it must be a whole number of at least 1"),
    (["--kan_bspline_order", "-1"], "order is -1; it must be a whole number of at least 1"),
    (["--kan_grid_range", "1", "-1"], "grid range is [1.0, -1.0]; it needs two ends, the first below the second"),
    (["--kan_grid_range", "2", "2"], "grid range is [2.0, 2.0]"),
    (["--epochs", "0"], "epochs is 0"),
    (["--batch-size", "-5"], "batch_size is -5"),
    (["--test-batch-size", "0"], "test-batch-size is 0"),
    (["--test-batch-size", "-1"], "test-batch-size is -1"),
    (["--lr", "0"], "lr is 0.0; it must be a number above 0"),
    (["--lr", "nan"], "lr is nan"),
    (["--seed", "-1"], "seed is -1"),
    (
        ["--model", "MLP", "--seed", str(2**32)],
        "seed is 4294967296; it must be a whole number of at least 0 and at most 4,294,967,295",
    ),
    (["--data-dir", "/nowhere/at/all"], "data folder '/nowhere/at/all' does not exist"),
    (["--data-dir", ""], "--data-dir is empty; name a folder or leave --data-dir away"),
    (["--out", ""], "--out is empty; name a folder or leave --out away"),
    (["--kan_grid_range", "-1e300", "1e300"], "grid range is [-1e+300, 1e+300], where a grid of 5 has no steps"),
    (["--kan_grid_range", "-inf", "1"], "end of the grid range is -inf; it must be a finite number"),
    (["--lr", "-1e-3"], "lr is -0.001; it must be a number above 0"),
    (["--batch-size", str(10**21)], "batch_size is 1000000000000000000000; it must be a whole number"),
    (["--kan_bspline_order", "100000"], "order is 100000; it must be a whole number of at least 1 and at most 100"),
    (["--model", "MLP", "--activation_name", ""], "unknown activation ''"),
    (["--dataset", ""], "dataset is ''; it must be a name"),
    (["--device", "cpu:1"], "unknown device 'cpu:1'; use cpu or cuda"),
    (["--device", "tpux"], "unknown device 'tpux'; use cpu or cuda"),
    (["--device", "meta"], "unknown device 'meta'; use cpu or cuda"),
]


@pytest.mark.parametrize(("flags", "words"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_bad_input_is_one_line_and_exit_2_before_any_training(capsys, tmp_path, monkeypatch, flags, words):
    monkeypatch.setattr(training, "train", None)
    assert call(tmp_path, *flags) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert list(tmp_path.rglob("*.json")) == []


def test_an_out_folder_that_cannot_be_written(capsys, unwritable, monkeypatch):
    monkeypatch.setattr(training, "train", None)
    assert call(unwritable) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write to folder" in line
    assert "choose another with out / --out" in line


def test_a_damaged_record_is_named_and_its_run_trained_again(capsys, caplog, tmp_path):
    record = record_of(capsys, tmp_path)
    path = Path(Store(tmp_path / "results" / "runs").path(record["record"]))
    path.write_text(path.read_text()[:50])
    assert record_of(capsys, tmp_path)["test_metric_last"] == record["test_metric_last"]
    assert f"{path}: its content does not have its checksum" in caplog.text


def test_flags_of_the_wrong_type_end_in_exit_2(capsys, tmp_path):
    for flags in (["--lr", "fast"], ["--layers_width", "2.5"], ["--kan_grid_range", "1"], ["--unknown", "1"], ["--epoch", "1"]):
        with pytest.raises(SystemExit) as ended:
            call(tmp_path, *flags)
        assert ended.value.code == 2
        assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("flags", ["--model KAN --dataset MINST", "--kan_grid_range 1 0"])
def test_from_a_shell_bad_input_shows_no_traceback(tmp_path, flags):
    ended = shell(flags, tmp_path / "new")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_help_names_every_model(capsys):
    with pytest.raises(SystemExit) as ended:
        train.main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in MODEL_FIELDS)
