"""Figures of what was measured: layers, growth, rates, the released grid's cost, and verdicts at equal time."""

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from kanbefair.report import style
from kanbefair.report.decision import UNDECIDED
from kanbefair.report.statistics import PAIR
from kanbefair.report.words import EQUAL, datasets_in_words, notes
from kanbefair.studies.domains.figures import gain_axis, gain_dots, label_color, over_entries
from kanbefair.studies.speed.layers import LINEAR, OURS, PASSES, PLAIN

LAYERS = {
    OURS: style.look("KAN"),
    PLAIN: style.Look(style.PALETTE[9], "s"),
    "linear": style.Look("0.35", "s"),
    "pykan": style.Look(style.PALETTE[4], "^"),
    "efficient-kan": style.Look(style.PALETTE[2], "v"),
    "inkan": style.Look(style.PALETTE[0], "D"),
}
SHORTCUTS = {"silu": ("silu shortcut", -0.06), "none": ("spline alone", 0.06)}
"""In words, and by how much their dots are shifted."""
SIZES = {
    "G": "grid size G",
    "K": "spline order K",
    "width": "inputs = outputs",
    "batch": "rows of a batch",
    "stack": "runs in a stack",
}
"""What `design.VARIED` varies, in words."""
LIMITS = {
    "arithmetic": (style.PALETTE[1], "o"),
    "memory": (style.PALETTE[2], "s"),
    "calls": (style.PALETTE[4], "^"),
}


@style.styled
def layers(table: pandas.DataFrame) -> Figure:
    """Time and peak memory over `nn.Linear` of equally many parameters (`layers.compare`): a row per size, a panel per
    pass; filled with a silu shortcut, open without one; whiskers are quartiles."""
    table = table.assign(size=table.apply(_size, axis=1))
    names = list(dict.fromkeys(table["size"]))
    competing = [name for name in LAYERS if name in set(table["layer"])]
    figure, panels = style.new_figure(1, len(PASSES) + 1, width=7.2, height=0.9 + 0.5 * len(names), sharey=True)
    shown = [(kind, "ratio", kind) for kind in PASSES] + [(PASSES[-1], "ratio_peak", f"peak memory,\n{PASSES[-1]}")]
    for axes, (kind, column, title) in zip(panels[0], shown, strict=True):
        own = table[table["pass"] == kind]
        for number, name in enumerate(competing):
            place = 0.6 * ((number + 0.5) / len(competing) - 0.5)
            _layer_dots(axes, own[own["layer"] == name].assign(y=own["size"].map(names.index) + place), name, column)
        axes.axvline(1, color="0.35", linewidth=0.9)
        style.ratio_axis(axes.xaxis)
        style.name_rows(axes, names, lines=True)
        axes.set_title(title)
    figure.supxlabel(f"multiple of {LINEAR} with equally many parameters (left of 1×: better)", fontsize=8)
    entries = [style.entry(name, *LAYERS[name], markersize=4) for name in competing]
    for shortcut, (label, _) in SHORTCUTS.items():
        face = "white" if shortcut == "none" else "0.2"
        entries.append(style.entry(label, markersize=4, markerfacecolor=face))
    style.legend(figure, entries, len(entries))
    return figure


def _size(row: pandas.Series) -> str:
    return f"batch {row['rows']}, {row['inputs']}→{row['outputs']}\nG {row['grid']}, K {row['order']}"


def _layer_dots(axes: Axes, rows: pandas.DataFrame, name: str, column: str) -> None:
    color, marker = LAYERS[name]
    for shortcut, (_, shift) in SHORTCUTS.items():
        points = rows[rows["shortcut"] == shortcut]
        y = points["y"] + shift
        face = "white" if shortcut == "none" else color
        if column == "ratio":
            axes.hlines(y, points["ratio_low"], points["ratio_high"], color=color, linewidth=1)
        axes.plot(points[column], y, marker, color=color, markerfacecolor=face, markersize=4)


@style.styled
def growth(table: pandas.DataFrame) -> Figure:
    """Time over that at the smallest value of each varied size (`layers.growth`); whiskers are quartiles; dashed: time in
    proportion to the multiplications, which grow with the square of inputs = outputs. Each line is a multiple of its own first
    value: heights of two lines do not compare."""
    varied = list(dict.fromkeys(table["varied"]))
    figure, panels = style.new_figure(1, len(varied), width=1.75 * len(varied), height=2.3)
    for axes, name in zip(panels[0], varied, strict=True):
        own = table[table["varied"] == name]
        for layer, points in own.groupby("layer", sort=False):
            color, marker = LAYERS[layer]
            axes.errorbar(
                points["value"],
                points["times"],
                yerr=style.whiskers(points[["times", "times_low", "times_high"]]),
                color=color,
                marker=marker,
                markersize=3.5,
                linewidth=1.2,
                elinewidth=0.8,
                label="linear layer of equal parameters" if layer == "linear" else layer,
            )
        values = numpy.array(sorted(set(own["value"])), dtype=float)
        steps = (values / values[0]) ** (2 if name == "width" else 1)
        axes.plot(
            values, steps, "--", color="0.6", linewidth=0.9, label="in proportion to the size (inputs = outputs: squared)"
        )
        axes.set(xscale="log", xlabel=SIZES[name])
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.xaxis.set_minor_formatter(NullFormatter())
        style.ratio_axis(axes.yaxis)
    panels[0, 0].set_ylabel("time ÷ the line's first")
    style.legend(figure, panels[0, 0].get_legend_handles_labels()[0], 4)
    return figure


