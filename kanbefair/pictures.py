"""Figures of functions and matrices: learned splines, what a network says after each task, accuracy matrices."""

import matplotlib
import pandas
from matplotlib.figure import Figure

from kanbefair.plots import COLORS, STYLE, new_figure, short


def splines(table: pandas.DataFrame) -> Figure:
    """Learned activations (`learned_splines.table`), a row per dataset and model, a column per layer. The grey band holds
    nine of ten inputs of the layer."""
    rows = list(table.groupby(["dataset", "model"], sort=False))
    layers = int(table["layer"].max())
    figure, axes = new_figure(len(rows), layers, width=2.3 * layers, height=1.45 * len(rows) + 0.2)
    with matplotlib.rc_context(STYLE):
        for line, ((dataset, model), own) in zip(axes, rows, strict=True):
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
                kind = "edges" if model == "KAN" else "units"
                ax.set_title(
                    f"layer {number}: {shown} of {count} {kind}" if shown < count else f"layer {number}: {count} {kind}"
                )
                if number == 1:
                    ax.set_ylabel(f"{short(dataset)}\n{model}\noutput of the activation")
                ax.set_xlabel("input of the activation")
    return figure
