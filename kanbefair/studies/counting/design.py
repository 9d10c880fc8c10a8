"""What the picture of one spline layer shows, as a table: bases on their grid, and the function of one edge."""

import numpy
import pandas
import torch
from torch.nn.functional import silu

from kanbefair.models.basis import basis, fit_coefficients

GRID = 5
ORDER = 3
LOW = -1.0
HIGH = 1.0
STEP = (HIGH - LOW) / GRID
"""Length of an interval."""
MARKED = 0.04
"""The input at which the bases that are not zero are marked."""
TARGETS = (0.5, -0.7, 0.3, 1.0, -0.2, -0.9)
"""What the spline of the edge is at the G+1 grid points; chosen so that its parts can be told apart."""
SCALE = 0.8
BASE_WEIGHT = 0.6
POINTS = 12
"""Points per interval of a curve."""


def spline_layer() -> pandas.DataFrame:
    """The table behind the picture of one spline layer (docs/protocol.md: Training, KAN layer).

    Each row is a point `x`, `y`, all without a unit. The column `part` says of what:

    - `knot`: a knot, at y = 0; `name` is `grid` or `extension`.
    - `basis`: a point of a basis, on the K+1 intervals where it is not zero; `name` is its number, from 1 to G+K.
    - `marked`: one of the K+1 bases that are not zero at the marked x, with its value there; `name` is its number.
    - `edge`: a point of the function of an edge; `name` is `shortcut` (base weight times silu), `spline` (scale times
      spline), or `sum` (both).
    """
    table = pandas.concat([_knots(), _bases(), _marked(), _edge()], ignore_index=True)
    return table.assign(x=table["x"].round(6) + 0.0, y=table["y"].round(6) + 0.0)


def _part(part: str, name: object, x: object, y: object) -> pandas.DataFrame:
    return pandas.DataFrame({"part": part, "name": name, "x": x, "y": y})


def _knots() -> pandas.DataFrame:
    number = numpy.arange(-ORDER, GRID + ORDER + 1)
    name = numpy.where((number >= 0) & (number <= GRID), "grid", "extension")
    return _part("knot", name, LOW + STEP * number, 0.0)


def _table(x: numpy.ndarray) -> numpy.ndarray:
    """All bases at x, (points, G+K)."""
    return basis(torch.from_numpy(x), LOW, HIGH, GRID, ORDER).numpy()


def _bases() -> pandas.DataFrame:
    curves = []
    for number in range(GRID + ORDER):
        first = LOW + STEP * (number - ORDER)
        x = numpy.linspace(first, first + STEP * (ORDER + 1), POINTS * (ORDER + 1) + 1)
        curves.append(_part("basis", number + 1, x, _table(x)[:, number]))
    return pandas.concat(curves)


def _marked() -> pandas.DataFrame:
    values = _table(numpy.array([MARKED]))[0]
    (number,) = values.nonzero()
    return _part("marked", number + 1, MARKED, values[number])


def _edge() -> pandas.DataFrame:
    """The function of an edge, from one interval before the first knot to one behind the last."""
    beyond = STEP * (ORDER + 1)
    x = numpy.linspace(LOW - beyond, HIGH + beyond, POINTS * (GRID + 2 * ORDER + 2) + 1)
    coefficients = fit_coefficients(torch.tensor(TARGETS, dtype=torch.float64), GRID, ORDER).numpy()
    shortcut = BASE_WEIGHT * silu(torch.from_numpy(x)).numpy()
    spline = SCALE * _table(x) @ coefficients
    curves = {"shortcut": shortcut, "spline": spline, "sum": shortcut + spline}
    return pandas.concat(_part("edge", name, x, y) for name, y in curves.items())
