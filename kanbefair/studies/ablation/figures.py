"""Figures of the ablation: curves over a budget, effects of changes, learned splines."""

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kanbefair.report import outcomes, statistics, style
from kanbefair.studies.ablation.design import BASES, CURVES
from kanbefair.studies.ablation.effects import SURE

VARIANTS = {
    "KAN, identity shortcut": ("--", "D"),
    "KAN layers only": (":", "P"),
}
"""Line and marker of curves that share their family's colour with another."""
AXES = {
    "points": "change of accuracy (points)",
    "log10 error ratio": "error with the change ÷ error without",
}
"""Labels of the axis of effects by `findings.UNITS`."""
SEEDS = {"linewidth": 2.6, "alpha": 0.45, "solid_capstyle": "butt"}
DATASETS = {"linewidth": 0.9}


@style.styled
def curves(scores: pandas.DataFrame, tops: pandas.DataFrame) -> Figure:
    """Score against trainable values (`findings.scores`), a panel per dataset and a line per variant: mean over seeds with
    its 95 % interval, errors as geometric means; the paper's `tops` as short lines on the right where it has them."""
    datasets = list(dict.fromkeys(scores["dataset"]))
    columns = min(4, len(datasets))
    figure, panels = style.wrapped(len(datasets), columns, width=max(1.78 * columns, 4.2))
    before = None
    for place, (axes, dataset) in enumerate(zip(panels, datasets, strict=True)):
        own = scores[scores["dataset"] == dataset]
        metric = own["metric"].iloc[0]
        for variant in [name for name in CURVES if name in set(own["variant"])]:
            _curve(axes, own[own["variant"] == variant], variant, metric)
        top = tops[tops["dataset"] == dataset].drop(columns="dataset")
        for model, values in top.items():
            for value in values:
                axes.axhline(value, xmin=0.85, color=style.look(model).color, linewidth=1.6)
        _curve_axes(axes, own, metric)
        axes.set_title(style.short(dataset))
        if place % columns == 0 or metric != before:
            axes.set_ylabel(style.LABELS[metric])
        before = metric
    style.legend(figure, panels[0].get_legend_handles_labels()[0], min(3, columns))
    said = [_lost(scores[scores["variant"].isin(CURVES)])]
    if not set(tops["dataset"]) & set(datasets):
        said.append(f"The paper's tops are of {', '.join(dict.fromkeys(tops['dataset']))}, which are not among these datasets.")
    style.note(figure, "\n".join(filter(None, said)))
    return figure


def _lost(scores: pandas.DataFrame) -> str:
    """How many of the chosen runs diverged or are at chance, and how many runs have no score."""
    said = outcomes.words(scores, "variant")
    lines = [f"Of the chosen runs: {said}."] if said else []
    if lost := scores["lost"].sum():
        lines.append(f"Left out, as they have no score: {lost} runs.")
    return "\n".join(lines)


def _curve(axes: Axes, rows: pandas.DataFrame, variant: str, metric: str) -> None:
    family = CURVES[variant]["model"]
    color, plain = style.look(family)
    line, marker = VARIANTS.get(variant, ("-", plain))
    sizes = rows.assign(score=numpy.log10(rows["score"]) if metric == "mae" else rows["score"]).groupby("size")
    y = style.closed(pandas.DataFrame([statistics.interval(own) for _, own in sizes["score"]]))
    y = 10.0**y if metric == "mae" else y.clip(upper=100)
    axes.errorbar(
        sizes["live_parameters"].mean(),
        y[0],
        yerr=style.whiskers(y),
        fmt=marker,
        linestyle=line,
        color=color,
        markersize=3,
        linewidth=1,
        elinewidth=0.6,
        capsize=0,
        label=variant,
    )


def _curve_axes(axes: Axes, own: pandas.DataFrame, metric: str) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("trainable values")
    low, high = own["live_parameters"].min(), own["live_parameters"].max()
    # sizes of one budget differ by little, and shall not look far apart
    axes.set_xlim(min(low / 1.15, high / 2), max(high * 1.15, low * 2))
    if metric == "mae":
        style.error_axis(axes)
    else:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0), min(high, 100.5))
    budgets = own[own["variant"] == BASES["KAN"]].groupby("size")["live_parameters"].mean()
    axes.set_xticks(budgets, [_count(value) for value in budgets])
    axes.xaxis.minorticks_off()


def _count(value: float) -> str:
    return f"{value / 1000:.2g}k" if value >= 1000 else f"{value:.0f}"


