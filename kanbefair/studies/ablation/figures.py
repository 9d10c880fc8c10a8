"""Figures of the ablation: curves over a budget, effects of changes, learned splines."""

import math

import matplotlib
import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kanbefair.report import statistics
from kanbefair.report.style import COLORS, LABELS, STYLE, new_figure, short

CURVE_STYLES = {
    "KAN, silu shortcut": ("KAN", "-", "o"),
    "KAN, identity shortcut": ("KAN", "--", "D"),
    "KAN layers only": ("KAN", ":", "P"),
    "MLP": ("MLP", "-", "s"),
    "BSpline_MLP": ("BSpline_MLP", "-", "^"),
    "BSpline_First_MLP": ("BSpline_First_MLP", "-", "v"),
}
"""Colour, line and marker of the curves of `design.CURVES`."""


def _bars(values: pandas.Series) -> tuple[float, float, float]:
    mean, low, high = statistics.interval(values)
    return (mean, low, high) if math.isfinite(low) else (mean, mean, mean)


def curves(scores: pandas.DataFrame, tops: pandas.DataFrame) -> Figure:
    """Score against trainable values, a panel per dataset and a line per variant (`ablation.scores`): mean over seeds with
    its 95 % interval, errors as geometric means; the paper's `tops` as short lines on the right where it has them."""
    datasets = list(dict.fromkeys(scores["dataset"]))
    columns = min(4, len(datasets))
    figure, axes = new_figure(math.ceil(len(datasets) / columns), columns, width=max(1.78 * columns, 4.2), height=None)
    with matplotlib.rc_context(STYLE):
        for place, ax in enumerate(axes.flat):
            if place >= len(datasets):
                ax.set_visible(False)
                continue
            own = scores[scores["dataset"] == datasets[place]]
            metric = own["metric"].iloc[0]
            for variant, (model, line, marker) in CURVE_STYLES.items():
                rows = own[own["variant"] == variant].groupby("size")
                x = rows["live_parameters"].mean()
                y = numpy.array([_bars(numpy.log10(v) if metric == "mae" else v) for _, v in rows["score"]]).T
                y = 10**y if metric == "mae" else y
                ax.errorbar(
                    x,
                    y[0],
                    yerr=[y[0] - y[1], y[2] - y[0]],
                    fmt=marker,
                    linestyle=line,
                    color=COLORS[model],
                    markersize=3,
                    linewidth=1,
                    elinewidth=0.6,
                    capsize=0,
                    label=variant,
                )
            for _, top in tops[tops["dataset"] == datasets[place]].iterrows():
                for model in ("BSpline_MLP", "BSpline_First_MLP"):
                    ax.axhline(top[model], xmin=0.85, color=COLORS[model], linewidth=1.6)
            ax.set_xscale("log")
            if metric == "mae":
                _error_axis(ax)
            else:
                low, high = ax.get_ylim()
                ax.set_ylim(max(low, 0), min(high, 100.5))
            budgets = own[own["variant"] == "KAN, silu shortcut"].groupby("size")["live_parameters"].mean()
            ax.set_xticks(budgets, [_count(value) for value in budgets])
            ax.xaxis.minorticks_off()
            ax.set_title(short(datasets[place]))
            if place >= len(datasets) - columns:
                ax.set_xlabel("trainable values")
            if place % columns == 0 or metric != scores[scores["dataset"] == datasets[place - 1]]["metric"].iloc[0]:
                ax.set_ylabel(LABELS[metric])
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(3, columns))
    return figure


def _error_axis(ax: Axes) -> None:
    """A logarithmic axis with labels at 1, 2 and 5 of each decade, at 1 only where it spans many."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _count(value: float) -> str:
    return f"{value / 1000:.2g}k" if value >= 1000 else f"{value:.0f}"


def _ratio_axis(ax: Axes) -> None:
    """Ticks at 1, 2 and 5 of each decade (fewer where it spans many) for an axis of log10(error without ÷ error with)."""
    low, high = ax.get_xlim()
    steps = (1, 2, 5) if high - low < 2 else (1, 3) if high - low < 5 else (1,)
    ratios = [step * 10.0**power for power in range(-9, 10) for step in steps]
    ticks = {-math.log10(ratio): f"{ratio:g}" for ratio in ratios if low <= -math.log10(ratio) <= high}
    ax.set_xticks(list(ticks), list(ticks.values()))


def effects(table: pandas.DataFrame) -> Figure:
    """Effect of each change (`ablation.effects`), a column of panels per group of datasets and a row per base: point, 95 %
    interval over datasets (thin, where there are enough of them) and over seeds (thick); the shaded line marks the other
    base."""
    groups, bases = list(dict.fromkeys(table["group"])), ["MLP", "KAN"]
    counts = [(table[table["group"] == groups[0]]["base"] == base).sum() for base in bases]
    figure, axes = new_figure(
        2,
        len(groups),
        width=3.3 * len(groups) + 0.4,
        height=0.155 * sum(counts) + 1.2,
        height_ratios=counts,
        sharey="row",
        sharex="col",
    )
    with matplotlib.rc_context(STYLE):
        for (row, column), ax in numpy.ndenumerate(axes):
            base, group = bases[row], groups[column]
            own = table[(table["base"] == base) & (table["group"] == group)].reset_index(drop=True)
            for y, entry in own.iterrows():
                whole = entry["factor"] == "everything"
                color = COLORS[bases[1 - row]] if whole else "0.25"
                over_datasets = entry["interval_over"] == "dataset"
                bounds = [value for value in entry[["low", "high"]] if math.isfinite(value) and over_datasets]
                ax.plot(bounds, [y] * len(bounds), color=color, linewidth=0.9)
                bounds = [value for value in entry[["seed_low", "seed_high"]] if math.isfinite(value)]
                ax.plot(bounds, [y] * len(bounds), color=color, linewidth=2.6, alpha=0.45, solid_capstyle="butt")
                ax.plot(entry["effect"], y, "D" if whole else "o", color=color, markersize=4.5 if whole else 3.6)
                if whole:
                    ax.axvline(entry["effect"], color=color, linewidth=5, alpha=0.15)
            ax.axvline(0, color="0.2", linewidth=0.8)
            ax.set_yticks(range(len(own)), own["change"])
            ax.set_ylim(len(own) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
            ax.set_title(f"{base} with one change: {group}", loc="left")
        for ax, group in zip(axes[-1], groups, strict=True):
            unit = table[table["group"] == group]["unit"].iloc[0]
            if unit != "points":
                _ratio_axis(ax)
            label = "change of accuracy (points)" if unit == "points" else "error with the change ÷ error without"
            ax.set_xlabel(f"{label}\n← worse     better →")
        handles = [Line2D([], [], color="0.25", linewidth=2.6, alpha=0.45, label="95 % over seeds")]
        if (table["interval_over"] == "dataset").any():
            handles.append(Line2D([], [], color="0.25", linewidth=0.9, label="95 % over datasets"))
        handles += [
            Line2D([], [], color=COLORS[m], marker="D", linestyle="", markersize=4.5, label=f"all at once: {m}")
            for m in ("KAN", "MLP")
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2 * len(groups))
    return figure


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
