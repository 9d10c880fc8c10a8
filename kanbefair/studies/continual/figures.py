"""Figures of continual learning: strategies, plasticity, accuracy matrices, peaks."""

from collections.abc import Sequence

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kanbefair.report import style
from kanbefair.studies.continual.design import NETWORKS
from kanbefair.studies.continual.peaks import PEAKS_1D

HOLLOW = {"MLP gelu": "D", "MLP silu": "P"}
"""Markers of networks that share their family's colour with the plain one."""
STRATEGIES = ("naive", "ewc", "knots", "replay", "joint")
METHODS = {
    "LBFGS": ("0.1", "o"),
    "Adam, reset": (style.PALETTE[4], "s"),
    "Adam, carried": (style.PALETTE[7], "^"),
}
PEAKS = {"Peaks_1d": "five peaks on a line", "Peaks_2d": "five peaks in a square"}


def _look(network: str) -> dict[str, object]:
    """Colour and marker of a network of `design.NETWORKS`."""
    color, plain = style.look(NETWORKS[network]["model"])
    fill = "white" if network in HOLLOW else color
    return {"color": color, "marker": HOLLOW.get(network, plain), "markerfacecolor": fill, "markersize": 3.5}


def _streams(table: pandas.DataFrame) -> tuple[Figure, list[tuple[Axes, pandas.DataFrame]], list[Axes]]:
    """A figure with a panel per stream: the axes, each with its part of the table, and those of the lowest panels."""
    places = list(table.groupby(["dataset", "stream_name"], sort=False))
    columns = min(3, len(places))
    figure, panels = style.wrapped(len(places), columns, width=max(2.35 * columns + 0.3, 4.2), sharey=True)
    for axes, ((dataset, stream), _) in zip(panels, places, strict=True):
        axes.set_title(f"{style.short(dataset)}: {stream}")
    for axes in panels[::columns]:
        axes.set_ylabel("accuracy after last task (%)")
    return figure, [(axes, own) for axes, (_, own) in zip(panels, places, strict=True)], panels[-columns:]


def _absent(table: pandas.DataFrame) -> list[str]:
    """Which networks were trained with only some of the strategies."""
    lines = []
    for network, own in table.groupby("network", sort=False)["strategy"]:
        shown = style.in_order(own, STRATEGIES)
        if len(shown) < table["strategy"].nunique():
            lines.append(f"{network} was trained with {', '.join(shown)} only.")
    return lines


def _note(figure: Figure, table: pandas.DataFrame, more: Sequence[str] = ()) -> None:
    """More lines, and how many runs behind the points of a figure are at chance, and how many have no score, by network."""
    words = {"at_chance": "Runs that are at chance", "lost": "Runs without a score, left out"}
    lines = [" ".join(more)] if more else []
    for column, said in words.items():
        own = table[table[column] > 0].groupby("network", sort=False)[column].sum()
        if len(own):
            lines.append(f"{said}: {', '.join(f'{network} {number}' for network, number in own.items())}.")
    style.note(figure, "\n".join(lines))


def _networks_legend(figure: Figure, table: pandas.DataFrame, linestyle: str) -> None:
    names = style.in_order(table["network"], NETWORKS)
    entries = [Line2D([], [], label=name, linestyle=linestyle, linewidth=0.9, **_look(name)) for name in names]
    style.legend(figure, entries, 6 if figure.get_figwidth() > 7 else 3)


