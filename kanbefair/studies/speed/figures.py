"""Figures of what was measured: layers, growth, rates, the released grid's cost, and verdicts at equal time."""

import matplotlib
import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from kanbefair.report.style import COLORS, MARKERS, PALETTE, STYLE, multiples, new_figure, plain_log
from kanbefair.report.words import EQUAL
from kanbefair.studies.speed.layers import LINEAR, OURS, PASSES, PLAIN

LAYERS = {
    OURS: (PALETTE[3], "o"),
    PLAIN: (PALETTE[9], "s"),
    LINEAR: ("0.35", "|"),
    "linear": ("0.35", "s"),
    "pykan": (PALETTE[4], "^"),
    "efficient-kan": (PALETTE[2], "v"),
    "inkan": (PALETTE[0], "D"),
}


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    for between in range(1, len(names)):
        axes.axhline(between - 0.5, color="0.9", linewidth=0.6)


def _size(row: pandas.Series) -> str:
    return f"batch {row['rows']}, {row['inputs']}→{row['outputs']}\nG {row['grid']}, K {row['order']}"


def layers(table: pandas.DataFrame) -> Figure:
    """Time and peak memory over `nn.Linear` of equally many parameters (`layers.compare`): a row per size, a panel per
    pass; filled with a silu shortcut, open without one; whiskers are quartiles."""
    table = table.assign(size=table.apply(_size, axis=1))
    names = list(dict.fromkeys(table["size"]))
    competing = [name for name in LAYERS if name != LINEAR and name in set(table["layer"])]
    figure, panels = new_figure(1, 4, width=7.2, height=0.9 + 0.5 * len(names), sharey=True)
    drawn = [(kind, "ratio", kind) for kind in PASSES] + [(PASSES[2], "ratio_peak", "peak memory,\nwith input gradient")]
    with matplotlib.rc_context(STYLE):
        for axes, (kind, column, title) in zip(panels[0], drawn, strict=True):
            own = table[table["pass"] == kind]
            for number, name in enumerate(competing):
                color, marker = LAYERS[name]
                for shortcut, face, shift in (("silu", color, -0.06), ("none", "white", 0.06)):
                    points = own[(own["layer"] == name) & (own["shortcut"] == shortcut)]
                    y = points["size"].map(names.index) + 0.6 * (number + 0.5) / len(competing) - 0.3 + shift
                    if column == "ratio":
                        axes.hlines(y, points["ratio_low"], points["ratio_high"], color=color, linewidth=1)
                    axes.plot(points[column], y, marker, color=color, markerfacecolor=face, markersize=4, linestyle="")
            axes.axvline(1, color="0.35", linewidth=0.9)
            axes.set_xscale("log")
            plain_log(axes.xaxis)
            _rows(axes, names)
            axes.set_title(title)
        figure.supxlabel(f"multiple of {LINEAR} with equally many parameters (left of 1: better)", fontsize=8)
        handles = [
            Line2D([], [], color=LAYERS[n][0], marker=LAYERS[n][1], linestyle="", markersize=4, label=n) for n in competing
        ]
        handles += [
            Line2D([], [], color="0.2", marker="o", linestyle="", markersize=4, label="silu shortcut"),
            Line2D([], [], color="0.2", marker="o", linestyle="", markersize=4, markerfacecolor="white", label="spline alone"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


TITLES = {
    "G": "grid size G",
    "K": "spline order K",
    "width": "inputs = outputs",
    "batch": "rows of a batch",
    "stack": "runs in a stack (width 5)",
}


def growth(table: pandas.DataFrame) -> Figure:
    """Time over that at the smallest value of each varied size (`layers.growth`), whiskers are quartiles; dashed: time in
    proportion to the size."""
    varied = list(dict.fromkeys(table["varied"]))
    figure, panels = new_figure(1, len(varied), width=1.75 * len(varied), height=2.3)
    with matplotlib.rc_context(STYLE):
        for axes, name in zip(panels[0], varied, strict=True):
            own = table[table["varied"] == name]
            for layer, points in own.groupby("layer", sort=False):
                color, marker = LAYERS[layer]
                error = [points["times"] - points["times_low"], points["times_high"] - points["times"]]
                axes.errorbar(
                    points["value"],
                    points["times"],
                    yerr=error,
                    color=color,
                    marker=marker,
                    markersize=3.5,
                    linewidth=1.2,
                    elinewidth=0.8,
                    label="linear layer of equal parameters" if layer == "linear" else layer,
                )
            values = numpy.array(sorted(set(own["value"])), dtype=float)
            axes.plot(values, values / values[0], "--", color="0.6", linewidth=0.9, label="in proportion to the size")
            axes.set(xscale="log", yscale="log", xlabel=TITLES[name])
            axes.set_xticks(values, [f"{value:g}" for value in values])
            axes.xaxis.set_minor_formatter(NullFormatter())
            plain_log(axes.yaxis)
        panels[0, 0].set_ylabel("time, multiple of the smallest")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def rates(table: pandas.DataFrame) -> Figure:
    """Runs an hour beside recorded rates, and the shares of the machine's limits that the work takes (`rates.measure`)."""
    names = list(dict.fromkeys(table["run"]))
    figure, panels = new_figure(1, 2, width=7.2, height=0.9 + 0.36 * len(names), sharey=True, width_ratios=(1.25, 1))
    fair = table["protocol"] == "fair"
    kinds = {
        "own batches": (0.21, "o", PALETTE[3], (table["batches"] == "own") & fair),
        "shared batches": (0.07, "o", "white", (table["batches"] == "shared") & fair),
        "published protocol": (-0.07, "D", "white", ~fair & ~table["train_curve"]),
        "published, training curve": (-0.21, "D", PALETTE[3], table["train_curve"]),
    }
    with matplotlib.rc_context(STYLE):
        left, right = panels[0]
        for kind, (shift, marker, face, chosen) in kinds.items():
            own = table[chosen]
            y = own["run"].map(names.index) + shift
            style = {"color": PALETTE[3], "markerfacecolor": face, "markersize": 4.5}
            left.plot(own["runs_an_hour"], y, marker, label=f"here, {kind}", **style)
        once = table.drop_duplicates("run")
        y = once["run"].map(names.index)
        left.plot(once["original"], y, "x", color="0.3", markersize=5, label="authors (recorded)")
        left.set_xscale("log")
        left.set_xlabel(f"runs an hour ({table['workers'].iloc[0]} workers)")
        own = table[kinds["own batches"][-1]]
        shares = {"arithmetic": "o", "memory": "s", "calls": "^"}
        for number, (name, marker) in enumerate(shares.items()):
            right.plot(100 * own[name], own["run"].map(names.index), marker, color=PALETTE[(1, 2, 4)[number]], label=name)
        right.set_xscale("log")
        right.axvline(100, color="0.35", linewidth=0.9)
        right.set_xlabel("share of the machine's limit (%)")
        plain_log(right.xaxis)
        for axes in panels[0]:
            _rows(axes, names)
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3 if axes is right else 2)
    return figure


def grid_cost(table: pandas.DataFrame) -> Figure:
    """Estimated hours for the released grid per kind of dataset and model (`rates.grid_cost`)."""
    hours = table.groupby(["stand_in", "model"], sort=False)[["hours", "rows"]].sum().reset_index()
    kinds = list(dict.fromkeys(hours.sort_values("hours", ascending=False)["stand_in"]))
    figure, panels = new_figure(1, 1, width=5.0, height=0.8 + 0.4 * len(kinds))
    axes = panels[0, 0]
    with matplotlib.rc_context(STYLE):
        for number, model in enumerate(("KAN", "MLP")):
            own = hours[hours["model"] == model]
            y = own["stand_in"].map(kinds.index) + 0.34 * (number - 0.5)
            axes.plot(own["hours"], y, MARKERS[model], color=COLORS[model], label=model)
            for place, (value, rows) in zip(y, own[["hours", "rows"]].to_numpy(), strict=True):
                axes.annotate(f"   {value:.3g} h for {rows:,.0f} runs", (value, place), va="center", fontsize=7)
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xlim(low, high * 30)
        plain_log(axes.xaxis)
        axes.set_xlabel("estimated hours")
        _rows(axes, kinds)
        axes.legend(loc="lower right")
    return figure


def verdict(table: pandas.DataFrame) -> Figure:
    """Gain of KAN over MLP at each equal budget, a panel per domain, with its 95 % interval (`statistics.verdict`)."""
    domains = list(dict.fromkeys(table["domain"]))
    names = list(dict.fromkeys(table["budget"]))
    figure, panels = new_figure(1, len(domains), width=1.2 + 2.6 * len(domains), height=0.7 + 0.28 * len(names), sharey=True)
    with matplotlib.rc_context(STYLE):
        for axes, domain in zip(panels[0], domains, strict=True):
            own = table[table["domain"] == domain]
            errors = own["metric"].iloc[0] == "mae"
            for _, row in own.iterrows():
                gain, low, high = row["gain"], row["low"], row["high"]
                color = COLORS.get(row["winner"], "0.4")
                axes.errorbar(
                    gain,
                    names.index(row["budget"]),
                    xerr=[[gain - low], [high - gain]],
                    fmt="o",
                    color=color,
                    capsize=2.5,
                    markersize=4.5,
                    linewidth=1.2,
                )
            axes.axvline(0, color="0.2", linewidth=0.8)
            axes.set_title(domain)
            axes.set_xlabel("error of MLP ÷ error of KAN" if errors else "accuracy of KAN − MLP, points")
            if errors:
                multiples(axes)
            _rows(axes, [EQUAL[name] for name in names])
        handles = [
            Line2D([], [], color=COLORS.get(n, "0.4"), marker="o", linestyle="", label=label)
            for n, label in (("KAN", "KAN wins"), ("MLP", "MLP wins"), ("tie", "tie"))
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure
