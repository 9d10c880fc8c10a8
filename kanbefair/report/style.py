"""Every figure of the package: one style, one function per kind of figure, and `save`.

The functions take tables as `stats` and `sweep` make them (read back from their CSV) and return a matplotlib figure.
"""

import math

import matplotlib
import numpy
import pandas
import seaborn
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kanbefair.report import statistics
from kanbefair.report.tables import Outputs

PALETTE = seaborn.color_palette("colorblind")
COLORS = {
    "KAN": PALETTE[3],
    "MLP": PALETTE[0],
    "BSpline_MLP": PALETTE[2],
    "BSpline_First_MLP": PALETTE[1],
}
MARKERS = {"KAN": "o", "MLP": "s", "BSpline_MLP": "^", "BSpline_First_MLP": "v"}
LABELS = {
    "parameters": "parameters",
    "flops": "FLOPs per input",
    "live_parameters": "trainable values with embedding",
    "flops_shared": "FLOPs, bases shared",
    "flops_local": "FLOPs, non-zero bases only",
    "stack_seconds": "seconds of a run, in a stack",
    "alone_seconds": "seconds of a run, alone",
    "accuracy": "test accuracy (%)",
    "mae": "test mean |error|",
}
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


def new_figure(rows: int, columns: int, width: float | None = None, height: float | None = None, **options) -> tuple:
    """A figure in the package's style and its axes (rows, columns); width and height in inches."""
    with matplotlib.rc_context(STYLE):
        size = (width or PANEL[0] * columns, height or PANEL[1] * rows)
        return pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)


def save(figure: Figure, outputs: Outputs, name: str) -> Figure:
    """Write `figures/<profile>/<name>.pdf` and `.png`, without dates, so that equal figures are equal files."""
    with matplotlib.rc_context(STYLE):
        figure.savefig(outputs.figures / f"{name}.pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
        figure.savefig(outputs.figures / f"{name}.png", metadata={"Software": None})
    pyplot.close(figure)
    return figure


def short(dataset: str) -> str:
    """A dataset's name as a panel's title."""
    return dataset.removeprefix("Special_").replace("_", " ")


def _envelope_band(axes: Axes, steps: pandas.DataFrame, model: str, largest: float) -> None:
    """The median over seeds of the envelopes, and their range, up to the largest network."""
    seeds = [own for _, own in steps.groupby("seed")]
    low = max(own["budget"].min() for own in seeds)
    budgets = numpy.unique(numpy.append(steps["budget"][steps["budget"] >= low], [low, largest]))
    scores = numpy.array([statistics.at(own, budgets) for own in seeds])
    axes.fill_between(budgets, scores.min(0), scores.max(0), step="post", color=COLORS[model], alpha=0.2, linewidth=0)
    axes.step(budgets, numpy.median(scores, axis=0), where="post", color=COLORS[model], label=model)


def budgets(runs: pandas.DataFrame, kinds: tuple[str, ...] = statistics.BUDGETS) -> Figure:
    """Score against each budget, a row of panels per budget kind and a column per dataset: every run as a point, and per
    model the envelope chosen within the budget (line: median over seeds, band: their range)."""
    datasets = list(dict.fromkeys(runs["dataset"]))
    wrap = min(len(datasets), 5)
    lines = math.ceil(len(datasets) / wrap)
    figure, panels = new_figure(lines * len(kinds), wrap, width=max(PANEL[0] * wrap * (0.72 if wrap > 3 else 1), 5.0))
    if len(datasets) == 1:
        pyplot.close(figure)
        figure, panels = new_figure(1, len(kinds))
        panels = panels.T
    scored = statistics.scored(runs)
    models = sorted(set(runs["model"]), key=list(COLORS).index)
    with matplotlib.rc_context(STYLE):
        for k, kind in enumerate(kinds):
            steps = statistics.envelope(runs, kind)
            for i in range(lines * wrap):
                axes = panels[k * lines + i // wrap, i % wrap]
                if i >= len(datasets):
                    axes.set_visible(False)
                    continue
                own = scored[scored["dataset"] == datasets[i]]
                for model in models:
                    points = own[own["model"] == model]
                    axes.plot(
                        points[kind],
                        points["score"],
                        MARKERS[model],
                        color=COLORS[model],
                        markersize=2.2,
                        alpha=0.28,
                        markeredgewidth=0,
                        rasterized=len(points) > 2000,
                    )
                    own_steps = steps[(steps["dataset"] == datasets[i]) & (steps["model"] == model)]
                    _envelope_band(axes, own_steps, model, points[kind].max())
                _budget_axes(axes, own, kind, datasets[i], first=i % wrap == 0)
        handles = [matplotlib.lines.Line2D([], [], color=COLORS[m], marker=MARKERS[m], markersize=4, label=m) for m in models]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(models), fontsize=8)
    return figure


def _budget_axes(axes: Axes, own: pandas.DataFrame, kind: str, dataset: str, *, first: bool) -> None:
    metric = own["metric"].iloc[0]
    axes.set_xscale("log")
    if kind.endswith("_seconds"):
        plain_log(axes.xaxis)
    if metric == "mae":
        _error_axis(axes)
    else:
        top = own["score"].max()
        axes.set_ylim(max(own["score"].quantile(0.1) - 2, 0), min(top + 0.08 * (top - own["score"].quantile(0.1)) + 0.5, 100.5))
    axes.set_title(short(dataset))
    axes.set_xlabel(LABELS[kind])
    if first:
        axes.set_ylabel(LABELS[metric])


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis in plain numbers, at 1, 2 and 5 of each decade where it spans few of them."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 30 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _error_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    plain_log(axes.yaxis)


def _gain_text(row: pandas.Series) -> str:
    better = "KAN" if row["gain"] > 0 else "MLP"
    size = f"error {10 ** abs(row['gain']):.2g}× lower" if row["metric"] == "mae" else f"{abs(row['gain']):.1f} points ahead"
    return f"tie ({better} {size})" if row["winner"] == "tie" else f"{better} wins, {size}"


def multiples(axes: Axes) -> None:
    """Label an axis of decimal logarithms with what they are the logarithms of: 1×, 2×, 5×, …"""
    ends = axes.get_xlim()
    ticks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5)]
    ticks = [tick for tick in ticks if ends[0] <= math.log10(tick) <= ends[1]]
    axes.set_xticks([math.log10(tick) for tick in ticks], [f"{tick:g}×" for tick in ticks])


def verdict(table: pandas.DataFrame) -> Figure:
    """Gain of KAN over MLP per domain with its 95 % interval, accuracies on the left, errors on the right; the text names
    the winner at equal parameters and at equal FLOPs."""
    with matplotlib.rc_context(STYLE):
        kinds = [metric for metric in ("accuracy", "mae") if (table["metric"] == metric).any()]
        rows = [table[table["metric"] == metric]["domain"].nunique() for metric in kinds]
        figure, panels = new_figure(len(kinds), 1, width=6.4, height=0.95 + 0.62 * sum(rows), height_ratios=rows)
        styles = {"parameters": ("o", 0.17, "equal parameters"), "flops": ("D", -0.17, "equal FLOPs")}
        for axes, metric in zip(panels[:, 0], kinds, strict=True):
            own = table[table["metric"] == metric]
            domains = list(dict.fromkeys(own["domain"]))[::-1]
            for _, row in own.iterrows():
                marker, shift, _ = styles[row["budget"]]
                y = domains.index(row["domain"]) + shift
                color = COLORS.get(row["winner"], "0.4")
                bar = [[row["gain"] - row["low"]], [row["high"] - row["gain"]]]
                axes.errorbar(row["gain"], y, xerr=bar, fmt=marker, color=color, markersize=4.5, capsize=2.5, linewidth=1.2)
                axes.annotate(
                    _gain_text(row),
                    (1.01, y),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    color=color,
                    fontsize=7,
                    annotation_clip=False,
                )
            axes.axvline(0, color="0.2", linewidth=0.8)
            axes.set_yticks(range(len(domains)), domains)
            axes.set_ylim(-0.5, len(domains) - 0.5)
            axes.grid(axis="y", visible=False)
            if metric == "mae":
                multiples(axes)
                axes.set_xlabel("error of MLP ÷ error of KAN   (right of 1×: KAN better)")
            else:
                axes.set_xlabel("accuracy of KAN − accuracy of MLP, points   (right of 0: KAN better)")
        handles = [
            matplotlib.lines.Line2D([], [], color="0.3", marker=marker, linestyle="", markersize=4.5, label=label)
            for marker, _, label in styles.values()
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=2)
    return figure


