"""Regression on five Gaussian peaks on a line or in a square.

The KAN paper learns the peaks on a line one at a time (Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv 2404.19756,
section on continual learning). Those in a square are the same in two dimensions.
"""

import numpy
import torch
from torch import Tensor

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task

SEED = 20240430
"""Seeds the points, which are the same for every run."""

CENTRES = {
    "Peaks_1d": ((-0.8,), (-0.4,), (0.0,), (0.4,), (0.8,)),
    "Peaks_2d": ((-0.6, -0.6), (-0.6, 0.6), (0.0, 0.0), (0.6, -0.6), (0.6, 0.6)),
}
"""Centres of the peaks in [-1, 1] or [-1, 1]², in the order in which they are learned."""

SHARPNESS = {"Peaks_1d": 300.0, "Peaks_2d": 50.0}
"""A peak is exp(−sharpness · squared distance). The sharpness in one dimension is the KAN paper's."""

ROWS = {"Peaks_1d": 500, "Peaks_2d": 2000}
"""Rows of each part. The points are uniform, so that each peak is nearest to about a fifth of them."""


def nearest(x: Tensor, name: str) -> Tensor:
    """The number of the peak of dataset `name` that is nearest to each row of x (N, dimensions): int64 (N,)."""
    return torch.cdist(x, torch.tensor(CENTRES[name], dtype=x.dtype)).argmin(1)


@register(*CENTRES, domain="symbolic", embedded=True)
def peaks(request: Request) -> Task:
    """The sum of five Gaussian peaks of height 1, at uniformly drawn points.

    The points are the same under both protocols. `published` adds the validation part to the training part.
    """
    name = request.name
    generator = numpy.random.RandomState(SEED)
    centres = numpy.array(CENTRES[name])
    draws = [generator.uniform(-1, 1, (ROWS[name], centres.shape[1])) for _ in range(3)]
    heights = [numpy.exp(-SHARPNESS[name] * ((x[:, None] - centres) ** 2).sum(-1)).sum(-1) for x in draws]
    xs = [torch.from_numpy(x).float() for x in draws]
    ys = [torch.from_numpy(y[:, None]).float() for y in heights]
    if request.protocol == "published":
        xs = [torch.cat(xs[::2]), xs[1], xs[2][:0]]
        ys = [torch.cat(ys[::2]), ys[1], ys[2][:0]]
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
