import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from kanbefair.data import tensor_cache
from kanbefair.data.registry import Request
from kanbefair.data.tensor_cache import cached
from kanbefair.errors import InputError
from kanbefair.folders import cache_folder


@pytest.fixture
def request_(tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    tensor_cache._tell_once.cache_clear()
    return Request("Thing", "fair", 0, tmp_path / "data")


def test_cache_is_hit_until_source_or_version_changes(request_):
    source = request_.data_dir / "s.csv"
    source.write_text("1")
    calls = []

    def build():
        calls.append(1)
        return {"x": torch.tensor([float(source.read_text())]), "y": torch.arange(3)[None].expand(2, 3).T}

    first = cached(request_, [source], 1, build)
    second = cached(request_, [source], 1, build)
    assert len(calls) == 1 and torch.equal(first["x"], second["x"]) and torch.equal(first["y"], second["y"])
    assert second["y"].dtype == torch.int64
    cached(request_, [source], 2, build)
    assert len(calls) == 2
    source.write_text("7")
    os.utime(source, ns=(5, 5))
    assert cached(request_, [source], 2, build)["x"].item() == 7 and len(calls) == 3
    assert [p.name for p in (cache_folder() / "tensors").iterdir()] == ["Thing-fair.safetensors"]


def test_a_folder_is_a_source(request_):
    folder = request_.data_dir / "many" / "deep"
    folder.mkdir(parents=True)
    (folder / "a").write_text("a")

    def build():
        return {"n": torch.tensor(len(list(folder.iterdir())))}

    assert cached(request_, [folder.parent], 1, build)["n"] == 1
    (folder / "b").write_text("b")
    assert cached(request_, [folder.parent], 1, build)["n"] == 2


def test_failed_build_leaves_the_cache_untouched(request_):
    source = request_.data_dir / "s.csv"
    source.write_text("1")
    cached(request_, [source], 1, lambda: {"x": torch.ones(1)})
    path = cache_folder() / "tensors" / "Thing-fair.safetensors"
    before = path.read_bytes(), path.stat().st_mtime_ns

    def fail():
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        cached(request_, [source], 2, fail)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert cached(request_, [source], 1, fail)["x"].item() == 1


ORIGINAL = {"x": torch.arange(100.0), "y": torch.arange(3)}


@pytest.fixture
def kept(request_):
    """A source, and the cache file with what was made of it."""
    source = request_.data_dir / "s.csv"
    source.write_text("1")
    cached(request_, [source], 1, ORIGINAL.copy)
    return source, cache_folder() / "tensors" / "Thing-fair.safetensors"


def altered(tensors, **more):
    """A harm: other tensors beside what the cache file says of itself."""

    def harm(path):
        with safe_open(path, "pt") as file:
            about = file.metadata()
        save_file(tensors, path, metadata=about | more)

    return harm


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


HARMS = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:300]),
    "without its last byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "one bit": flipped,
    "another value": altered(ORIGINAL | {"x": torch.arange(100.0) + 1}),
    "lacks a tensor": altered({"x": ORIGINAL["x"]}),
    "one too many": altered(ORIGINAL | {"z": torch.ones(1)}),
    "another shape": altered(ORIGINAL | {"x": ORIGINAL["x"].view(10, 10)}),
    "another type": altered(ORIGINAL | {"x": ORIGINAL["x"].view(torch.int32)}),
    "another name": altered({"a": ORIGINAL["x"], "y": ORIGINAL["y"]}),
    "foreign": lambda path: save_file(ORIGINAL, path),
    "of an earlier version": lambda path: save_file(ORIGINAL, path, metadata={"identity": "0"}),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_altered_or_foreign_cache_is_made_anew_and_told_once(harm, kept, request_, caplog):
    source, path = kept
    HARMS[harm](path)
    again = {name: tensor + 1 for name, tensor in ORIGINAL.items()}
    for _ in range(2):
        found = cached(request_, [source], 1, again.copy)
        assert found.keys() == again.keys() and all(torch.equal(found[name], again[name]) for name in again)
    (told,) = caplog.messages
    assert told.startswith(f"Thing: the cached tensors '{path}' are not used and are made anew (") and "\n" not in told


