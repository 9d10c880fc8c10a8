import socket
from pathlib import Path

import matplotlib
import pandas
import pytest
import torch
from helpers import SHARED

from kanbefair import specs
from kanbefair.data import Task, registry
from kanbefair.data.task import make_task
from kanbefair.models import counting, networks

matplotlib.use("agg")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """A test that calls out of this machine fails."""
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def published_rows() -> pandas.DataFrame:
    """The authors' released rows."""
    path = SHARED / "reference" / "published_rows.csv"
    if not path.is_file():
        pytest.skip("../shared/reference/published_rows.csv is not here")
    return pandas.read_csv(path)


@pytest.fixture
def unwritable(tmp_path) -> Path:
    """A folder that not even root can create: a regular file stands in its way."""
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "folder"


@pytest.fixture
def own_registries():
    """What a test registers is forgotten after it."""
    registries = (specs.MODEL_FIELDS, specs.REMOVABLE, networks.FAMILIES, counting.LAYER_COUNTERS, registry._DATASETS)
    before = [dict(entries) for entries in registries]
    yield
    for entries, kept in zip(registries, before, strict=True):
        entries.clear()
        entries.update(kept)


def _features(rows: int, seed: int) -> torch.Tensor:
    return torch.rand(rows, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="session")
def toy():
    """`toy(kind, protocol)`: a small task of 4 inputs; "numbers" has 2 smooth outputs, "classes" 3 classes, "text" tokens."""

    def make(kind: str = "numbers", protocol: str = "fair") -> Task:
        x = _features(157 + 60, seed=0)
        if kind == "numbers":
            y = torch.stack([(2 * x[:, 0]).sin() * x[:, 1], x[:, 2].exp() - x[:, 3]], dim=1)
        else:
            y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).long() + (x[:, 3] > 0.3)
        fields = {}
        if kind == "text":
            length = (3 + 4 * (x[:, :1] + 1)).long()
            tokens = torch.randint(0, 6, (len(x), 12), generator=torch.Generator().manual_seed(1)) + 2 * y[:, None]
            x = torch.where(torch.arange(12) < length, tokens, -1).int()
            fields = {"vocabulary_size": 10}
        domain = {"numbers": "symbolic", "classes": "tabular", "text": "text"}[kind]
        return make_task(f"toy {kind}", domain, protocol, (x[:157], y[:157]), (x[157:], y[157:]), **fields)

    return make
