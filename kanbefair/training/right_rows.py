"""Which rows of the test part a run gets right, kept beside its figures: what differences between runs vary over."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.models import Network
from kanbefair.specs import RunSpec, one_of
from kanbefair.training import fit
from kanbefair.training.evaluation import evaluation_block


@dataclass(frozen=True, kw_only=True)
class RightRowsSpec(RunSpec):
    """A run whose record keeps which rows of the test part it gets right at the epoch that its protocol reports (`unpack`)."""

    checks = RunSpec.checks | {"kept": one_of(("right_rows",))}

    kept: str = "right_rows"

    def _check(self) -> None:
        super()._check()
        if self.blind:
            raise InputError("a blind run does not read the test part, so nothing is kept of its rows; take a plain RunSpec")

    def check_task(self, task: Task) -> None:
        """Raise `InputError` if the run cannot be made on the dataset `task`, whose targets must be classes."""
        super().check_task(task)
        if task.metric != "accuracy":
            raise InputError(f"{task.name} has numbers as targets, of which none is right; take a plain RunSpec")


def pack(right: Tensor) -> str:
    """Truth values (N,) as a text."""
    return base64.b64encode(numpy.packbits(right.numpy())).decode()


def unpack(text: str, rows: int) -> numpy.ndarray:
    """The `rows` truth values that `pack` was given."""
    return numpy.unpackbits(numpy.frombuffer(base64.b64decode(text), dtype=numpy.uint8), count=rows).astype(bool)


@torch.no_grad()
def right_rows(network: Network, task: Task) -> Tensor:
    """Which rows of the test part each run of a stack gets right: (S, N), on the CPU."""
    network.eval()
    blocks = task.x_test.split(evaluation_block(network, task))
    found = torch.cat([network(task.inputs(rows)).argmax(-1) for rows in blocks], dim=1)
    return (found == task.y_test).cpu()


def train(specs: Sequence[RightRowsSpec], task: Task, *, device: str | torch.device = "cpu", **options: object) -> list[dict]:
    """As `fit.train`; the records' `curves` also hold the `right_rows`."""
    kept: list[Tensor] = []
    there = task.to(device)
    look = {"on_reported": lambda network: kept.append(right_rows(network, there))}
    records = fit.train(specs, task, device=device, **look, **options)
    rows = torch.cat(kept)  # runs of LBFGS train, and are looked at, one by one
    for record, right in zip(records, rows, strict=True):
        record["curves"]["right_rows"] = pack(right)
    return records
