"""MNIST-1D: ten line patterns in place of MNIST's digits, drawn anew by the published recipe.

S. Greydanus, D. Kobak, "Scaling Down Deep Learning with MNIST-1D", arXiv 2011.14439. Patterns and numbers are those of
the authors' package (github.com/greydanus/mnist1d, Apache 2.0); the draws are this package's own, so that the rows are
others than in the file of the authors.
"""

import numpy
import torch
from scipy.ndimage import gaussian_filter1d

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task, make_task

SEED = 42
"""Seeds all draws. They are the same for every run."""

PATTERNS = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
"""The lines of the digits 0 to 9. Each is scaled to a standard deviation of `HEIGHT` and begins at 0."""
HEIGHT = 1 / 6

ROWS, TRAIN_ROWS = 5_000, 4_000
PADDING = (36, 60)
"""So many zeros, at least and at most, follow the 12 points of a pattern."""
POINTS = 12 + PADDING[1]
"""Points to which pattern and zeros are stretched."""
SCALE = 0.4
"""Width of the range, around 1, of the factor that a line is multiplied with."""
SHIFTS = 48
"""A line is moved to the right by fewer points than this, in a circle."""
HUM = 0.25
"""Standard deviation of the noise where the line is 0, before it is smoothed."""
HUM_WIDTH = 2
"""Standard deviation, in points, of the Gaussian that smooths it."""
NOISE = 0.02
"""Standard deviation of the noise of each point alone."""
SHEAR = 0.75
"""Width of the range, around 0, of the height by which a straight slope takes the line down from end to end."""
FEATURES = 40
"""Points that are left in the end."""


def _stretch(line: numpy.ndarray, points: int) -> numpy.ndarray:
    """The line (N,) at `points` places, evenly from its first point to its last, straight in between."""
    return numpy.interp(numpy.linspace(0, 1, points), numpy.linspace(0, 1, len(line)), line)


def patterns() -> numpy.ndarray:
    """The scaled lines of the ten digits, (10, 12)."""
    lines = numpy.array(PATTERNS)
    lines *= HEIGHT / lines.std(1, keepdims=True)
    return lines - lines[:, :1]


def draw(pattern: numpy.ndarray, generator: numpy.random.RandomState) -> numpy.ndarray:
    """A line (40,) that is drawn from a pattern (12,): padded, scaled, moved, with noise, sheared."""
    zeros = generator.randint(PADDING[0], PADDING[1] + 1)
    shape = _stretch(numpy.pad(pattern, (0, zeros)), POINTS)
    inside = _stretch(numpy.pad(numpy.ones(len(pattern)), (0, zeros)), POINTS) > 0
    shift = generator.randint(SHIFTS)
    line = numpy.roll(shape * (1 + SCALE * generator.uniform(-0.5, 0.5)), shift)
    hum = gaussian_filter1d(HUM * generator.standard_normal(POINTS), HUM_WIDTH)
    line = numpy.where(numpy.roll(inside, shift), line, hum) + NOISE * generator.standard_normal(POINTS)
    slope = SHEAR * generator.uniform(-0.5, 0.5)
    return _stretch(line - slope * numpy.linspace(-0.5, 0.5, POINTS), FEATURES)


@register("MNIST1D", domain="vision", embedded=True)
def mnist1d(request: Request) -> Task:
    """4,000 train and 1,000 test lines of 40 points in ten classes, drawn when they are asked for.

    All are normalised with one mean and one standard deviation, those of all 5,000, as the authors do. `fair` holds out a
    share of the train part for validation. The data are the same for every run and under both protocols.
    """
    generator = numpy.random.RandomState(SEED)
    digits = numpy.repeat(numpy.arange(len(PATTERNS)), ROWS // len(PATTERNS))
    known = patterns()
    lines = numpy.stack([draw(known[digit], generator) for digit in digits])
    order = generator.permutation(ROWS)
    x = torch.from_numpy((lines - lines.mean()) / lines.std()).float()[order]
    y = torch.from_numpy(digits)[order]
    train, test = ((x[rows], y[rows]) for rows in (slice(TRAIN_ROWS), slice(TRAIN_ROWS, None)))
    return make_task(request.name, "vision", request.protocol, train, test)