def beside(table: pandas.DataFrame) -> Figure:
    """Scores of KAN and MLP in two sources side by side, a panel per domain; columns domain, source, model, metric, score,
    low and high (an interval; equal to the score where there is none)."""
    domains = list(dict.fromkeys(table["domain"]))
    figure, panels = new_figure(1, len(domains), height=2.2, width=max(1.4 * len(domains), 3.0))
    with matplotlib.rc_context(STYLE):
        for axes, domain in zip(panels[0], domains, strict=True):
            own = table[table["domain"] == domain]
            sources = list(dict.fromkeys(own["source"]))
            for m, model in enumerate(("KAN", "MLP")):
                points = own[own["model"] == model].set_index("source").loc[sources]
                error = [points["score"] - points["low"], points["high"] - points["score"]]
                axes.errorbar(
                    numpy.arange(len(sources)) + 0.24 * (m - 0.5),
                    points["score"],
                    yerr=error,
                    fmt=MARKERS[model],
                    color=COLORS[model],
                    label=model,
                    markersize=5,
                    capsize=2,
                    linewidth=1,
                )
            axes.set_xticks(range(len(sources)), sources)
            axes.set_xlim(-0.6, len(sources) - 0.4)
            axes.set_title(domain)
            axes.grid(axis="x", visible=False)
            error_metric = own["metric"].iloc[0] == "mae"
            if error_metric:
                _error_axis(axes)
            axes.set_ylabel("mean |error|" if error_metric else "accuracy (%)")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def counting(table: pandas.DataFrame) -> Figure:
    """FLOPs by definition for networks of equal paper parameters (columns parameters, model, flops, flops_shared,
    flops_local), and KAN over MLP for each definition."""
    figure, panels = new_figure(1, 2, width=6.4, height=2.5)
    lines = {"flops": "-", "flops_shared": "--", "flops_local": ":"}
    with matplotlib.rc_context(STYLE):
        for model, own in table.groupby("model"):
            own = own.sort_values("parameters")
            for kind, line in lines.items():
                if model == "KAN" or kind == "flops":
                    label = f"{model}: {LABELS[kind]}" if model == "KAN" else "MLP"
                    panels[0, 0].plot(own["parameters"], own[kind], line, color=COLORS[model], label=label)
        panels[0, 0].set(xscale="log", yscale="log", xlabel="parameters (paper's formula)", ylabel="FLOPs per input")
        panels[0, 0].legend()
        wide = table.pivot_table(index="budget", columns="model", values=list(lines))
        for kind, line in lines.items():
            ratio = wide[kind]["KAN"] / wide[kind]["MLP"]
            panels[0, 1].plot(ratio.index, ratio, line, color="0.2", label=LABELS[kind])
        panels[0, 1].axhline(1, color="0.6", linewidth=0.8)
        panels[0, 1].set(
            xscale="log", yscale="log", xlabel="parameters (paper's formula)", ylabel="FLOPs of KAN ÷ FLOPs of MLP"
        )
        panels[0, 1].legend()
    return figure


AGREEMENT = {
    "points": ("difference of at most … points", 0.005, 10),
    "ratio": ("relative difference of at most …", 1e-5, 10),
}


def agreement(pairs: pandas.DataFrame) -> Figure:
    """How near two columns of metrics come, as the share of pairs whose difference is at most x: a panel per domain, accuracies
    in points, errors relative to each other; a colour per model, a kind of line per entry of the column `pair`. What is nearer
    than the panel shows, as equal figures are, stands at its left edge."""
    domains = list(dict.fromkeys(pairs["domain"]))
    lines = dict(zip(dict.fromkeys(pairs["pair"]), ("-", "--", ":"), strict=False))
    figure, axes = new_figure(1, len(domains), width=2.6 * len(domains), height=3.0, sharey=True)
    with matplotlib.rc_context(STYLE):
        for ax, domain in zip(axes[0], domains, strict=True):
            here = pairs[pairs["domain"] == domain]
            column = "points" if here["points"].notna().any() else "ratio"
            label, low, high = AGREEMENT[column]
            for (model, pair), own in here.groupby(["model", "pair"], sort=False):
                off = own[column].abs() if column == "points" else (own[column] - 1).abs()
                x = numpy.sort(off.fillna(high).clip(low, high))
                share = 100 * numpy.arange(1, len(x) + 1) / len(x)
                x, share = numpy.append(x, high), numpy.append(share, 100)
                style = {"color": COLORS[model], "linestyle": lines[pair]}
                ax.step(x, share, where="post", label=f"{model}, {pair} ({len(own):,})", **style)
            ax.set(xscale="log", xlabel=label, ylim=(0, 102), xlim=(low, high), title=domain)
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1))
        axes[0, 0].set_ylabel("share of pairs (%)")
    return figure
