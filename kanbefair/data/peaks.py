"""Five Gaussian peaks on a line or in a square: the regression that the KAN paper learns one peak at a time (Liu et
al., "KAN: Kolmogorov-Arnold Networks", arXiv 2404.19756, section on continual learning), and the same in two
dimensions."""

import numpy
import torch
from torch import Tensor

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task

SEED = 20240430

CENTRES = {
    "Peaks_1d": ((-0.8,), (-0.4,), (0.0,), (0.4,), (0.8,)),
    "Peaks_2d": ((-0.6, -0.6), (-0.6, 0.6), (0.0, 0.0), (0.6, -0.6), (0.6, 0.6)),
}
"""Where the peaks stand in [-1, 1] or [-1, 1]², in the order in which they are shown."""

SHARPNESS = {"Peaks_1d": 300.0, "Peaks_2d": 50.0}
"""A peak is exp(−sharpness · squared distance); in one dimension this is the KAN paper's."""

ROWS = {"Peaks_1d": 500, "Peaks_2d": 2000}
"""Rows of each part; all peaks get about as many."""


def nearest(x: Tensor, name: str) -> Tensor:
    """The number of the peak that is nearest to each row of x (N, dimensions), int64 (N,)."""
    return torch.cdist(x, torch.tensor(CENTRES[name], dtype=x.dtype)).argmin(1)


@register(*CENTRES, domain="symbolic", embedded=True)
def peaks(request: Request) -> Task:
    """The sum of five Gaussian peaks of height 1, at points drawn uniformly: always the same ones, under both protocols
    (`published` counts the validation part to the training part)."""
    name, generator = request.name, numpy.random.RandomState(SEED)
    centres = numpy.array(CENTRES[name])
    draws = [generator.uniform(-1, 1, (ROWS[name], centres.shape[1])) for _ in range(3)]
    heights = [numpy.exp(-SHARPNESS[name] * ((x[:, None] - centres) ** 2).sum(-1)).sum(-1) for x in draws]
    xs = [torch.from_numpy(x).float() for x in draws]
    ys = [torch.from_numpy(y[:, None]).float() for y in heights]
    if request.protocol == "published":
        xs[0], ys[0] = torch.cat(xs[::2]), torch.cat(ys[::2])
        xs[2], ys[2] = xs[2][:0], ys[2][:0]
    return Task(
        name=name,
        domain="symbolic",
        metric="mae",
        output_size=1,
        x_train=xs[0],
        y_train=ys[0],
        x_test=xs[1],
        y_test=ys[1],
        x_valid=xs[2],
        y_valid=ys[2],
    )
