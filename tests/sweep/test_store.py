import errno
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy
import pandas
import pytest
from helpers import TIMES, kept, no_training, spec, sweep_here, two_stacks

from kanbefair import sweep
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec, grid
from kanbefair.sweep import Identity, Store
from kanbefair.sweep.store import DAMAGED, NEEDED

DATA = "0" * 16


def identity(**fields):
    return Identity(spec(**fields), DATA)


def path_of(folder, own):
    return Path(Store(folder).path(own.record))


def test_records_survive_the_store(tmp_path):
    own = identity()
    curves = {"c": [0.1234567891, float("inf")], "d": {"e": [1]}}
    kept(tmp_path / "runs", own.spec, curves, a=None, b=float("nan"))
    record = Store(tmp_path / "runs").read(own)
    assert (record["record"], record["data"], record["key"], record["lr"]) == (own.record, DATA, own.spec.key, 1e-2)
    assert (record["a"], record["b"]) == (None, None)
    assert record["curves"] == Store(tmp_path / "runs").curves(own.record) == {"c": [0.1234568, None], "d": {"e": [1]}}
    assert Store(tmp_path / "runs").read(identity(seed=7)) is None
    (path,) = (path for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert path == path_of(tmp_path / "runs", own)
    assert set(json.loads(path.read_text())) == {"run", "curves", "sha256"}


@pytest.mark.parametrize("change", [{"data": "1" * 16}, {"code": "c"}, {"spec": spec(lr=0.5)}])
def test_another_spec_data_or_code_is_another_record(change):
    whole = {"spec": spec(), "data": DATA, "code": None}
    assert Identity(**whole | change).record != Identity(**whole).record


def test_another_results_version_is_another_record(monkeypatch):
    before = identity().record
    monkeypatch.setattr(sweep.identity, "RESULTS_VERSION", -1)
    assert identity().record != before
    assert identity().as_dict()["results_version"] == -1


# ----- damage


def sealed(body):
    """A record's text with the right checksum."""
    return body + f'"sha256": "{hashlib.sha256(body).hexdigest()}"}}\n'.encode()


def changed(content, **fields):
    """The content of a record with other fields (None: without the field) and the right checksum."""
    first, curves, _ = content.split(b"\n")[:3]
    values = json.loads(first.removeprefix(b'{"run": ').removesuffix(b",")) | fields
    values = {name: value for name, value in values.items() if value is not None}
    return sealed(f'{{"run": {json.dumps(values)},\n'.encode() + curves + b"\n")


DAMAGES = {
    "cut": lambda text: text[: len(text) // 2],
    "a byte less": lambda text: text[:-1],
    "emptied": lambda text: b"",
    "zeros": lambda text: bytes(len(text)),
    "no UTF-8": lambda text: b"\xff\xfe" + text[2:],
    "a byte turned": lambda text: text[:100] + bytes([text[100] ^ 1]) + text[101:],
    "a digit turned": lambda text: text.replace(b"0.01", b"0.02", 1),
    "a curve turned": lambda text: text.replace(b"[1.5]", b"[2.5]"),
    "a line more": lambda text: text + b"{}\n",
    "another checksum": lambda text: text.replace(b'"sha256": "', b'"sha256": "0', 1),
    "an empty object": lambda text: b"{}",
    "a list": lambda text: b"[]",
    "null": lambda text: b"null",
    "no JSON, sealed": lambda text: sealed(b"{\n{\n"),
    "a list, sealed": lambda text: sealed(b'{"run": [1],\n"curves": {},\n'),
    "one line, sealed": lambda text: sealed(b"{}\n"),
    "no UTF-8, sealed": lambda text: sealed(b'{"run": \xff,\n"curves": {},\n'),
    "the old form": lambda text: b'{"key": "ab", "metric": "mae"}',
    "other rate, sealed": lambda text: changed(text, lr=0.5),
    "other key, sealed": lambda text: changed(text, key="f" * 16),
    "other record, sealed": lambda text: changed(text, record="f" * 16),
    "other data, sealed": lambda text: changed(text, data="f" * 16),
    "other version, sealed": lambda text: changed(text, results_version=-1),
    "own code, sealed": lambda text: changed(text, code="f" * 16),
    **{f"no {name}, sealed": lambda text, name=name: changed(text, **{name: None}) for name in ("key", "model", *NEEDED)},
}


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_every_damage_is_found_by_looking(tmp_path, damage, indexed):
    own, other = identity(), identity(seed=7)
    for one in (own, other):
        kept(tmp_path, one.spec, {"c": [1.5]})
    store = Store(tmp_path)
    if indexed:
        assert not store.look([own, other]).damaged
    path = path_of(tmp_path, own)
    before = path.read_bytes()
    after = damage(before)
    assert after != before
    path.write_bytes(after)
    found = store.look([own, other])
    assert list(found.rows) == [other.record]
    assert list(found.damaged) == [own.record]
    with pytest.raises(InputError, match=f"'{path}' cannot be used: .*; run its sweep again"):
        store.read(own)


def test_the_record_of_another_run_is_found(tmp_path):
    own, other = identity(), identity(seed=7)
    for one in (own, other):
        kept(tmp_path, one.spec)
    path_of(tmp_path, own).write_bytes(path_of(tmp_path, other).read_bytes())
    assert "of another run: its key is" in Store(tmp_path).look([own]).damaged[own.record]


def test_a_folder_in_a_records_place_is_found_and_moved_and_a_dangling_link_is_no_record(task, tmp_path):
    specs = two_stacks()
    table = sweep_here(specs, tmp_path)
    first, second = (Path(Store(tmp_path).path(record)) for record in table["record"][:2])
    first.unlink()
    (first / "within").mkdir(parents=True)
    second.unlink()
    second.symlink_to(tmp_path / "nowhere")
    again = sweep_here(specs, tmp_path)
    assert again["record"].tolist() == table["record"].tolist()
    assert first.is_file() and second.is_file()
    assert len(list((tmp_path / DAMAGED).glob("*/*.json"))) == 1


def test_a_pipe_in_a_records_place_is_found_without_waiting_for_it(tmp_path):
    own = identity()
    kept(tmp_path, own.spec)
    path = path_of(tmp_path, own)
    path.unlink()
    os.mkfifo(path)
    assert Store(tmp_path).look([own]).damaged == {own.record: "it is no file"}


def test_a_damaged_record_that_another_sweep_has_moved_is_no_fault(tmp_path):
    own = identity()
    kept(tmp_path, own.spec)
    path_of(tmp_path, own).write_text("")
    found = Store(tmp_path).look([own])
    Store(tmp_path).set_aside(found.damaged)
    Store(tmp_path).set_aside(found.damaged)
    assert len(list((tmp_path / DAMAGED).glob("*/*.json"))) == 1


def test_all_damaged_records_are_named_before_training_set_aside_and_made_again(task, tmp_path, caplog):
    specs = two_stacks()
    whole = sweep_here(specs, tmp_path)
    store = Store(tmp_path)
    paths = [Path(store.path(record)) for record in whole["record"]]
    for path in paths[:3]:
        path.write_bytes(path.read_bytes()[:50])
    untouched = paths[3].stat()
    with pytest.raises(sweep.RunsFailed, match="3 of 4 runs failed, .*something is trained"):
        sweep_here(specs, tmp_path, train=no_training)
    (words,) = [record.getMessage() for record in caplog.records]
    assert words.startswith("3 records cannot be used")
    assert all(str(path) in words for path in paths[:3]) and str(paths[3]) not in words
    assert len(list((tmp_path / DAMAGED).glob("*/*.json"))) == 3
    assert not any(path.exists() for path in paths[:3])
    pandas.testing.assert_frame_equal(sweep_here(specs, tmp_path), whole)
    assert paths[3].stat() == untouched


def test_a_write_that_is_cut_off_leaves_the_old_record_and_nothing_else(tmp_path, monkeypatch):
    own = identity()
    kept(tmp_path, own.spec, value=1)

    def cut(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, own.spec, value=2)
    assert Store(tmp_path).read(own)["value"] == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{own.record}.json"]


def test_what_was_left_half_written_is_deleted_when_it_is_old(task, tmp_path):
    old, new = tmp_path / "ab" / "old.tmp", tmp_path / "ab" / "new.tmp"
    old.parent.mkdir()
    for path in (old, new):
        path.write_text("")
    os.utime(old, (0, 0))
    sweep_here(two_stacks(), tmp_path)
    assert new.exists() and not old.exists()


def test_a_full_disk_is_said_in_one_sentence(task, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write '.*\.json' \(No space left on device\); make room or choose .*is kept"):
        sweep_here(two_stacks(), tmp_path)
    assert list(tmp_path.rglob("*.tmp")) == []
    monkeypatch.undo()
    assert len(sweep_here(two_stacks(), tmp_path)) == 4


def test_a_folder_that_cannot_be_written(task, unwritable):
    with pytest.raises(InputError, match="cannot write to folder"):
        sweep_here(two_stacks(), unwritable, train=no_training)


def test_a_store_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file' is no folder; choose another"):
        Store(tmp_path / "file")


def test_a_finished_store_can_be_read_where_nothing_can_be_written(tmp_path):
    """In a process of its own, from which root's right to write everywhere is taken."""
    specs = "[RunSpec(dataset='WineRecognition', model='MLP', widths=(2,), epochs=1, seed=seed) for seed in (1, 2)]"
    program = f"""
import sys
from kanbefair import sweep
from kanbefair.specs import RunSpec, grid
print(sweep.run({specs}, runs={str(tmp_path / "runs")!r}, workers=1, progress=False)["test_metric_last"].tolist())
"""
    first = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for path in [*tmp_path.rglob("*"), tmp_path / "runs"]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "runs" / "index.sqlite").unlink()
    right = "-dac_override"
    drop = [] if os.geteuid() else ["setpriv", f"--inh-caps={right}", f"--bounding-set={right}"]
    refused = subprocess.run([*drop, "touch", tmp_path / "runs" / "new"], capture_output=True)
    assert refused.returncode
    second = subprocess.run([*drop, sys.executable, "-c", program], capture_output=True, text=True)
    assert second.stdout == first.stdout, second.stderr


# ----- the index


def test_what_has_not_changed_is_read_from_the_index(task, tmp_path, monkeypatch):
    table = sweep_here(two_stacks(), tmp_path)
    monkeypatch.setattr(sweep.store, "_lines", None)
    pandas.testing.assert_frame_equal(sweep_here(two_stacks(), tmp_path, train=no_training), table)


@pytest.mark.parametrize("damage", ["deleted", "no database", "another value", "a folder"])
def test_an_index_that_cannot_be_used_is_made_again(task, tmp_path, damage):
    table = sweep_here(two_stacks(), tmp_path)
    path = tmp_path / "index.sqlite"
    if damage == "another value":
        with sqlite3.connect(path) as base:
            base.execute("UPDATE rows SET names = replace(names, 'test_metric_last', 'train_metric_last')")
        base.close()
    else:
        path.unlink()
    if damage == "no database":
        path.write_bytes(bytes(5000))
    if damage == "a folder":
        path.mkdir()
    for _ in range(2):
        pandas.testing.assert_frame_equal(sweep_here(two_stacks(), tmp_path, train=no_training), table)
    assert path.is_dir() or len(Store(tmp_path).index.read(table["record"].tolist())) == 4


# ----- the table


def test_the_table_has_a_row_per_spec_in_order(task, tmp_path):
    specs = two_stacks()[::-1]
    table = sweep_here([*specs, specs[0]], tmp_path)
    assert table["key"].tolist() == [spec.key for spec in [*specs, specs[0]]]
    assert table["widths"].tolist() == ["9", "9", "3", "3", "9"]
    assert not {"curves", "finished", *TIMES} & set(table.columns)
    told = {
        "dataset",
        "model",
        "seed",
        "lr",
        "protocol",
        "record",
        "data",
        "outcome",
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
        "results_version",
        "processor",
        "capability",
        "mkl",
        "form",
        "threads",
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


def test_widths_ranges_and_groups_are_written_as_in_the_released_rows():
    kan = RunSpec(dataset="Toy", model="KAN", widths=(5, 5), grid_range=(-4, 4))
    row = sweep.table([kan.as_dict() | {"groups": ((0, 1), (2, 3))}]).iloc[0]
    assert (row["widths"], row["grid_range"], row["groups"]) == ("5_5", "-4.0_4.0", "0 1 | 2 3")


def test_a_table_is_the_same_whatever_was_trained_first(task, tmp_path):
    specs = [*two_stacks(), *grid(dataset="ToyClasses", model="KAN", widths=(2,), epochs=1)]
    whole = sweep_here(specs, tmp_path / "whole")
    sweep_here(specs[-1:], tmp_path / "later")
    pandas.testing.assert_frame_equal(sweep_here(specs, tmp_path / "later"), whole)
