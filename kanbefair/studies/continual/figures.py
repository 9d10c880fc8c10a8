"""Figures of continual learning: strategies, plasticity, accuracy matrices, peaks."""

import math

import matplotlib
import numpy
import pandas
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kanbefair.report.style import COLORS, PALETTE, STYLE, new_figure, short


def matrices(table: pandas.DataFrame) -> Figure:
    """Accuracy matrices as heat maps (`findings.matrices`, of one stream), a row per strategy, a column per network: each
    row of a map is the state after one task, each column a task."""
    strategies = [name for name in ("naive", "ewc", "knots", "replay", "joint") if name in set(table["strategy"])]
    networks = list(dict.fromkeys(table["network"]))
    tasks = int(table["on"].max())
    side = 0.5 + 0.23 * tasks
    figure, axes = new_figure(
        len(strategies), len(networks), width=side * len(networks) + 1.1, height=side * len(strategies) + 0.4
    )
    with matplotlib.rc_context(STYLE):
        for (row, column), ax in numpy.ndenumerate(axes):
            own = table[(table["strategy"] == strategies[row]) & (table["network"] == networks[column])]
            values = own.pivot_table(index="after", columns="on", values="value").to_numpy()
            picture = ax.imshow(values, vmin=0, vmax=100, cmap="cividis")
            for (y, x), value in numpy.ndenumerate(values):
                ax.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=6, color="black" if value > 55 else "white")
            ax.set_xticks(range(tasks), range(1, tasks + 1))
            ax.set_yticks(range(tasks), range(1, tasks + 1))
            ax.grid(visible=False)
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
            if column == 0:
                ax.set_ylabel(f"{strategies[row]}\nafter task")
            if row == 0:
                ax.set_title(networks[column])
            if row == len(strategies) - 1:
                ax.set_xlabel("accuracy on task")
        figure.colorbar(picture, ax=axes, label="test accuracy (%)", shrink=0.6, aspect=25)
    return figure


def peaks(table: pandas.DataFrame, centres: list[float], sharpness: float) -> Figure:
    """What networks say on [-1, 1] after each task (`findings.pictures`), a row per network and a column per task; the task
    just shown is shaded, the grey line is the truth. Values beyond the axis are cut."""
    networks, tasks = list(dict.fromkeys(table["network"])), int(table["after"].max())
    figure, axes = new_figure(
        len(networks), tasks, width=1.34 * tasks + 0.4, height=1.0 * len(networks) + 0.3, sharex=True, sharey=True
    )
    with matplotlib.rc_context(STYLE):
        for (row, column), ax in numpy.ndenumerate(axes):
            own = table[(table["network"] == networks[row]) & (table["after"] == column + 1)]
            truth = sum(numpy.exp(-sharpness * (own["x"] - centre) ** 2) for centre in centres)
            half = (centres[1] - centres[0]) / 2
            ax.axvspan(centres[column] - half, centres[column] + half, color="0.92", linewidth=0)
            ax.plot(own["x"], truth, color="0.65", linewidth=1)
            ax.plot(own["x"], own["y"], color=COLORS["MLP" if "MLP" in networks[row] else "KAN"], linewidth=1)
            ax.set(ylim=(-0.6, 1.6), xlim=(-1, 1))
            if row == 0:
                ax.set_title(f"after task {column + 1}")
            if row == len(networks) - 1:
                ax.set_xlabel("x")
            if column == 0:
                name = networks[row]
                ax.set_ylabel(name.replace("with a ", "KAN with a\n").replace(", ", ",\n"))
    return figure


NETWORK_STYLES = {
    "KAN": (COLORS["KAN"], "o"),
    "MLP relu": (COLORS["MLP"], "s"),
    "MLP gelu": (COLORS["MLP"], "D"),
    "MLP silu": (COLORS["MLP"], "P"),
    "BSpline_MLP": (COLORS["BSpline_MLP"], "^"),
    "BSpline_First_MLP": (COLORS["BSpline_First_MLP"], "v"),
}
STRATEGY_ORDER = ("naive", "ewc", "knots", "replay", "joint")


def _title(dataset: str, stream: str) -> str:
    return f"{short(dataset)}: {stream}"


def _look(network: str) -> dict[str, object]:
    """Colour and marker of a network; hollow for the MLPs that are not the plain one."""
    color, marker = NETWORK_STYLES[network]
    fill = "white" if network in ("MLP gelu", "MLP silu") else color
    return {"color": color, "marker": marker, "markerfacecolor": fill, "markersize": 3.5}


def _handles(names: list[str], linestyle: str) -> list[Line2D]:
    return [Line2D([], [], label=name, linestyle=linestyle, linewidth=0.9, **_look(name)) for name in names]


def _networks(table: pandas.DataFrame) -> list[str]:
    return [name for name in NETWORK_STYLES if name in set(table["network"])]


