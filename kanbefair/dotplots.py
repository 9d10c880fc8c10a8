"""Figures of estimates with their intervals: curves over a budget, effects of changes, strategies and switches.

Like those of `plots`, the functions take tables read back from their CSV and return a matplotlib figure.
"""

import math

import matplotlib
import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kanbefair.report import statistics
from kanbefair.report.style import COLORS, LABELS, PALETTE, STYLE, new_figure, short

CURVE_STYLES = {
    "KAN, silu shortcut": ("KAN", "-", "o"),
    "KAN, identity shortcut": ("KAN", "--", "D"),
    "KAN layers only": ("KAN", ":", "P"),
    "MLP": ("MLP", "-", "s"),
    "BSpline_MLP": ("BSpline_MLP", "-", "^"),
    "BSpline_First_MLP": ("BSpline_First_MLP", "-", "v"),
}
"""Colour, line and marker of the curves of `ablation.CURVES`."""


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
    """Average after the last task by strategy (`retention.summary`), a panel per stream, with 95 % intervals over seeds."""
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
    """What is left after the last task against what was just learned (`retention.plasticity`), a point per learning rate; on
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
    """Error on the peaks per network and optimiser (`retention.summary` of the peaks), a panel per dataset: just learned
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
