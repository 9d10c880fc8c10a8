"""Every figure of the package: one style, one function per kind of figure, and `save`.

The functions take tables as `stats` and `sweep` make them (read back from their CSV) and return a matplotlib figure.
"""

import math

import matplotlib
import seaborn
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kanbefair.report.tables import Outputs

PALETTE = seaborn.color_palette("colorblind")
COLORS = {
    "KAN": PALETTE[3],
    "MLP": PALETTE[0],
    "BSpline_MLP": PALETTE[2],
    "BSpline_First_MLP": PALETTE[1],
}
MARKERS = {"KAN": "o", "MLP": "s", "BSpline_MLP": "^", "BSpline_First_MLP": "v"}
LABELS = {
    "parameters": "parameters",
    "flops": "FLOPs per input",
    "live_parameters": "trainable values with embedding",
    "flops_shared": "FLOPs, bases shared",
    "flops_local": "FLOPs, non-zero bases only",
    "stack_seconds": "seconds of a run, in a stack",
    "alone_seconds": "seconds of a run, alone",
    "accuracy": "test accuracy (%)",
    "mae": "test mean |error|",
}
STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "svg.hashsalt": "kanbefair",
    "pdf.fonttype": 42,
}
PANEL = (2.45, 2.0)


def new_figure(rows: int, columns: int, width: float | None = None, height: float | None = None, **options) -> tuple:
    """A figure in the package's style and its axes (rows, columns); width and height in inches."""
    with matplotlib.rc_context(STYLE):
        size = (width or PANEL[0] * columns, height or PANEL[1] * rows)
        return pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)


def save(figure: Figure, outputs: Outputs, name: str) -> Figure:
    """Write `figures/<profile>/<name>.pdf` and `.png`, without dates, so that equal figures are equal files."""
    with matplotlib.rc_context(STYLE):
        figure.savefig(outputs.figures / f"{name}.pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
        figure.savefig(outputs.figures / f"{name}.png", metadata={"Software": None})
    pyplot.close(figure)
    return figure


def short(dataset: str) -> str:
    """A dataset's name as a panel's title."""
    return dataset.removeprefix("Special_").replace("_", " ")


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis in plain numbers, at 1, 2 and 5 of each decade where it spans few of them."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 30 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _error_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    plain_log(axes.yaxis)


def multiples(axes: Axes) -> None:
    """Label an axis of decimal logarithms with what they are the logarithms of: 1×, 2×, 5×, …"""
    ends = axes.get_xlim()
    ticks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5)]
    ticks = [tick for tick in ticks if ends[0] <= math.log10(tick) <= ends[1]]
    axes.set_xticks([math.log10(tick) for tick in ticks], [f"{tick:g}×" for tick in ticks])
