"""The search spaces: what a point of a Sobol sequence stands for in each family. They are the same for every dataset.

Every family has the dimensions of `SHARED` and five of its own. Point number n has the same place in the shared dimensions of
all families.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy
from scipy.stats import qmc

SHAPES = 8
"""Shapes a family, dataset and level."""
RATES = 3
"""Learning rates a shape, one in each third of `LOGARITHMS`."""
TRIES = SHAPES * RATES
POINTS = 64
"""So many points there are, of which the first are taken that meet a budget."""
SEED = 2407
"""Scrambles the sequence."""
LOGARITHMS = (-4.0, -1.0)
"""Learning rates are log-uniform between these powers of ten."""

PROFILES = {"constant": (1.0, 1.0, 1.0), "falling": (1.0, 0.5, 0.25), "rising": (0.25, 0.5, 1.0)}
"""Widths of up to three hidden layers, in proportion."""


@dataclass(frozen=True)
class Dimension:
    """A dimension of a search space: `words` say what it holds, `value` maps (0, 1) to it."""

    name: str
    words: str
    value: Callable[[float], object]


def _choice(name: str, *values: object) -> Dimension:
    words = ", ".join("none" if value is None else str(value) for value in values)
    return Dimension(name, words, lambda u: values[int(u * len(values))])


def _powers(name: str, low: float, high: float, digits: int = 3) -> Dimension:
    """Log-uniform between two numbers."""
    ends = numpy.log10([low, high])
    return Dimension(
        name, f"log-uniform, {low:g} to {high:g}", lambda u: float(f"{10 ** (ends[0] + u * (ends[1] - ends[0])):.{digits}g}")
    )


def _wholes(name: str, low: int, high: int) -> Dimension:
    """Log-uniform whole numbers from one to another."""
    return Dimension(name, f"log-uniform whole numbers, {low} to {high}", lambda u: int(low * ((high + 1) / low) ** u))


def _half_zero(name: str, inner: Dimension) -> Dimension:
    """0 for one half of the points, else as `inner`."""
    return Dimension(
        name, f"0 for half of the points, else {inner.words}", lambda u: 0.0 if u < 0.5 else inner.value(2 * u - 1)
    )


def _uniform(name: str, low: float, high: float) -> Dimension:
    return Dimension(name, f"uniform, {low:g} to {high:g}", lambda u: round(low + u * (high - low), 3))


GRID = Dimension("grid", "G, log-uniform whole numbers, 1 to 20", lambda u: int(21**u))
ORDER = _choice("order", 1, 2, 3)
NORM = _choice("norm", None, "batch_norm", "layer_norm")
PROFILE = _choice("profile", *PROFILES)
DROPOUT = _half_zero("dropout", _uniform("dropout", 0.05, 0.4))
GAIN = _powers("gain", 0.5, 2.0)

SHARED = (
    _choice("depth", 1, 2, 3),
    Dimension("rate", f"learning rate: log-uniform, 1e-4 to 1e-1, one in each of its {RATES} thirds", lambda u: u),
    _half_zero("weight_decay", _powers("weight_decay", 1e-4, 1e-1)),
    _choice("schedule", "constant", "cosine"),
)
OWN = {
    "KAN": (
        GRID,
        ORDER,
        _choice("shortcut", "silu", "identity", "zero"),
        _choice("start", "paper", "pykan", "power_law"),
        NORM,
    ),
    "MLP": (_choice("activation", "relu", "gelu", "silu", "tanh"), NORM, PROFILE, DROPOUT, GAIN),
    "BSpline_MLP": (GRID, ORDER, PROFILE, DROPOUT, GAIN),
    "BSpline_First_MLP": (GRID, ORDER, PROFILE, DROPOUT, GAIN),
    "RBF_KAN": (_wholes("centres", 2, 20), NORM, PROFILE, DROPOUT, GAIN),
    "Chebyshev_KAN": (_choice("degree", 2, 3, 4, 5, 6), NORM, PROFILE, DROPOUT, GAIN),
    "Rational_KAN": (_choice("groups", 1, 2, 4, 8, 16), NORM, PROFILE, DROPOUT, GAIN),
}
"""The five own dimensions of each family."""
OPTIONS = ("centres", "degree", "groups")
"""The dimensions that are a family's own hyper-parameters (`RunSpec.options`)."""


@cache
def _sequence(dimensions: int) -> numpy.ndarray:
    return qmc.Sobol(dimensions, rng=numpy.random.default_rng(SEED)).random(POINTS)


def point(family: str, number: int) -> dict[str, object]:
    """Point number `number` (0 … `POINTS`−1) of a family's space: a value for each dimension, by its name."""
    dimensions = (*SHARED, *OWN[family])
    place = _sequence(len(dimensions))[number]
    return {own.name: own.value(u) for own, u in zip(dimensions, place, strict=True)}


def rates(place: float) -> list[float]:
    """The learning rates of a shape: at the same place (0 … 1) within each third."""
    low, high = LOGARITHMS
    third = (high - low) / RATES
    return [float(f"{10 ** (low + third * (number + place)):.3g}") for number in range(RATES)]


def fields(values: dict[str, object]) -> dict[str, object]:
    """The fields of a run (`RunSpec`) that a point decides, widths and learning rate aside."""
    own = {name: value for name, value in values.items() if name not in ("depth", "rate", "norm", "profile", *OPTIONS)}
    options = {name: values[name] for name in OPTIONS if name in values}
    return own | ({values["norm"]: True} if values.get("norm") else {}) | ({"options": options} if options else {})
