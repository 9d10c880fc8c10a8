"""The label of a comparison: who is ahead, that both are equivalent, or that it is undecided (docs/decision_rule.md)."""

import math

EQUIVALENT = "equivalent"
UNDECIDED = "undecided"
MARGINS = {"accuracy": 0.5, "mae": math.log10(1.1)}
"""The smallest difference that matters, by metric: points of accuracy, or log10 of a ratio of errors (10 % of an error)."""


def margin(metric: str, test_rows: int) -> float:
    """The margin of a dataset or, given the fewest test rows, of several: an accuracy's is at least one test row."""
    return max(MARGINS[metric], 100 / test_rows) if metric == "accuracy" else MARGINS[metric]


def label(
    first: str,
    second: str,
    estimate: float,
    wide: tuple[float, float],
    narrow: tuple[float, float],
    margin: float,
) -> str:
    """The label of the difference `first` − `second`, positive where `first` is better.

    Args:
        first, second: what is compared.
        estimate: the mean difference.
        wide: its 95 % interval. It says who is ahead, if it excludes 0 and the estimate exceeds the margin.
        narrow: its 90 % interval. It says that both are equivalent, if it lies within the margin on either side.
        margin: above 0, in the unit of the difference.

    An interval with an infinite end, or without width, decides nothing: there were too few values for one.
    """
    if not all(math.isfinite(end) for end in (estimate, *wide, *narrow)) or not wide[0] < wide[1]:
        return UNDECIDED
    if abs(estimate) > margin and (wide[0] > 0 or wide[1] < 0):
        return first if estimate > 0 else second
    return EQUIVALENT if -margin < narrow[0] < narrow[1] < margin else UNDECIDED
