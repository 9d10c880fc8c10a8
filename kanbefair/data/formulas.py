"""Functions of one to five variables in named families, computed when they are loaded.

The Feynman formulas are facts of Udrescu and Tegmark, "AI Feynman" (Science Advances 2020), with the ranges of the KAN
authors' set (Liu et al., arXiv 2404.19756). Zeng et al., "KAN versus MLP on Irregular or Noisy Functions" (arXiv 2408.07906),
name the classes of the other families; their members are this package's own.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy
from numpy import arcsin, cos, exp, expm1, floor, hypot, log, pi, sin, sqrt, tanh, where
from scipy.special import j0

from kanbefair.data import symbolic
from kanbefair.data.registry import Request, register
from kanbefair.data.symbolic import FAIR_SEED, ROWS, task_of
from kanbefair.data.task import Task


class Formula(NamedTuple):
    """A function of as many variables as there are `ranges`, each a pair (low, high)."""

    function: Callable[..., numpy.ndarray]
    ranges: tuple[tuple[float, float], ...]

    def at(self, u: numpy.ndarray) -> numpy.ndarray:
        """The values (N,) where u (N, variables) in [-1, 1] is scaled to the ranges."""
        low, high = numpy.array(self.ranges).T
        return self.function(*(low + (u + 1) / 2 * (high - low)).T)


_UNIT = (0, 1)
_SIGNED = (-1, 1)
_POSITIVE = (0.5, 2)
_TURN = (0, 2 * pi)

FEYNMAN = {
    "I.6.20a": Formula(lambda theta: exp(-(theta**2) / 2) / sqrt(2 * pi), ((-3, 3),)),
    "I.6.20": Formula(lambda theta, sigma: exp(-((theta / sigma) ** 2) / 2) / sqrt(2 * pi) / sigma, (_SIGNED, _POSITIVE)),
    "I.26.2": Formula(lambda n, theta2: arcsin(n * sin(theta2)), ((0, 0.99), _TURN)),
    "II.3.24": Formula(lambda P, r: P / (4 * pi * r**2), (_UNIT, _POSITIVE)),
    "II.11.28": Formula(lambda n, alpha: 1 + n * alpha / (1 - n * alpha / 3), (_UNIT, (0, 2))),
    "I.16.6": Formula(lambda u, v, c: (u + v) / (1 + u * v / c**2), ((-0.8, 0.8), (-0.8, 0.8), (1, 2))),
    "I.27.6": Formula(lambda d1, d2, n: 1 / (1 / d1 + n / d2), (_POSITIVE, (1, 2), _POSITIVE)),
    "I.30.3": Formula(
        lambda I_0, n, theta: I_0 * sin(n * theta / 2) ** 2 / sin(theta / 2) ** 2, (_UNIT, (0, 4), (0.4 * pi, 1.6 * pi))
    ),
    "I.30.5": Formula(lambda lam, n, d: arcsin(lam / (n * d)), (_SIGNED, (1, 1.5), (1, 1.5))),
    "I.37.4": Formula(lambda I_1, I_2, delta: I_1 + I_2 + 2 * sqrt(I_1 * I_2) * cos(delta), ((0.1, 1), (0.1, 1), _TURN)),
    "I.47.23": Formula(lambda gamma, p, rho: sqrt(gamma * p / rho), ((0.1, 1), (0.1, 1), _POSITIVE)),
    "III.8.54": Formula(lambda E, t, hbar: sin(E * t / hbar) ** 2, (_TURN, _UNIT, _POSITIVE)),
    "III.17.37": Formula(lambda beta, alpha, theta: beta * (1 + alpha * cos(theta)), (_UNIT, _UNIT, _TURN)),
    "I.15.3x": Formula(lambda x, u, t, c: (x - u * t) / sqrt(1 - u**2 / c**2), (_SIGNED, _SIGNED, _SIGNED, (1, 2))),
    "I.18.4": Formula(lambda m1, r1, m2, r2: (m1 * r1 + m2 * r2) / (m1 + m2), ((0.5, 1), _SIGNED, (0.5, 1), _SIGNED)),
    "I.29.16": Formula(
        lambda x1, x2, theta1, theta2: sqrt(x1**2 + x2**2 - 2 * x1 * x2 * cos(theta1 - theta2)),
        (_SIGNED, _SIGNED, _TURN, _TURN),
    ),
    "I.50.26": Formula(
        lambda x_1, alpha, omega, t: x_1 * (cos(omega * t) + alpha * cos(omega * t) ** 2), (_UNIT, _UNIT, _TURN, _UNIT)
    ),
    "II.38.3": Formula(lambda Y, A, x, d: Y * A * x / d, (_UNIT, _UNIT, _UNIT, _POSITIVE)),
    "III.4.33": Formula(
        lambda hbar, omega, k_b, T: hbar * omega / expm1(hbar * omega / (k_b * T)), (_UNIT, _UNIT, _POSITIVE, _POSITIVE)
    ),
    "III.10.19": Formula(lambda mu, B_x, B_y, B_z: mu * sqrt(B_x**2 + B_y**2 + B_z**2), (_UNIT,) * 4),
    "I.12.11": Formula(lambda q, E_f, B, v, theta: q * (E_f + B * v * sin(theta)), (_SIGNED, _SIGNED, _SIGNED, _SIGNED, _TURN)),
    "I.13.12": Formula(lambda G, m1, m2, r1, r2: G * m1 * m2 * (1 / r2 - 1 / r1), (_UNIT, _UNIT, _UNIT, _POSITIVE, _POSITIVE)),
    "I.44.4": Formula(lambda n, k_b, T, V_1, V_2: n * k_b * T * log(V_2 / V_1), (_UNIT, _UNIT, _UNIT, _POSITIVE, _POSITIVE)),
    "II.35.18": Formula(
        lambda n0, mu, B, k_b, T: n0 / (exp(mu * B / (k_b * T)) + exp(-mu * B / (k_b * T))),
        (_UNIT, _UNIT, _UNIT, _POSITIVE, _POSITIVE),
    ),
}
"""Formulas by their number in the Feynman Lectures, of distinct forms, the variables in the set's order."""