@style.styled
def strategies(table: pandas.DataFrame) -> Figure:
    """Average after the last task by strategy (`findings.summary`, the optimiser's state carried over), a panel per stream,
    with 95 % intervals over seeds."""
    table = table[table["optimizer_state"] == "carried"]
    figure, panels, _ = _streams(table)
    for axes, own in panels:
        shown = style.in_order(own["strategy"], STRATEGIES)
        names = style.in_order(own["network"], NETWORKS)
        for place, network in enumerate(names):
            rows = own[own["network"] == network].set_index("strategy").reindex(shown)
            x = numpy.arange(len(shown)) + 0.62 * (place / max(len(names) - 1, 1) - 0.5)
            bars = style.whiskers(rows[["average", "average_low", "average_high"]])
            axes.errorbar(x, rows["average"], yerr=bars, linestyle="", elinewidth=0.9, **_look(network))
        for edge in range(1, len(shown)):
            axes.axvline(edge - 0.5, color="0.85", linewidth=0.6)
        axes.set_xticks(range(len(shown)), shown)
        axes.set_xlim(-0.5, len(shown) - 0.5)
        axes.set_ylim(0, 102)
        axes.grid(axis="x", visible=False)
    _networks_legend(figure, table, "")
    _note(figure, table, _absent(table))
    return figure


@style.styled
def plasticity(table: pandas.DataFrame) -> Figure:
    """What is left after the last task against what was just learned (`findings.plasticity`), a point per learning rate; on
    the dotted line nothing is forgotten."""
    figure, panels, lowest = _streams(table)
    for axes, own in panels:
        axes.plot([0, 100], [0, 100], ":", color="0.5", linewidth=0.9)
        for network in style.in_order(own["network"], NETWORKS):
            rows = own[own["network"] == network].sort_values("lr")
            axes.plot(rows["test_learned"], rows["test_average"], linewidth=0.9, **_look(network))
            first = rows[:1]
            ring = style.HOLLOW | {
                "color": style.look(NETWORKS[network]["model"]).color,
                "markersize": 7,
                "markeredgewidth": 0.6,
            }
            axes.plot(first["test_learned"], first["test_average"], "o", **ring)
        axes.set(xlim=(0, 102), ylim=(0, 102))
    for axes in lowest:
        axes.set_xlabel("accuracy just learned (%)")
    _networks_legend(figure, table, "-")
    _note(
        figure, table, ["Means over seeds; a line joins a network's learning rates from the smallest (ringed) to the largest."]
    )
    return figure


@style.styled
def matrices(table: pandas.DataFrame) -> Figure:
    """Accuracy matrices as heat maps (`findings.matrices`, of one stream), a row per strategy, a column per network: each
    row of a map is the state after one task, each column a task."""
    shown = style.in_order(table["strategy"], STRATEGIES)
    networks = list(dict.fromkeys(table["network"]))
    side = 0.5 + 0.23 * int(table["on"].max())
    size = {"width": side * len(networks) + 1.1, "height": side * len(shown) + 0.4}
    figure, panels = style.new_figure(len(shown), len(networks), **size)
    for strategy, line in zip(shown, panels, strict=True):
        for network, axes in zip(networks, line, strict=True):
            own = table[(table["strategy"] == strategy) & (table["network"] == network)]
            axes.set_visible(not own.empty)
            if not own.empty:
                picture = _matrix(axes, own.pivot_table(index="after", columns="on", values="value").to_numpy())
        line[0].set_ylabel(f"{strategy}\nafter task")
    for network, first, last in zip(networks, panels[0], panels[-1], strict=True):
        first.set_title(network)
        last.set_xlabel("accuracy on task")
    style.note(figure, "; ".join(f"{dataset}: {stream}" for dataset, stream in _places(table)))
    figure.colorbar(picture, ax=panels, label="test accuracy (%)", shrink=0.6, aspect=25)
    return figure


def _places(table: pandas.DataFrame) -> list[tuple[str, str]]:
    return list(table[["dataset", "stream_name"]].drop_duplicates().itertuples(index=False, name=None))


def _matrix(axes: Axes, values: numpy.ndarray) -> ScalarMappable:
    picture = axes.imshow(values, vmin=0, vmax=100, cmap="cividis")
    for (y, x), value in numpy.ndenumerate(values):
        axes.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=6, color="black" if value > 55 else "white")
    tasks = range(len(values))
    axes.set_xticks(tasks, [task + 1 for task in tasks])
    axes.set_yticks(tasks, [task + 1 for task in tasks])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return picture


