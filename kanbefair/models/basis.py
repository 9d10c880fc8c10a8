"""B-spline bases on a uniform grid, in closed form.

A grid of G intervals on [low, high], extended by K intervals of the same length on both sides, carries G+K bases of
order K. Within one interval only K+1 of them are non-zero, and each is a polynomial of order K in the fraction t of
the interval that lies left of x. Everything here is a pure function of tensors.
"""

from functools import cache

import numpy
import torch
from numpy.polynomial import Polynomial
from torch import Tensor

from kanbefair.models.compiled import watched


@cache
def _polynomials(order: int) -> tuple[tuple[float, ...], ...]:
    pieces = [Polynomial([1.0])]
    for k in range(1, order + 1):
        zero = Polynomial([0.0])
        padded = [zero, *pieces, zero]
        pieces = [
            Polynomial([k - r, 1.0]) / k * padded[r] + Polynomial([1.0 + r, -1.0]) / k * padded[r + 1] for r in range(k + 1)
        ]
    table = numpy.zeros((order + 1, order + 1))
    for r, piece in enumerate(pieces):
        table[: len(piece.coef), r] = piece.coef
    return tuple(map(tuple, table.tolist()))


@torch.compiler.assume_constant_result
def _constants(order: int) -> tuple[tuple[float, ...], ...]:
    return _polynomials(order)


def _matrix(order: int, dtype: torch.dtype, device: torch.device | None) -> Tensor:
    return torch.tensor(_constants(order), dtype=dtype, device=device)


_kept_matrix = cache(_matrix)


def blending_matrix(order: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Tensor:
    """Coefficients (order+1, order+1) of the non-zero bases within an interval: entry [p, r] multiplies t^p in the
    r-th basis from the left (the Cox–de Boor recursion, multiplied out once)."""
    return _matrix(order, dtype, device) if watched() else _kept_matrix(order, dtype, device)


def locate(x: Tensor, low: Tensor | float, high: Tensor | float, grid: int, order: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where x lies in the extended grid.

    Returns the interval number (int64, 0 … G+2K−1), the fraction within the interval, and whether x lies outside the
    extended grid; each of x's shape. `low` and `high` broadcast with x. NaN counts as in interval 0, its fraction is NaN.
    """
    u = (x - low) * (grid / (high - low)) + order
    outside = (u < 0) | (u >= grid + 2 * order)
    u = u.masked_fill(outside, 0)
    interval = u.detach().floor().nan_to_num_(0)
    return interval.long(), u - interval, outside


def local_basis(x: Tensor, low: Tensor | float, high: Tensor | float, grid: int, order: int) -> tuple[Tensor, Tensor]:
    """The K+1 bases that can be non-zero at x.

    Returns their numbers and their values, each of shape (*x.shape, K+1). A number of G+K stands for "no such basis" and
    has the value 0; x outside the extended grid has only such. At NaN the first basis is NaN.
    """
    interval, fraction, outside = locate(x, low, high, grid, order)
    matrix = blending_matrix(order, x.dtype, x.device)
    fraction = fraction.unsqueeze(-1)
    values = matrix[order]
    for p in range(order - 1, -1, -1):
        values = values * fraction + matrix[p]
    number = interval.unsqueeze(-1) + torch.arange(-order, 1, device=x.device)
    exists = (number >= 0) & (number < grid + order) & ~outside.unsqueeze(-1)
    return torch.where(exists, number, grid + order), torch.where(exists, values, torch.zeros_like(values))


def basis(x: Tensor, low: Tensor | float, high: Tensor | float, grid: int, order: int) -> Tensor:
    """All G+K bases at x, shape (*x.shape, G+K).

    >>> basis(torch.tensor([0.0]), -1.0, 1.0, grid=2, order=1)
    tensor([[0., 1., 0.]])
    """
    number, values = local_basis(x, low, high, grid, order)
    table = values.new_zeros(*values.shape[:-1], grid + order + 1).scatter(-1, number, values)
    return table[..., :-1]


def fit_coefficients(noise: Tensor, grid: int, order: int) -> Tensor:
    """Minimum-norm least-squares coefficients (…, G+K) of splines that take the values `noise` (…, G+1) at the grid points.

    Source: docs/protocol.md: Training, KAN layer.
    """
    points = torch.arange(grid + 1, dtype=torch.float64)
    table = basis(points, 0.0, float(grid), grid, order)
    return (noise.double() @ torch.linalg.pinv(table).T).to(noise.dtype)
