import os

import numpy
import pytest
from helpers import TIMES, no_training, sweep_here, two_stacks

from kanbefair import sweep
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec, grid
from kanbefair.sweep import Store


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
    sweep_here(specs, tmp_path)
    path = Store(tmp_path).path(specs[1].key)
    path.write_text(content)
    with pytest.raises(InputError, match=f"{specs[1].key}.json is damaged; delete it and run again"):
        sweep_here(specs, tmp_path)
    assert path.read_text() == content
    path.unlink()
    assert len(sweep_here(specs, tmp_path)) == 4


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
        sweep_here(two_stacks(), unwritable, train=no_training)


# ----- the table


def test_the_table_has_a_row_per_spec_in_order(task, tmp_path):
    specs = two_stacks()[::-1]
    table = sweep_here([*specs, specs[0]], tmp_path)
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
