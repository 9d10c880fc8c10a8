import math

import pytest

from kanbefair.report.decision import EQUIVALENT, UNDECIDED, label, margin


@pytest.mark.parametrize(
    ("estimate", "wide", "narrow", "expected"),
    [
        (1.0, (0.2, 1.8), (0.3, 1.7), "KAN"),
        (-1.0, (-1.8, -0.2), (-1.7, -0.3), "MLP"),
        (0.4, (0.1, 0.7), (0.15, 0.65), UNDECIDED),  # surely ahead, by less than the margin, maybe more
        (0.2, (0.1, 0.3), (0.12, 0.28), EQUIVALENT),  # surely ahead, surely by less than the margin
        (0.0, (-0.55, 0.55), (-0.45, 0.45), EQUIVALENT),  # equivalence is read from the 90 % interval
        (0.0, (-0.9, 0.9), (-0.6, 0.6), UNDECIDED),
        (1.0, (-0.1, 2.1), (0.1, 1.9), UNDECIDED),
        (1.0, (0.0, 2.0), (0.1, 1.9), UNDECIDED),  # 0 is not excluded
        (0.5, (0.4, 0.6), (0.41, 0.49), EQUIVALENT),  # the margin itself is not exceeded
        (-8.2, (-math.inf, math.inf), (-math.inf, math.inf), UNDECIDED),
        (3.0, (3.0, 3.0), (3.0, 3.0), UNDECIDED),
        (0.0, (0.0, 0.0), (0.0, 0.0), UNDECIDED),
        (math.nan, (math.nan, math.nan), (math.nan, math.nan), UNDECIDED),
    ],
)
def test_labels(estimate, wide, narrow, expected):
    assert label("KAN", "MLP", estimate, wide, narrow, 0.5) == expected


def test_margins():
    assert margin("accuracy", 1000) == 0.5
    assert margin("accuracy", 36) == pytest.approx(100 / 36)
    assert margin("mae", 36) == pytest.approx(math.log10(1.1))
