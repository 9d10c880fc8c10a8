"""Symbolic functions of one or two variables, computed when they are loaded (docs/protocol.md, Datasets)."""

from collections.abc import Callable

import numpy
import torch
from scipy import special

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task

ROWS = 1000
"""Rows of each part."""

FAIR_SEED = 20240723
"""Seeds the points under the `fair` protocol, which are the same for every run."""


def _sph_harm(degree: int) -> Callable:
    """The real part of the spherical harmonic of order 0, as a function of azimuth u and polar angle v in radians."""
    return lambda u, v: special.sph_harm_y(degree, 0, v, u).real


PLANE = {
    "Special_ellipkinc": special.ellipkinc,
    "Special_ellipeinc": special.ellipeinc,
    "Special_jv": special.jvp,
    "Special_yv": special.yvp,
    "Special_kv": special.kvp,
    "Special_iv": special.ivp,
    "Special_lpmv0": lambda u, v: special.lpmv(0, u, v),
    "Special_lpmv1": lambda u, v: special.lpmv(1, u, v),
    "Special_lpmv2": lambda u, v: special.lpmv(2, u, v),
    "Special_sphharm01": _sph_harm(1),
    "Special_sphharm02": _sph_harm(2),
    "Special_yv_bounded": lambda u, v: special.yvp(u, 0.5 + v),
    "Special_kv_bounded": lambda u, v: special.kvp(u, 0.5 + v),
}
"""Functions of (u, v), each uniform in (0, 1).

jv, yv, kv and iv are first derivatives, as in the paper's files. yv and kv have a singularity at v = 0. The bounded
variants avoid it with a second argument in (0.5, 1.5); they are this package's own.
"""

LINE = {
    "Special_1d_poisson": lambda x: numpy.exp2(x + 4) / special.gamma(x + 5),
    "Special_1d_gelu": lambda x: x * special.ndtr(x),
}
"""Functions of x, uniform in (-4, 4)."""


def _draws(request: Request, parts: int) -> list[numpy.ndarray]:
    """The points of each part, float64 (ROWS, variables), from the generators that the paper's files use."""
    seed = request.seed if request.protocol == "published" else FAIR_SEED
    if request.name in PLANE:
        generator = numpy.random.RandomState(seed)
        return [generator.rand(ROWS, 2) for _ in range(parts)]
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(ROWS, 1, generator=generator).numpy().astype(float) * 8 - 4 for _ in range(parts)]


def task_of(name: str, inputs: list[numpy.ndarray], targets: list[numpy.ndarray]) -> Task:
    """The task of points (N, variables) and targets (N, 1) of the parts train, test and, if there are three, validation."""
    xs = [torch.from_numpy(x).float() for x in inputs]
    ys = [torch.from_numpy(y).float() for y in targets]
    if len(xs) == 2:
        xs.append(xs[0][:0])
        ys.append(ys[0][:0])
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


@register(*PLANE, *LINE, domain="symbolic", embedded=True)
def symbolic(request: Request) -> Task:
    """A symbolic function at 1000 points in each part.

    `published` draws the points from the run's seed, first train, then test. `fair` always draws the same points, in
    the order train, test, validation.
    """
    published = request.protocol == "published"
    draws = _draws(request, parts=2 if published else 3)
    function = (PLANE | LINE)[request.name]
    return task_of(request.name, draws, [function(*x.T)[:, None] for x in draws])
