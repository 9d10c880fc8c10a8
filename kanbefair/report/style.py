"""The style of every figure: colours and markers, panels, axes, legends, and how a figure is saved.

A function that draws takes a table as its CSV holds it and returns a matplotlib figure. matplotlib and seaborn are imported
here and in `studies/*/figures.py` only.
"""

import math
import textwrap
from collections.abc import Iterable
from typing import NamedTuple

import matplotlib
import numpy
import pandas
import seaborn
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kanbefair.folders import replaced
from kanbefair.report.tables import Outputs

PALETTE = seaborn.color_palette("colorblind")
NEUTRAL = "0.4"
"""The colour of a comparison in which none is ahead."""
LABELS = {
    "parameters": "parameters (paper)",
    "flops": "FLOPs per input (paper)",
    "live_parameters": "parameters, with embedding",
    "flops_shared": "FLOPs, bases shared",
    "flops_local": "FLOPs, non-zero bases only",
    "stack_seconds": "seconds of a run, in a stack",
    "alone_seconds": "seconds of a run, alone",
    "accuracy": "test accuracy (%)",
    "mae": "test mean |error|",
}
"""Columns of tables as axes name them."""
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
"""Width and height of a panel in inches."""
DOT = {"markersize": 4.5, "capsize": 2.5, "linewidth": 1.2}
"""Sizes of a dot with its interval, where there is room."""

HOLLOW = {"markerfacecolor": "none"}
"""How the marker of a run is drawn that is at chance."""

styled = matplotlib.rc_context(STYLE)
"""Decorator of every function that draws a figure."""


class Look(NamedTuple):
    """How a family of networks is drawn."""

    color: str | tuple[float, float, float]
    marker: str


LOOKS = {
    "KAN": Look(PALETTE[3], "o"),
    "MLP": Look(PALETTE[0], "s"),
    "BSpline_MLP": Look(PALETTE[2], "^"),
    "BSpline_First_MLP": Look(PALETTE[1], "v"),
    "LocalBasis": Look(PALETTE[9], "X"),
    "RBF_KAN": Look(PALETTE[4], "H"),
    "Chebyshev_KAN": Look(PALETTE[5], "8"),
    "Rational_KAN": Look(PALETTE[8], "p"),
}
"""Families in the order in which legends name them."""
FREE = [Look(PALETTE[(4, 5, 8, 6, 7)[n % 5]], "DP*phd<>"[n % 8]) for n in range(40)]
"""For families without a look, all of them different."""


def register_look(family: str, color: str | tuple[float, float, float], marker: str) -> None:
    """Draw a family of networks in this colour and with this marker of matplotlib."""
    LOOKS[family] = Look(color, marker)


def look(family: str) -> Look:
    """Colour and marker of a family of networks. A family that has none takes the next free ones and keeps them."""
    if family not in LOOKS:
        free = [pair for pair in FREE if pair not in LOOKS.values()]
        LOOKS[family] = (free or FREE)[0]
    return LOOKS[family]


def in_order(names: Iterable[str], order: Iterable[str] = LOOKS) -> list[str]:
    """Each of `names` once: those of `order` first (left out: the families in the order of `LOOKS`), then the others as they
    come."""
    given = list(dict.fromkeys(names))
    known = [name for name in order if name in given]
    return known + [name for name in given if name not in known]


def short(dataset: str) -> str:
    """A dataset's name as a panel's title."""
    return dataset.removeprefix("Special_").replace("_", " ")


@styled
def new_figure(rows: int, columns: int, width: float | None = None, height: float | None = None, **options) -> tuple:
    """A figure and its axes (rows, columns); width and height in inches, `options` as for `pyplot.subplots`."""
    size = (width or PANEL[0] * columns, height or PANEL[1] * rows)
    return pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)


def wrapped(count: int, columns: int, **options) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels in rows of `columns`, and the axes of these; what is left of the last row stays empty."""
    figure, axes = new_figure(math.ceil(count / columns), columns, **options)
    for unused in axes.flat[count:]:
        unused.set_visible(False)
    return figure, list(axes.flat[:count])


@styled
def save(figure: Figure, outputs: Outputs, name: str) -> Figure:
    """Write `figures/<profile>/<name>.pdf` and `.png`, without dates, so that equal figures are equal files."""
    undated = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "png": {"Software": None}}
    for kind, metadata in undated.items():
        with replaced(outputs.figures / f"{name}.{kind}") as fresh:
            figure.savefig(fresh, metadata=metadata)
    pyplot.close(figure)
    return figure


def legend(figure: Figure, entries: list[Line2D], columns: int) -> None:
    """A legend above all panels."""
    figure.legend(handles=entries, loc="outside upper center", ncols=columns)


def note(figure: Figure, words: str) -> None:
    """A small line, or several, below all panels, for which the figure grows: what a reader must know of the runs behind them.
    Nothing without words."""
    if words:
        room = int(figure.get_figwidth() * 19)
        lines = [line for sentence in words.splitlines() for line in textwrap.wrap(sentence, room)]
        figure.set_figheight(figure.get_figheight() + 0.14 * len(lines))
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6.5, color="0.25")


def entry(label: str, color: object = "0.2", marker: str = "o", **options) -> Line2D:
    """A legend's entry: a marker, without a line unless `options` (those of a line) say so."""
    return Line2D([], [], label=label, color=color, marker=marker, **{"linestyle": "", "markersize": 4.5, **options})


def log_axis(axis: Axis, unit: str = "") -> None:
    """Make an axis logarithmic and label it in plain numbers: at 1, 2 and 5 of each decade, or at fewer where these have no
    room. Call it when all is drawn."""
    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    axis.set_major_locator(LogLocator(subs=_steps(axis)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{unit}"))
    axis.set_minor_formatter(NullFormatter())


def _steps(axis: Axis) -> tuple[int, ...]:
    low, high = numpy.sort(axis.get_view_interval())
    decades = 10.0 ** numpy.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    for steps in ((1, 2, 5), (1, 3)):
        labels = numpy.outer(decades, steps)
        if ((low <= labels) & (labels <= high)).sum() <= axis.get_tick_space():
            return steps
    return (1,)


def error_axis(axes: Axes) -> None:
    """The axis of scores that are errors."""
    log_axis(axes.yaxis)


def ratio_axis(axis: Axis) -> None:
    """A logarithmic axis of ratios: 0.5×, 1×, 2×, …"""
    log_axis(axis, "×")


def closed(values: pandas.DataFrame) -> pandas.DataFrame:
    """The values, NaN for infinite ends of intervals (those of one value): matplotlib draws nothing there, whatever the
    scale."""
    return values.where(numpy.isfinite(values))


def whiskers(values: pandas.DataFrame) -> numpy.ndarray:
    """Lengths (2, n) of error bars below and above, from columns value, low and high, whatever their names."""
    value, low, high = closed(values).to_numpy(dtype=float).T
    return numpy.array([value - low, high - value])


def name_rows(axes: Axes, names: list[str], *, lines: bool = False) -> None:
    """Rows 0, 1, … from the top with their names; with `lines` there is one between each two."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    if lines:
        axes.tick_params(axis="y", length=0)
        for between in range(1, len(names)):
            axes.axhline(between - 0.5, color="0.9", linewidth=0.6)
