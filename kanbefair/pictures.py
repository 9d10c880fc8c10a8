"""Figures of functions and matrices: learned splines, what a network says after each task, accuracy matrices."""

import matplotlib
import numpy
import pandas
from matplotlib.figure import Figure

from kanbefair.report.style import COLORS, STYLE, new_figure, short


def splines(table: pandas.DataFrame) -> Figure:
    """Learned activations (`learned_splines.table`), a row per dataset and model, a column per layer. The grey band holds
    nine of ten inputs of the layer."""
    rows = list(table.groupby(["dataset", "model"], sort=False))
    layers = int(table["layer"].max())
    figure, axes = new_figure(len(rows), layers, width=2.3 * layers, height=1.35 * len(rows) + 0.3)
    with matplotlib.rc_context(STYLE):
        for line, ((dataset, model), own) in zip(axes, rows, strict=True):
            kind = "edges" if model == "KAN" else "units"
            for number, ax in enumerate(line, start=1):
                layer = own[own["layer"] == number]
                if layer.empty:
                    ax.set_visible(False)
                    continue
                low, high = layer["x"].min(), layer["x"].max()
                ax.axvspan(max(layer["low"].iloc[0], low), min(layer["high"].iloc[0], high), color="0.92", linewidth=0)
                for _, curve in layer.groupby("edge"):
                    ax.plot(curve["x"], curve["y"], color=COLORS[model], linewidth=0.8, alpha=0.75)
                ax.set_xlim(low, high)
                shown, count = layer["edge"].nunique(), layer["count"].iloc[0]
                ax.set_title(f"layer {number}: {f'{shown} of ' if shown < count else ''}{count} {kind}")
            line[0].set_ylabel(f"{short(dataset)}\n{model}")
        figure.supxlabel("input of the activation", fontsize=8)
        figure.supylabel("output of the activation", fontsize=8)
    return figure


def matrices(table: pandas.DataFrame) -> Figure:
    """Accuracy matrices as heat maps (`retention.matrices`, of one stream), a row per strategy, a column per network: each
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
    """What networks say on [-1, 1] after each task (`retention.pictures`), a row per network and a column per task; the task
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
