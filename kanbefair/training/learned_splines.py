"""The splines that a network has learned, as curves: what its activations look like after training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.models import Network
from kanbefair.models.spline_layers import KANLinear, SplineActivation, spline_inputs
from kanbefair.specs import RunSpec
from kanbefair.training import fit
from kanbefair.training.checkpoint import Checkpoint, one_by_one
from kanbefair.values import whole

MOST_POINTS = 100_000
"""A record keeps the values at all points of every curve that is shown."""


@dataclass(frozen=True, kw_only=True)
class DrawnSpec(RunSpec):
    """A run whose record keeps its activations: of each layer the `shown` that vary most, at `points` points each."""

    checks = RunSpec.checks | {"shown": whole, "points": partial(whole, least=2, most=MOST_POINTS)}

    shown: int = 10
    points: int = 61

    def _check(self) -> None:
        super()._check()
        if self.grid is None:
            raise InputError(f"{self.model} has no splines to draw; use a model with a grid")


def _curves(layer: KANLinear | SplineActivation, at: Tensor) -> Tensor:
    """The activation of each edge or unit of a layer of one run at the points `at`: (edges or units, points)."""
    table = layer.grid.table(at.unsqueeze(1))[..., 0, :]
    if isinstance(layer, SplineActivation):
        return layer.coefficients[0] @ table.T
    weight = layer.coefficients[0] * layer.scale[0].unsqueeze(1)
    y = torch.einsum("pg,igo->iop", table, weight).flatten(0, 1)
    return y if layer.base is None else y + layer.base[0].reshape(-1, 1) * layer.shortcut(at)


@torch.no_grad()
def activations(network: Network, x: Tensor, *, shown: int, points: int) -> list[dict]:
    """The activation functions of a single trained network (a stack of one).

    Args:
        network: the network.
        x: rows (B, in) that it is fed.
        shown: how many edges or units of each layer to return: those that vary most over the range, these first.
        points: at how many points of the grid's range.

    Per spline layer a dictionary: its number `layer`, the `count` of all edges or units, the points `x`, the values `y` (a
    list per edge or unit, shortcut included), and `low` and `high`, between which nine of ten inputs of the layer lie.
    """
    layers = []
    for number, (layer, inputs) in enumerate(spline_inputs(network, x).values(), start=1):
        start, end = (float(bound.flatten()[0]) for bound in (layer.grid.low, layer.grid.high))
        at = torch.linspace(start, end, points, device=x.device)
        y = _curves(layer, at)
        widest = y.std(dim=1).argsort(descending=True)[:shown]
        low, high = torch.quantile(inputs.flatten().float()[: 2**20], torch.tensor([0.05, 0.95], device=x.device))
        layers.append(
            {
                "layer": number,
                "count": len(y),
                "x": at.tolist(),
                "y": y[widest].tolist(),
                "low": float(low),
                "high": float(high),
            }
        )
    return layers


def train(
    specs: Sequence[DrawnSpec],
    task: Task,
    *,
    device: str | torch.device = "cpu",
    on_epoch: Callable[[], None] = lambda: None,
    checkpoint: Checkpoint | None = None,
) -> list[dict]:
    """As `fit.train`, one run at a time; the record's `curves` also hold the network's `activations` on the train
    part."""

    def train_one(spec: DrawnSpec, own: Checkpoint | None) -> dict:
        kept: list[Network] = []
        (record,) = fit.train([spec], task, device=device, on_epoch=on_epoch, on_end=kept.append, checkpoint=own)
        x = task.inputs(task.x_train[:1000]).to(device)
        record["curves"]["activations"] = activations(kept[0], x, shown=spec.shown, points=spec.points)
        return record

    return one_by_one(train_one, specs, checkpoint)
