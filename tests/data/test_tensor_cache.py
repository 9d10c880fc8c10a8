import os

import pytest
import torch

from kanbefair.data.registry import Request
from kanbefair.data.tensor_cache import cached
from kanbefair.errors import InputError
from kanbefair.folders import cache_folder


@pytest.fixture
def request_(tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
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


def test_damaged_cache_is_rebuilt_and_unwritable_cache_is_named(request_, monkeypatch, tmp_path):
    source = request_.data_dir / "s.csv"
    source.write_text("1")
    cached(request_, [source], 1, lambda: {"x": torch.ones(100)})
    path = cache_folder() / "tensors" / "Thing-fair.safetensors"
    path.write_bytes(path.read_bytes()[:150])
    assert cached(request_, [source], 1, lambda: {"x": torch.zeros(2)})["x"].shape == (2,)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="KANBEFAIR_CACHE"):
        cached(request_, [source], 1, lambda: {"x": torch.ones(1)})
