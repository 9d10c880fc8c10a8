"""Metrics of a stack of networks on a part of the data."""

import math

import numpy
import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.models import Network
from kanbefair.training.losses import run_losses

EVALUATION_ROWS = {"cpu": (128, 512, 2**14), "cuda": (128, 2**16, 2**20)}
"""Rows that are evaluated at once: at least, at most, and so many that a run has so many values in its widest layer. On the CPU
a stack of 64 runs then stays in the cache."""


@torch.no_grad()
def evaluate(network: Network, task: Task, part: str, block: int) -> dict[str, Tensor]:
    """Metrics (S,) of each run on a part: accuracy in percent ("metric") and cross entropy ("loss"), or mean absolute
    ("metric") and root mean square error ("rmse"). `block` rows are evaluated at once.

    A run that answers NaN to a row has no metrics: they are NaN. So are they where it answers infinity, which stands for no
    class and no number. An answer of −inf for a class is one, the probability 0. Where answers are finite and only a loss
    overflows, that loss is infinite and the rest is as it is.
    """
    x, y = task.part(part)
    network.eval()
    total = torch.zeros(2, network.runs, dtype=torch.float64, device=x.device)
    for rows, target in zip(x.split(block), y.split(block, dim=y.dim() - 2 if y.dim() > 2 else 0), strict=True):
        logits = network(task.inputs(rows))
        if task.metric == "accuracy":
            total[0] += (logits.argmax(-1) == target).sum(-1)
            total[1] += run_losses(logits, target, "cross_entropy").double() * len(target)
        else:
            error = (logits - target).flatten(1)
            total[0] += error.abs().sum(-1, dtype=torch.float64) / logits.shape[-1]
            total[1] += error.square().sum(-1, dtype=torch.float64) / logits.shape[-1]
    first, second = (total / len(x)).cpu()
    answered = ~second.isnan() if task.metric == "accuracy" else first.isfinite()
    first, second = (values.masked_fill(~answered, math.nan) for values in (first, second))
    if task.metric == "accuracy":
        return {"metric": 100 * first, "loss": second}
    return {"metric": first, "rmse": torch.from_numpy(numpy.sqrt(second.numpy()))}


def evaluation_block(network: Network, task: Task) -> int:
    """How many rows to evaluate at once. It depends on the network's shape alone, so that no result depends on the stack."""
    least, most, values = EVALUATION_ROWS[task.x_train.device.type]
    return max(least, min(most, values // max(network.widths[1:])))
