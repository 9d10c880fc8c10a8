"""Figures of the five domains: score against budget, verdicts, the paper's bars beside ours."""

import math
from collections.abc import Sequence

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kanbefair.report import outcomes, statistics, style
from kanbefair.report.statistics import PAIR
from kanbefair.report.words import EQUAL, datasets_in_words, notes
from kanbefair.training.outcome import AT_CHANCE

BUDGET_MARKERS = dict(zip(EQUAL, "oD^v", strict=True))


@style.styled
def budgets(runs: pandas.DataFrame, kinds: Sequence[str] = statistics.BUDGETS) -> Figure:
    """Score of runs (`<domain>_runs`) against each budget, a row of panels per budget and a column per dataset: every run as
    a point, open where the run is at chance, and per model the envelope chosen within the budget (line: median over seeds,
    band: their range). Runs that failed or have no score are only counted below."""
    datasets = list(dict.fromkeys(runs["dataset"]))
    figure, panels = _budget_panels(len(datasets), len(kinds))
    scored = statistics.scored(runs)
    for kind, line in zip(kinds, panels, strict=True):
        steps = statistics.envelope(runs, kind)
        for dataset, axes in zip(datasets, line, strict=True):
            own = scored[scored["dataset"] == dataset]
            for model in style.in_order(own["model"]):
                points = own[own["model"] == model]
                _points(axes, points, kind, model)
                of_model = steps[(steps["dataset"] == dataset) & (steps["model"] == model)]
                _envelope(axes, of_model, points[kind].max(), model)
            _budget_axes(axes, own, kind)
            axes.set_title(style.short(dataset))
    entries = [style.entry(model, *style.look(model), linestyle="-", markersize=4) for model in style.in_order(runs["model"])]
    style.legend(figure, entries, len(entries))
    style.note(figure, outcomes.noted(runs))
    return figure


def _budget_panels(datasets: int, kinds: int) -> tuple[Figure, numpy.ndarray]:
    """A figure and its axes (kinds, datasets): at most five datasets side by side; one dataset has its kinds side by side."""
    if datasets == 1:
        figure, axes = style.new_figure(1, kinds)
        return figure, axes.T
    columns = min(datasets, 5)
    lines = math.ceil(datasets / columns)
    width = style.PANEL[0] * columns * (0.72 if columns > 3 else 1)
    figure, axes = style.new_figure(lines * kinds, columns, width=max(width, 5.0))
    axes = axes.reshape(kinds, lines * columns)
    for unused in axes[:, datasets:].flat:
        unused.set_visible(False)
    return figure, axes[:, :datasets]


OPEN = style.HOLLOW | {"markersize": 2.6, "markeredgewidth": 0.6, "alpha": 0.7}
"""The point of a run that is at chance."""


def _points(axes: Axes, points: pandas.DataFrame, kind: str, model: str) -> None:
    color, marker = style.look(model)
    how = {"color": color, "alpha": 0.28, "rasterized": len(points) > 2000}
    chance = points["outcome"] == AT_CHANCE if "outcome" in points else numpy.zeros(len(points), dtype=bool)
    for own, look in ((points[~chance], {"markersize": 2.2, "markeredgewidth": 0}), (points[chance], OPEN)):
        if len(own):
            axes.plot(own[kind], own["score"], marker, **how | look)


def _envelope(axes: Axes, steps: pandas.DataFrame, largest: float, model: str) -> None:
    """The median over seeds of the envelopes, and their range, up to the largest network."""
    seeds = [own for _, own in steps.groupby("seed")]
    if not seeds:
        return
    low = max(own["budget"].min() for own in seeds)
    budgets = numpy.unique(numpy.append(steps["budget"][steps["budget"] >= low], [low, largest]))
    scores = numpy.array([statistics.at(own, budgets) for own in seeds])
    color = style.look(model).color
    axes.fill_between(budgets, scores.min(0), scores.max(0), step="post", color=color, alpha=0.2, linewidth=0)
    axes.step(budgets, numpy.median(scores, axis=0), where="post", color=color, label=model)


def _budget_axes(axes: Axes, own: pandas.DataFrame, kind: str) -> None:
    metric = own["metric"].iloc[0]
    axes.set_xscale("log")
    if kind.endswith("_seconds"):
        style.log_axis(axes.xaxis)
    if own["score"].isna().all():
        axes.set_yticks([])
    elif metric == "mae":
        style.error_axis(axes)
    else:
        low, top = own["score"].quantile(0.1), own["score"].max()
        axes.set_ylim(max(low - 2, 0), min(top + 0.08 * (top - low) + 0.5, 100.5))
    axes.set_xlabel(style.LABELS[kind])
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel(style.LABELS[metric])


def winner_color(winner: str) -> object:
    """The colour of a verdict."""
    return style.NEUTRAL if winner == "tie" else style.look(winner).color


def gain_dots(axes: Axes, rows: pandas.DataFrame, heights: Sequence[float], markers: Sequence[str]) -> None:
    """Gains of one metric (rows of `statistics.verdict`) with their 95 % intervals, in the colours of their winners; those of
    errors as ratios."""
    values = style.closed(rows[["gain", "low", "high"]])
    values = 10.0**values if rows["metric"].iloc[0] == "mae" else values
    for gain, bars, y, marker, winner in zip(
        values["gain"], style.whiskers(values).T, heights, markers, rows["winner"], strict=True
    ):
        axes.errorbar(gain, y, xerr=bars[:, None], fmt=marker, color=winner_color(winner), **style.DOT)