def strategies(table: pandas.DataFrame) -> Figure:
    """Average after the last task by strategy (`findings.summary`), a panel per stream, with 95 % intervals over seeds."""
    table = table[table["optimizer_state"] == "carried"]
    places = list(table.groupby(["dataset", "stream_name"], sort=False))
    columns = min(3, len(places))
    figure, axes = new_figure(math.ceil(len(places) / columns), columns, width=max(2.35 * columns + 0.3, 4.2), sharey=True)
    with matplotlib.rc_context(STYLE):
        for number, ax in enumerate(axes.flat):
            if number >= len(places):
                ax.set_visible(False)
                continue
            (dataset, stream), own = places[number]
            shown = [name for name in STRATEGY_ORDER if name in set(own["strategy"])]
            names = _networks(own)
            for place, network in enumerate(names):
                rows = own[own["network"] == network].set_index("strategy").reindex(shown)
                x = numpy.arange(len(shown)) + 0.62 * (place / max(len(names) - 1, 1) - 0.5)
                error = [rows["average"] - rows["average_low"], rows["average_high"] - rows["average"]]
                error = numpy.nan_to_num(error, posinf=0)
                ax.errorbar(x, rows["average"], yerr=error, linestyle="", elinewidth=0.9, **_look(network))
            for edge in range(1, len(shown)):
                ax.axvline(edge - 0.5, color="0.85", linewidth=0.6)
            ax.set_xticks(range(len(shown)), shown)
            ax.set_xlim(-0.5, len(shown) - 0.5)
            ax.set_ylim(0, 102)
            ax.grid(axis="x", visible=False)
            ax.set_title(_title(dataset, stream))
            if number % columns == 0:
                ax.set_ylabel("accuracy after last task (%)")
        figure.legend(handles=_handles(_networks(table), ""), loc="outside upper center", ncols=6 if columns == 3 else 3)
    return figure


def plasticity(table: pandas.DataFrame) -> Figure:
    """What is left after the last task against what was just learned (`findings.plasticity`), a point per learning rate; on
    the dotted line nothing is forgotten."""
    places = list(table.groupby(["dataset", "stream_name"], sort=False))
    columns = min(3, len(places))
    figure, axes = new_figure(math.ceil(len(places) / columns), columns, width=max(2.35 * columns + 0.3, 4.2), sharey=True)
    with matplotlib.rc_context(STYLE):
        for number, ax in enumerate(axes.flat):
            if number >= len(places):
                ax.set_visible(False)
                continue
            (dataset, stream), own = places[number]
            ax.plot([0, 100], [0, 100], ":", color="0.5", linewidth=0.9)
            for network in _networks(own):
                rows = own[own["network"] == network].sort_values("lr")
                ax.plot(rows["test_learned"], rows["test_average"], linewidth=0.9, **_look(network))
            ax.set(xlim=(0, 102), ylim=(0, 102), title=_title(dataset, stream))
            if number >= len(places) - columns:
                ax.set_xlabel("accuracy just learned (%)")
            if number % columns == 0:
                ax.set_ylabel("accuracy after last task (%)")
        figure.legend(
            handles=_handles(_networks(table), "-"),
            loc="outside upper center",
            ncols=6 if columns == 3 else 3,
        )
    return figure


METHODS = {"LBFGS": "o", "Adam, reset": "s", "Adam, carried": "^"}


def switches(table: pandas.DataFrame) -> Figure:
    """Error on the peaks per network and optimiser (`findings.summary` of the peaks), a panel per dataset: just learned
    (hollow) and after the last task (filled); the line between them is what was forgotten."""
    datasets = list(dict.fromkeys(table["dataset"]))
    counts = [table[table["dataset"] == name]["network"].nunique() for name in datasets]
    figure, axes = new_figure(len(datasets), 1, width=6.4, height=0.27 * sum(counts) + 1.1, height_ratios=counts, sharex=True)
    colors = dict(zip(METHODS, ("0.1", PALETTE[4], PALETTE[7]), strict=True))
    with matplotlib.rc_context(STYLE):
        for ax, dataset in zip(axes[:, 0], datasets, strict=True):
            own = table[table["dataset"] == dataset]
            names = list(dict.fromkeys(own["network"]))
            for number, (method, marker) in enumerate(METHODS.items()):
                rows = own[own["method"] == method]
                y = rows["network"].map(names.index) + 0.24 * (number - 1)
                color = colors[method]
                ax.hlines(y, rows["learned"], rows["average"], color=color, linewidth=1)
                ax.plot(rows["learned"], y, marker, color=color, markersize=4, markerfacecolor="white", linestyle="")
                ax.plot(rows["average"], y, marker, color=color, markersize=4, linestyle="")
            ax.set_xscale("log")
            ax.set_yticks(range(len(names)), names)
            ax.set_ylim(len(names) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
            ax.set_title(
                {"Peaks_1d": "five peaks on a line", "Peaks_2d": "five peaks in a square"}.get(dataset, dataset), loc="left"
            )
        axes[-1, 0].set_xlabel("mean |error| over the five tasks (height of a peak: 1)")
        handles = [Line2D([], [], color=colors[m], marker=k, linestyle="", markersize=4, label=m) for m, k in METHODS.items()]
        handles += [
            Line2D([], [], color="0.15", marker="o", linestyle="", markersize=4, markerfacecolor="white", label="just learned"),
            Line2D([], [], color="0.15", marker="o", linestyle="", markersize=4, label="after the last task"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=5)
    return figure