_LINE = (_SIGNED,)
_PLANE = (_SIGNED, _SIGNED)

PIECEWISE = {
    "kinks": Formula(lambda x: abs(x + 0.37) - 2 * abs(x - 0.23), _LINE),
    "steps": Formula(lambda x: sin(2 * x) + where(x > -0.41, 1.0, 0.0) - where(x > 0.17, 2.0, 0.0), _LINE),
    "stairs": Formula(lambda x, y: floor(2.3 * x + 1.7 * y), _PLANE),
    "regimes": Formula(lambda x, y: where(x**2 + y**2 < 0.47, cos(3 * x), y - x), _PLANE),
}
"""Kinks and jumps: at points, along slanted lines, and along a circle. The points are at no knot of up to 20 equal steps."""

SINGULAR = {
    "log": Formula(lambda x: log(abs(x - 0.27)), _LINE),
    "root": Formula(lambda x: abs(x + 0.29) ** -0.125, _LINE),
    "cusp": Formula(lambda x, y: sqrt(abs(x + 0.6 * y - 0.17)), _PLANE),
    "pole": Formula(lambda x, y: hypot(x - 0.27, y + 0.41) ** -0.25, _PLANE),
}
"""Infinite values at a point, or an infinite slope along a line. Fourth moments are finite: no row decides the error."""

OSCILLATING = {
    "chirp": Formula(lambda x: sin(4 * pi * (x + 1) ** 2), _LINE),
    "coherent": Formula(lambda x: abs(x - 0.13) * cos(1 / (x - 0.13)), _LINE),
    "product": Formula(lambda x, y: sin(5 * pi * x) * sin(3 * pi * y), _PLANE),
    "rings": Formula(lambda x, y: j0(20 * hypot(x, y)), _PLANE),
}
"""Waves: ever faster ones, infinitely many at a point, a product, and the rings of a Bessel function."""

NOISY = {
    "sine": Formula(lambda x: sin(2 * pi * x), _LINE),
    "sigmoid": Formula(lambda x: tanh(4 * x), _LINE),
    "exp_sin": Formula(lambda x, y: exp(sin(pi * x) + y**2), _PLANE),
    "product": Formula(lambda x, y: x * y, _PLANE),
}
"""Smooth functions that are learned with noise; those of two variables are examples of the KAN paper."""

NOISE = {"Noisy_sine": 0.1, "Noisy_sigmoid": 0.3, "Noisy_exp_sin": 0.2, "Noisy_product": 0.3}
"""Standard deviation of the noise, in those of the function."""

_TABLES = {"Feynman": FEYNMAN, "Piecewise": PIECEWISE, "Singular": SINGULAR, "Oscillating": OSCILLATING, "Noisy": NOISY}

FORMULAS = {f"{kind}_{name}": formula for kind, table in _TABLES.items() for name, formula in table.items()}
"""The functions of all tables by their datasets' names, as in "Feynman_I.6.20" and "Piecewise_kinks"."""

FAMILIES = {"paper": [name for name in (*symbolic.PLANE, *symbolic.LINE) if not name.endswith("_bounded")]} | {
    kind if kind == "Feynman" else kind.lower(): [f"{kind}_{name}" for name in table] for kind, table in _TABLES.items()
}
"""Names of datasets by family: paper (symbolic.py), Feynman, piecewise, singular, oscillating, noisy."""


def _points(generator: numpy.random.RandomState, variables: int) -> numpy.ndarray:
    """Uniform points in (-1, 1), float64 (ROWS, variables): odd multiples of 2**-24, which float32 holds without rounding."""
    return (2 * generator.randint(2**24, size=(ROWS, variables), dtype=numpy.int64) + 1) / 2**24 - 1


@register(*FORMULAS, domain="symbolic", embedded=True)
def formulas(request: Request) -> Task:
    """A function at `ROWS` points in each part, uniform in (-1, 1) and scaled to the ranges of its variables.

    The inputs are the points before they are scaled, so that functions of equally many variables have equal inputs. `published`
    draws them from the run's seed, first train, then test. `fair` always draws the same, in the order train, test, validation.

    Targets have mean 0 and standard deviation 1 in the training part without noise. Gaussian noise (`NOISE`) is then added to
    the training and the validation part, for real data are trained on and chosen by with their noise. The test part has none:
    its error is the distance from the function, without a floor that no network can get below.
    """
    published = request.protocol == "published"
    seed = request.seed if published else FAIR_SEED
    formula = FORMULAS[request.name]
    variables = len(formula.ranges)
    generator = numpy.random.RandomState([seed, variables])
    noise = numpy.random.RandomState([seed, *request.name.encode()])
    draws = [_points(generator, variables) for _ in range(2 if published else 3)]
    values = [formula.at(u)[:, None] for u in draws]
    targets = [(y - values[0].mean()) / values[0].std() for y in values]
    for y in targets[::2]:
        y += NOISE.get(request.name, 0) * noise.standard_normal(y.shape)
    return task_of(request.name, draws, targets)
