"""Figures of counting: FLOPs by definition, and one spline layer."""

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kanbefair.report import style

FLOP_LINES = {"flops": "-", "flops_shared": "--", "flops_local": ":"}


@style.styled
def counting(table: pandas.DataFrame, over: str = "MLP") -> Figure:
    """FLOPs by definition for networks of equally many parameters (columns model, budget, parameters, flops, flops_shared,
    flops_local), and their ratio to those of the model `over`. A definition that gives a model no other FLOPs is not drawn."""
    figure, ((left, right),) = style.new_figure(1, 2, width=6.4, height=2.7)
    models = style.in_order(table["model"])
    wide = table.pivot_table(index="budget", columns="model", values=list(FLOP_LINES))
    for model in models:
        own = table[table["model"] == model].sort_values("parameters")
        for kind, line in FLOP_LINES.items():
            drawn = {"color": style.look(model).color, "linestyle": line}
            if kind == "flops" or not numpy.array_equal(own[kind], own["flops"]):
                left.plot(own["parameters"], own[kind], **drawn)
            if model != over:
                right.plot(wide.index, wide[kind][model] / wide[kind][over], **drawn)
    right.axhline(1, color="0.6", linewidth=0.8)
    others = ", ".join(model for model in models if model != over)
    for axes, label in ((left, "FLOPs per input"), (right, f"FLOPs of {others} ÷ FLOPs of {over}")):
        axes.set(xscale="log", yscale="log", xlabel="parameters (paper's formula)", ylabel=label)
    style.ratio_axis(right.yaxis)
    entries = [style.entry(model, style.look(model).color, "", linestyle="-") for model in models]
    entries += [style.entry(style.LABELS[kind], "0.2", "", linestyle=line) for kind, line in FLOP_LINES.items()]
    style.legend(figure, entries, len(entries))
    return figure


@style.styled
def spline_layer(table: pandas.DataFrame) -> Figure:
    """One spline layer (`design.spline_layer`): its bases on the grid, and the function of one of its edges."""
    figure, ((left, right),) = style.new_figure(1, 2, width=6.4, height=2.7, sharex=True)
    knots = table[table["part"] == "knot"]
    grid = knots.loc[knots["name"] == "grid", "x"]
    for axes in (left, right):
        axes.axvspan(grid.min(), grid.max(), color="0.94", linewidth=0, zorder=0)
        axes.grid(visible=False)
        axes.set_xlabel("input x")
    _bases(left, table)
    for name, filled in (("grid", "0.2"), ("extension", "white")):
        x = knots.loc[knots["name"] == name, "x"]
        left.plot(x, 0 * x, "o", color="0.2", markerfacecolor=filled, markersize=3.5, clip_on=False, zorder=4)
    _edge(right, table[table["part"] == "edge"])
    entries = [
        style.entry("grid range", "0.9", "s", markersize=7),
        style.entry("knots of the grid", "0.2", markersize=3.5),
        style.entry("knots of the extension", "0.2", markerfacecolor="white", markersize=3.5),
    ]
    style.legend(figure, entries, len(entries))
    return figure


def _bases(axes: Axes, table: pandas.DataFrame) -> None:
    """All bases with their numbers; those that are not zero at the marked x stand out."""
    curves = table[table["part"] == "basis"]
    marked = table[table["part"] == "marked"]
    color = style.look("KAN").color
    for number, curve in curves.groupby("name"):
        stands_out = number in set(marked["name"])
        own = color if stands_out else "0.6"
        axes.plot(curve["x"], curve["y"], color=own, linewidth=1.4 if stands_out else 0.9)
        top = curve.loc[curve["y"].idxmax(), ["x", "y"]].astype(float)
        axes.annotate(f"$B_{{{number}}}$", top, (0, 2), textcoords="offset points", ha="center", fontsize=7, color=own)
    at = marked["x"].iloc[0]
    axes.plot([at, at], [0, curves["y"].max()], color="0.2", linewidth=0.8, linestyle=":")
    axes.plot(marked["x"], marked["y"], "o", color=color, markersize=3.5, clip_on=False, zorder=5)
    count = curves["name"].nunique()
    axes.set(title=f"G+K = {count} bases, K+1 = {len(marked)} of them at the dots", ylabel="basis")
    axes.set_ylim(0, 1.15 * curves["y"].max())


def _edge(axes: Axes, curves: pandas.DataFrame) -> None:
    """The function of one edge and the two parts of which it is the sum."""
    looks = {
        "shortcut": ("base weight × shortcut", "0.5", "--"),
        "spline": ("scale × spline", "0.1", "-."),
        "sum": ("sum: the edge's function", style.look("KAN").color, "-"),
    }
    axes.axhline(0, color="0.6", linewidth=0.8)
    for name, (label, color, line) in looks.items():
        curve = curves[curves["name"] == name]
        axes.plot(curve["x"], curve["y"], line, color=color, label=label, linewidth=1.8 if name == "sum" else 1.1)
    axes.set(title="the function of one edge", ylabel="output of the edge")
    axes.set_ylim(top=1.4 * curves["y"].max())
    axes.legend(loc="upper left")
