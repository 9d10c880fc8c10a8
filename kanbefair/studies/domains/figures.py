"""Figures of the five domains: score against budget, verdicts, counts."""

import math

import matplotlib
import numpy
import pandas
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kanbefair.report import statistics
from kanbefair.report.style import COLORS, LABELS, MARKERS, PANEL, STYLE, _error_axis, multiples, new_figure, plain_log, short


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


def _gain_text(row: pandas.Series) -> str:
    better = "KAN" if row["gain"] > 0 else "MLP"
    size = f"error {10 ** abs(row['gain']):.2g}× lower" if row["metric"] == "mae" else f"{abs(row['gain']):.1f} points ahead"
    return f"tie ({better} {size})" if row["winner"] == "tie" else f"{better} wins, {size}"


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