@style.styled
def rates(table: pandas.DataFrame) -> Figure:
    """Runs an hour beside recorded rates, and the shares of the machine's limits that the work takes (`rates.measure`)."""
    names = list(dict.fromkeys(table["run"]))
    figure, panels = style.new_figure(1, 2, width=7.2, height=0.9 + 0.36 * len(names), sharey=True, width_ratios=(1.25, 1))
    left, right = panels[0]
    _rates_panel(left, table, names)
    _limits_panel(right, table[(table["batches"] == "own") & (table["protocol"] == "fair")], names)
    for axes, columns in ((left, 2), (right, 3)):
        style.name_rows(axes, names, lines=True)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)
    return figure


def _rates_panel(axes: Axes, table: pandas.DataFrame, names: list[str]) -> None:
    color = "0.2"
    fair = table["protocol"] == "fair"
    kinds = {
        "own batches": (-0.21, "o", color, (table["batches"] == "own") & fair),
        "shared batches": (-0.07, "o", "white", (table["batches"] == "shared") & fair),
        "published protocol": (0.07, "D", "white", ~fair & ~table["train_curve"]),
        "published, training curve": (0.21, "D", color, table["train_curve"]),
    }
    for kind, (shift, marker, face, chosen) in kinds.items():
        own = table[chosen]
        y = own["run"].map(names.index) + shift
        axes.plot(own["runs_an_hour"], y, marker, label=f"here, {kind}", color=color, markerfacecolor=face, markersize=4.5)
    once = table.drop_duplicates("run")
    axes.plot(once["original"], once["run"].map(names.index), "x", color="0.3", markersize=5, label="authors (recorded)")
    axes.set_xscale("log")
    axes.set_xlabel(f"runs an hour ({table['workers'].iloc[0]} workers)")


def _limits_panel(axes: Axes, own: pandas.DataFrame, names: list[str]) -> None:
    for name, (color, marker) in LIMITS.items():
        axes.plot(100 * own[name], own["run"].map(names.index), marker, color=color, label=name)
    axes.axvline(100, color="0.35", linewidth=0.9)
    style.log_axis(axes.xaxis)
    axes.set_xlabel("share of the machine's limit (%)")


@style.styled
def grid_cost(table: pandas.DataFrame) -> Figure:
    """Estimated hours for the released grid per kind of dataset and model (`grid_cost.hours`)."""
    hours = table.groupby(["stand_in", "model"], sort=False)[["hours", "rows"]].sum().reset_index()
    kinds = list(dict.fromkeys(hours.sort_values("hours", ascending=False)["stand_in"]))
    models = style.in_order(hours["model"])
    figure, ((axes,),) = style.new_figure(1, 1, width=5.0, height=0.8 + 0.4 * len(kinds))
    for number, model in enumerate(models):
        own = hours[hours["model"] == model]
        y = own["stand_in"].map(kinds.index) + 0.34 * (number - (len(models) - 1) / 2)
        color, marker = style.look(model)
        axes.plot(own["hours"], y, marker, color=color, label=model)
        for place, value, rows in zip(y, own["hours"], own["rows"], strict=True):
            axes.annotate(f"   {value:.2g} h for {rows:,.0f} runs", (value, place), va="center", fontsize=7)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * 30)
    style.log_axis(axes.xaxis)
    axes.set_xlabel("estimated hours")
    style.name_rows(axes, kinds, lines=True)
    axes.legend(loc="lower right")
    return figure


@style.styled
def verdict(table: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> Figure:
    """Gain of the first of the pair over the second at each equal budget (`statistics.verdict`), a panel per domain, with its
    95 % interval; above a panel are its datasets and what the interval is over."""
    first, second = pair
    domains = list(dict.fromkeys(table["domain"]))
    names = list(dict.fromkeys(table["budget"]))
    size = {"width": 1.2 + 2.6 * len(domains), "height": 1.1 + 0.28 * len(names)}
    figure, panels = style.new_figure(1, len(domains), **size, sharey=True)
    labels = {"accuracy": f"accuracy of {first} − {second}, points", "mae": f"error of {second} ÷ error of {first}"}
    for axes, domain in zip(panels[0], domains, strict=True):
        own = table[table["domain"] == domain]
        gain_dots(axes, own, own["budget"].map(names.index), "o" * len(own))
        gain_axis(axes, own["metric"].iloc[0], labels)
        one = own.iloc[0].to_dict()
        axes.set_title(f"{domain}: {datasets_in_words(one)},\nover {one['units']} {one['interval_over']}s")
        style.name_rows(axes, [EQUAL[name] for name in names], lines=True)
    entries = [style.entry(f"{model} ahead", label_color(model)) for model in pair]
    entries += [style.entry("equivalent or undecided", label_color(UNDECIDED)), *over_entries(table)]
    style.legend(figure, entries, 3)
    style.note(figure, notes(table))
    return figure