def test_a_source_altered_with_its_size_and_time_kept_is_noticed(kept, request_):
    source, _ = kept
    before = source.stat()
    source.write_text("2")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_mtime_ns == before.st_mtime_ns and source.stat().st_size == before.st_size
    assert cached(request_, [source], 1, lambda: {"x": torch.zeros(1)})["x"].shape == (1,)


def test_sources_that_were_touched_or_copied_and_not_changed_need_no_new_tensors(kept, request_, tmp_path, monkeypatch):
    source, _ = kept
    os.utime(source, ns=(5, 5))
    assert torch.equal(cached(request_, [source], 1, None)["x"], ORIGINAL["x"])
    monkeypatch.setattr(tensor_cache, "_sha256", None)
    assert torch.equal(cached(request_, [source], 1, None)["x"], ORIGINAL["x"])
    monkeypatch.undo()
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    copy = Path(shutil.copytree(request_.data_dir, tmp_path / "copy"))
    assert torch.equal(cached(replace(request_, data_dir=copy), [copy / "s.csv"], 1, None)["x"], ORIGINAL["x"])
    (copy / "s.csv").rename(copy / "t.csv")
    with pytest.raises(TypeError):
        cached(replace(request_, data_dir=copy), [copy / "t.csv"], 1, None)


def full_disk(tensors, path, metadata):
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device")


def in_the_way(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "file"))


def no_room(monkeypatch, tmp_path):
    monkeypatch.setattr(tensor_cache, "save_file", full_disk)


@pytest.mark.parametrize(("harm", "said"), [(in_the_way, "Not a directory"), (no_room, "No space left on device")])
def test_a_cache_that_cannot_be_written_stops_nothing_and_is_told_once(harm, said, request_, monkeypatch, tmp_path, caplog):
    source = request_.data_dir / "s.csv"
    source.write_text("1")
    harm(monkeypatch, tmp_path)
    for _ in range(2):
        assert cached(request_, [source], 1, ORIGINAL.copy)["y"].tolist() == [0, 1, 2]
    (told,) = caplog.messages
    assert f"/tensors' cannot be written ({said})" in told and "KANBEFAIR_CACHE" in told and "\n" not in told
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]


def test_a_cache_file_has_the_permissions_of_any_new_file_and_is_on_the_disk(request_, monkeypatch):
    source = request_.data_dir / "s.csv"
    source.write_text("1")
    done = []
    sync, replace_ = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("sync"), sync(number)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace_(*paths)))
    before = os.umask(0o027)
    try:
        cached(request_, [source], 1, ORIGINAL.copy)
    finally:
        os.umask(before)
    assert (cache_folder() / "tensors" / "Thing-fair.safetensors").stat().st_mode & 0o777 == 0o640
    assert done == ["sync", "replace"]


def write_often(folder, value):
    for version in range(30):
        tensors = cached(
            Request("Thing", "fair", 0, folder), [folder / "s.csv"], version, lambda: {"x": torch.full((1000,), value)}
        )
        assert tensors["x"].unique().tolist() in ([1.0], [2.0])


def test_processes_with_the_same_number_write_the_same_cache(request_, monkeypatch, caplog):
    (request_.data_dir / "s.csv").write_text("1")
    monkeypatch.setattr(os, "getpid", lambda: 7)
    with ThreadPoolExecutor(2) as pool:
        for written in [pool.submit(write_often, request_.data_dir, value) for value in (1.0, 2.0)]:
            written.result()
    assert caplog.messages == []
    assert [path.name for path in (cache_folder() / "tensors").iterdir()] == ["Thing-fair.safetensors"]