def gain_axis(axes: Axes, metric: str, labels: dict[str, str]) -> None:
    """The axis of gains in a metric: a line where neither model is better, and that one of the labels by metric."""
    axes.axvline(1 if metric == "mae" else 0, color="0.2", linewidth=0.8)
    if metric == "mae":
        style.ratio_axis(axes.xaxis)
    axes.set_xlabel(labels[metric])


@style.styled
def verdict(table: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> Figure:
    """Gain of the first of the pair over the second per domain (`statistics.verdict`), with its 95 % interval.

    Accuracies stand above, errors below, a marker per budget. The text says who is ahead; beside the domain stand its
    datasets and what the interval is over.
    """
    first, second = pair
    metrics = style.in_order(table["metric"], ("accuracy", "mae"))
    rows = [table[table["metric"] == metric]["domain"].nunique() for metric in metrics]
    figure, panels = style.new_figure(len(metrics), 1, width=6.4, height=0.95 + 0.66 * sum(rows), height_ratios=rows)
    equal = style.in_order(table["budget"], EQUAL)
    labels = {
        "accuracy": f"accuracy of {first} − accuracy of {second}, points   (right of 0: {first} better)",
        "mae": f"error of {second} ÷ error of {first}   (right of 1×: {first} better)",
    }
    for axes, metric in zip(panels[:, 0], metrics, strict=True):
        own = table[table["metric"] == metric]
        domains = list(dict.fromkeys(own["domain"]))
        shifts = own["budget"].map(equal.index) - (len(equal) - 1) / 2
        heights = own["domain"].map(domains.index) + 0.34 * shifts
        gain_dots(axes, own, heights, own["budget"].map(BUDGET_MARKERS))
        for (_, row), y in zip(own.iterrows(), heights, strict=True):
            drawn = {"color": winner_color(row["winner"]), "fontsize": 7, "annotation_clip": False}
            axes.annotate(_gain_text(row, pair), (1.01, y), xycoords=("axes fraction", "data"), va="center", **drawn)
        style.name_rows(axes, [_place(own[own["domain"] == domain].iloc[0]) for domain in domains])
        gain_axis(axes, metric, labels)
    entries = [style.entry(EQUAL[name], "0.3", BUDGET_MARKERS[name]) for name in equal]
    figure.legend(handles=entries, loc="outside upper left", ncols=len(entries))
    style.note(figure, notes(table))
    return figure


def _place(row: pandas.Series) -> str:
    """A domain with its datasets, a line each, and what the interval is over."""
    over = f"over {row['units']} {row['interval_over']}s"
    return "\n".join([row["domain"], *datasets_in_words(row.to_dict()).split(", "), over])


def _gain_text(row: pandas.Series, pair: tuple[str, str]) -> str:
    if math.isnan(row["gain"]):
        return "nothing to compare"
    better = pair[0] if row["gain"] > 0 else pair[1]
    size = f"error {10 ** abs(row['gain']):.2g}× lower" if row["metric"] == "mae" else f"{abs(row['gain']):.1f} points ahead"
    if not math.isfinite(row["low"]):
        return f"no verdict ({better} {size})"
    return f"no difference shown\n({better} {size})" if row["winner"] == "tie" else f"{better} {size}"


@style.styled
def beside(table: pandas.DataFrame) -> Figure:
    """Scores of models in several sources side by side (`statistics.beside_published`), a panel per domain, with intervals;
    low and high are equal to the score where there is none."""
    domains = list(dict.fromkeys(table["domain"]))
    figure, panels = style.new_figure(1, len(domains), height=2.2, width=max(1.4 * len(domains), 3.0))
    models = style.in_order(table["model"])
    for axes, domain in zip(panels[0], domains, strict=True):
        own = table[table["domain"] == domain]
        sources = list(dict.fromkeys(own["source"]))
        for number, model in enumerate(models):
            rows = own[own["model"] == model]
            x = rows["source"].map(sources.index) + 0.24 * (number - (len(models) - 1) / 2)
            bars = style.whiskers(rows[["score", "low", "high"]])
            color, marker = style.look(model)
            axes.errorbar(x, rows["score"], yerr=bars, fmt=marker, color=color, label=model, **(style.DOT | {"linewidth": 1}))
        axes.set_xticks(range(len(sources)), sources)
        axes.set_xlim(-0.6, len(sources) - 0.4)
        axes.set_title(domain)
        axes.grid(axis="x", visible=False)
        errors = own["metric"].iloc[0] == "mae"
        if errors:
            style.error_axis(axes)
        axes.set_ylabel("mean |error|" if errors else "accuracy (%)")
    style.legend(figure, [style.entry(model, *style.look(model)) for model in models], len(models))
    style.note(figure, _beside_note(table))
    return figure


def _beside_note(table: pandas.DataFrame) -> str:
    """Of how many pairs of dataset and seed the best run is at chance, and of how many there is no score."""
    lines = []
    for column, words in (
        ("at_chance", "Best runs that are at chance"),
        ("no_score", "Pairs of dataset and seed without a score"),
    ):
        own = table[table[column] > 0] if column in table else table[:0]
        if len(own):
            said = (f"{row.model} on {row.domain} {getattr(row, column):.0f}" for row in own.itertuples())
            lines.append(f"{words}: {', '.join(said)}.")
    return "\n".join(lines)
