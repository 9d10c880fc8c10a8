"""The splines that a network has learned, as curves: what its activations look like after training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.models import Network
from kanbefair.models.spline_layers import KANLinear, SplineActivation
from kanbefair.specs import RunSpec
from kanbefair.training import fit


@dataclass(frozen=True, kw_only=True)
class DrawnSpec(RunSpec):
    """A run whose record keeps its activations: the `curves` of each layer that vary most, at `points` points each."""

    curves: int = 10
    points: int = 61

    def _check(self) -> None:
        super()._check()
        if self.grid is None:
            raise InputError(f"{self.model} has no splines to draw; use a model with a grid")


def _inputs(network: Network, x: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """Every spline layer with its inputs at the rows x."""
    seen, hooks = [], []
    for module in network.modules():
        if isinstance(module, KANLinear | SplineActivation):
            hooks.append(module.register_forward_pre_hook(lambda m, args: seen.append((m, args[0]))))
    network.eval()
    network(x)
    for hook in hooks:
        hook.remove()
    return seen


@torch.no_grad()
def activations(network: Network, x: Tensor, *, curves: int, points: int) -> list[dict]:
    """The activation functions of a single trained network (a stack of one).

    Per spline layer a dictionary: `x` (points on the grid's range), `y` (a list per
    edge or unit, shortcut included, those that vary most over the range first), `low` and `high`, between which nine
    of ten inputs of the layer lie at the rows x.
    """
    layers = []
    for number, (module, inputs) in enumerate(_inputs(network, x), start=1):
        low, high = (float(end.flatten()[0]) for end in (module.grid.low, module.grid.high))
        at = torch.linspace(low, high, points, device=x.device)
        table = module.grid.table(at.unsqueeze(1))[..., 0, :]
        if isinstance(module, KANLinear):
            weight = module.coefficients[0] * module.scale[0].unsqueeze(1)
            y = torch.einsum("pg,igo->iop", table, weight).flatten(0, 1)
            if module.base is not None:
                y = y + module.base[0].reshape(-1, 1) * module.shortcut(at)
        else:
            y = module.coefficients[0] @ table.T
        widest = y.std(dim=1).argsort(descending=True)[:curves]
        ends = torch.quantile(inputs.flatten().float()[: 2**20], torch.tensor([0.05, 0.95], device=x.device))
        layers.append(
            {
                "layer": number,
                "count": len(y),
                "x": at.tolist(),
                "y": y[widest].tolist(),
                "low": float(ends[0]),
                "high": float(ends[1]),
            }
        )
    return layers


def train(
    specs: Sequence[DrawnSpec],
    task: Task,
    *,
    device: str | torch.device = "cpu",
    on_epoch: Callable[[], None] = lambda: None,
) -> list[dict]:
    """As `fit.train`, one run at a time; the record's `curves` also hold the network's `activations` on the train
    part."""
    records = []
    for spec in specs:
        kept: list[Network] = []
        (record,) = fit.train([spec], task, device=device, on_epoch=on_epoch, on_end=kept.append)
        x = task.inputs(task.x_train[:1000]).to(device)
        record["curves"]["activations"] = activations(kept[0], x, curves=spec.curves, points=spec.points)
        records.append(record)
    return records