@style.styled
def switches(table: pandas.DataFrame) -> Figure:
    """Error on the peaks per network and optimiser (`findings.summary` of their runs), a panel per dataset: just learned
    (hollow) and after the last task (filled); the line between them is what was forgotten."""
    datasets = list(dict.fromkeys(table["dataset"]))
    counts = [table[table["dataset"] == name]["network"].nunique() for name in datasets]
    size = {"width": 6.4, "height": 0.27 * sum(counts) + 1.1, "height_ratios": counts}
    figure, panels = style.new_figure(len(datasets), 1, **size, sharex=True)
    for axes, dataset in zip(panels[:, 0], datasets, strict=True):
        own = table[table["dataset"] == dataset]
        names = list(dict.fromkeys(own["network"]))
        for number, (method, (color, marker)) in enumerate(METHODS.items()):
            rows = own[own["method"] == method]
            y = rows["network"].map(names.index) + 0.24 * (number - 1)
            drawn = {"color": color, "marker": marker, "markersize": 4, "linestyle": ""}
            axes.hlines(y, rows["learned"], rows["average"], color=color, linewidth=1)
            axes.plot(rows["learned"], y, markerfacecolor="white", **drawn)
            axes.plot(rows["average"], y, **drawn)
        axes.set_xscale("log")
        style.name_rows(axes, names)
        axes.set_title(PEAKS.get(dataset, dataset), loc="left")
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("mean |error| over the five tasks (height of a peak: 1)")
    entries = [style.entry(method, *METHODS[method], markersize=4) for method in METHODS]
    entries += [
        style.entry("open: just learned", "0.6", "d", markersize=4, markerfacecolor="white"),
        style.entry("filled: after the last task", "0.6", "d", markersize=4),
    ]
    style.legend(figure, entries, len(entries))
    _note(figure, table)
    return figure


@style.styled
def peaks(table: pandas.DataFrame, centres: Sequence[float], sharpness: float) -> Figure:
    """What networks say on [-1, 1] after each task (`findings.pictures`), a row per network and a column per task; the task
    just shown is shaded, the grey line is the truth: at each centre c a peak exp(-sharpness (x - c)²). Values beyond the
    axis are cut."""
    networks = list(dict.fromkeys(table["network"]))
    tasks = int(table["after"].max())
    size = {"width": 1.34 * tasks + 0.4, "height": 1.0 * len(networks) + 0.3}
    figure, panels = style.new_figure(len(networks), tasks, **size, sharex=True, sharey=True)
    half = (centres[1] - centres[0]) / 2
    for network, line in zip(networks, panels, strict=True):
        color = style.look(PEAKS_1D[network]["model"]).color
        for task, (axes, centre) in enumerate(zip(line, centres, strict=False), start=1):
            own = table[(table["network"] == network) & (table["after"] == task)]
            truth = sum(numpy.exp(-sharpness * (own["x"] - c) ** 2) for c in centres)
            axes.axvspan(centre - half, centre + half, color="0.92", linewidth=0)
            axes.plot(own["x"], truth, color="0.65", linewidth=1)
            axes.plot(own["x"], own["y"], color=color, linewidth=1)
            axes.set(ylim=(-0.6, 1.6), xlim=(-1, 1))
        line[0].set_ylabel(network.replace("with a ", "KAN with a\n").replace(", ", ",\n"))
    for task, (first, last) in enumerate(zip(panels[0], panels[-1], strict=True), start=1):
        first.set_title(f"after task {task}")
        last.set_xlabel("x")
    entries = [
        style.entry("the truth", "0.65", "", linestyle="-"),
        style.entry("what the network says", "0.2", "", linestyle="-"),
        style.entry("the task just shown", "0.92", "s", markersize=7),
    ]
    style.legend(figure, entries, len(entries))
    return figure