@style.styled
def effects(table: pandas.DataFrame) -> Figure:
    """Effect of each change (`findings.effects`), a column of panels per group of datasets and a row per base: point, 95 %
    interval over datasets (thin, where there are enough of them) and over seeds (thick); a point is filled where the effect
    is sure when all single changes are tested together (Holm); the shaded line marks the other base. Effects on errors are
    ratios, on an axis that runs from large to small: right is better everywhere."""
    groups = list(dict.fromkeys(table["group"]))
    bases = style.in_order(table["base"], BASES)
    counts = [table[table["base"] == base]["change"].nunique() for base in bases]
    size = {"width": 3.3 * len(groups) + 0.4, "height": 0.155 * sum(counts) + 1.2, "height_ratios": counts}
    figure, panels = style.new_figure(len(bases), len(groups), **size, sharey="row", sharex="col")
    for group, column in zip(groups, panels.T, strict=True):
        own = table[table["group"] == group]
        errors = own["unit"].iloc[0] != "points"
        for base, axes in zip(bases, column, strict=True):
            _effects_panel(axes, own[own["base"] == base].reset_index(drop=True), errors)
            axes.set_title(f"{base} with one change: {group}", loc="left")
        if errors:
            style.ratio_axis(column[-1].xaxis)
            column[-1].invert_xaxis()
        column[-1].set_xlabel(f"{AXES[own['unit'].iloc[0]]}\n← worse     better →")
    style.legend(figure, _effects_entries(table), 3)
    noted = table.dropna(subset="remark")
    if len(noted):
        said = ", ".join(f"{row.base}: {row.change} ({row.group})" for row in noted.itertuples())
        style.note(figure, f"With runs that are at chance or have no score (table, column remark): {said}.")
    return figure


def _effects_panel(axes: Axes, own: pandas.DataFrame, errors: bool) -> None:
    values = style.closed(own[["effect", "low", "high", "seed_low", "seed_high"]])
    values = 10.0**-values if errors else values
    for y, (effect, low, high, seed_low, seed_high) in enumerate(values.to_numpy()):
        whole = own["factor"][y] == "everything"
        color = style.look(own["change"][y]).color if whole else "0.25"
        if own["interval_over"][y] == "dataset":
            axes.plot([low, high], [y, y], color=color, **DATASETS)
        axes.plot([seed_low, seed_high], [y, y], color=color, **SEEDS)
        face = color if whole or own["holm"][y] < SURE else "white"
        axes.plot(effect, y, "D" if whole else "o", color=color, markerfacecolor=face, markersize=4.5 if whole else 3.6)
        if whole:
            axes.axvline(effect, color=color, linewidth=5, alpha=0.15)
    axes.axvline(1 if errors else 0, color="0.2", linewidth=0.8)
    style.name_rows(axes, list(own["change"]))


def _effects_entries(table: pandas.DataFrame) -> list[Line2D]:
    entries = [style.entry("95 % over seeds", "0.25", "", linestyle="-", **SEEDS)]
    if (table["interval_over"] == "dataset").any():
        entries.append(style.entry("95 % over datasets", "0.25", "", linestyle="-", **DATASETS))
    entries.append(style.entry("sure (Holm, all single changes)", "0.25", markersize=3.6))
    whole = style.in_order(table[table["factor"] == "everything"]["change"])
    return entries + [style.entry(f"all at once: {model}", style.look(model).color, "D") for model in whole]


SHOWN = "Grey: nine of ten inputs of the layer. Drawn are the activations of a layer that vary most, as many as its title says."


@style.styled
def splines(table: pandas.DataFrame) -> Figure:
    """Learned activations (`findings.read`), a row per dataset and model, a column per layer. The grey band holds nine of ten
    inputs of the layer."""
    rows = list(table.groupby(["dataset", "model"], sort=False))
    layers = int(table["layer"].max())
    figure, panels = style.new_figure(len(rows), layers, width=2.3 * layers, height=1.35 * len(rows) + 0.3)
    for line, ((dataset, model), own) in zip(panels, rows, strict=True):
        for number, axes in enumerate(line, start=1):
            layer = own[own["layer"] == number]
            axes.set_visible(not layer.empty)
            if not layer.empty:
                _splines_panel(axes, layer, model)
        line[0].set_ylabel(f"{style.short(dataset)}\n{model}")
        for axes in line:
            axes.set_xlabel("input of the activation")
    style.note(figure, SHOWN)
    figure.supylabel("output of the activation", fontsize=8)
    return figure


def _splines_panel(axes: Axes, layer: pandas.DataFrame, model: str) -> None:
    first = layer.iloc[0]
    ends = layer["x"].min(), layer["x"].max()
    axes.axvspan(*numpy.clip(first[["low", "high"]].astype(float), *ends), color="0.92", linewidth=0)
    for _, curve in layer.groupby("edge"):
        axes.plot(curve["x"], curve["y"], color=style.look(model).color, linewidth=0.8, alpha=0.75)
    axes.set_xlim(ends)
    shown, count = layer["edge"].nunique(), first["count"]
    kind = "edges" if model == "KAN" else "units"
    axes.set_title(f"layer {first['layer']}: {f'{shown} of ' if shown < count else ''}{count} {kind}")
