"""Figures of the five domains: score against budget, verdicts, the paper's bars beside ours."""

import math
from collections.abc import Sequence

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kanbefair.report import outcomes, statistics, style
from kanbefair.report.decision import EQUIVALENT, UNDECIDED
from kanbefair.report.statistics import PAIR
from kanbefair.report.words import EQUAL, budgets_in_words, datasets_in_words, notes, short_gain
from kanbefair.training.outcome import AT_CHANCE

BUDGET_MARKERS = dict(zip(EQUAL, "osDPX^v", strict=True))
OVER = {"dataset": "over datasets", "seed": "over seeds, of these datasets only"}
"""What an interval is over; a dot is open where it is over seeds."""


@style.styled
def budgets(runs: pandas.DataFrame, kinds: Sequence[str] = statistics.BUDGETS) -> Figure:
    """Score of runs (`<domain>_runs`) against each budget, a row of panels per budget and a column per dataset: every run as
    a point, open where the run is at chance, and per model the envelope chosen within the budget (line: median over seeds,
    band: their range). The budgets that KAN and MLP are compared at are shaded. Runs that failed or have no score are only
    counted below."""
    datasets = list(dict.fromkeys(runs["dataset"]))
    figure, panels = _budget_panels(len(datasets), len(kinds))
    scored = statistics.scored(runs)
    for kind, line in zip(kinds, panels, strict=True):
        steps = statistics.envelope(runs, kind)
        for dataset, axes in zip(datasets, line, strict=True):
            own = scored[scored["dataset"] == dataset]
            _compared(axes, own, kind)
            for model in style.in_order(own["model"]):
                points = own[own["model"] == model]
                _points(axes, points, kind, model)
                of_model = steps[(steps["dataset"] == dataset) & (steps["model"] == model)]
                _envelope(axes, of_model, points[kind].max(), model)
            _budget_axes(axes, own, kind)
            if len(datasets) > 1 or kind == kinds[0]:
                axes.set_title(style.short(dataset))
    entries = [style.entry(model, *style.look(model), linestyle="-", markersize=4) for model in style.in_order(runs["model"])]
    style.legend(figure, [*entries, style.entry("budgets compared", "0.9", "s", markersize=7)], len(entries) + 1)
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


def _compared(axes: Axes, own: pandas.DataFrame, kind: str) -> None:
    """Shade the budgets that both models of the pair can meet; a line where it is one."""
    common = statistics.common_budgets(own.rename(columns={kind: "budget"})[["model", "budget"]])
    if common[0] < common[-1]:
        axes.axvspan(common[0], common[-1], color="0.93", linewidth=0, zorder=0)
    elif common[0] == common[-1]:
        axes.axvline(common[0], color="0.85", linewidth=2, zorder=0)


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
        low, top = own["score"].min(), own["score"].max()
        pad = 0.06 * (top - low) + 0.5
        axes.set_ylim(max(low - pad, -2), min(top + pad, 102))
    axes.set_xlabel(style.LABELS[kind])
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel(style.LABELS[metric])


def label_color(label: str) -> object:
    """The colour of a label: that of the model that is ahead, else a neutral one."""
    return style.NEUTRAL if label in (EQUIVALENT, UNDECIDED) else style.look(label).color


def gain_dots(axes: Axes, rows: pandas.DataFrame, heights: Sequence[float], markers: Sequence[str]) -> None:
    """Gains of one metric (rows of `statistics.verdict`) with their 95 % intervals, in the colours of their labels, open where
    the interval is over seeds; those of errors as ratios. Small strokes are the gains on each dataset, if several."""
    errors = rows["metric"].iloc[0] == "mae"
    values = style.closed(rows[["gain", "low", "high"]])
    values = 10.0**values if errors else values
    for (_, row), gain, bars, y, marker in zip(
        rows.iterrows(), values["gain"], style.whiskers(values).T, heights, markers, strict=True
    ):
        look = style.DOT | {"color": label_color(row["label"])}
        look |= {"markerfacecolor": "white"} if row["interval_over"] == "seed" else {}
        each = numpy.array(str(row["gains"]).split(), dtype=float)
        if len(each) > 1:
            axes.plot(10.0**each if errors else each, numpy.full(len(each), y), "|", color="0.55", markersize=5, zorder=1)
        axes.errorbar(gain, y, xerr=bars[:, None], fmt=marker, **look)


def over_entries(table: pandas.DataFrame) -> list[Line2D]:
    """The legend's entries of what the intervals of a table of verdicts are over."""
    faces = {"dataset": {}, "seed": {"markerfacecolor": "white"}}
    shown = style.in_order(table["interval_over"], OVER)
    entries = [style.entry(f"95 % {OVER[over]}", "0.3", linestyle="-", **faces[over]) for over in shown]
    several = table["datasets"].max() > 1
    return entries + ([style.entry("each dataset", "0.55", "|", markersize=6)] if several else [])


def gain_axis(axes: Axes, metric: str, labels: dict[str, str]) -> None:
    """The axis of gains in a metric: a line where neither model is better, and that one of the labels by metric."""
    axes.axvline(1 if metric == "mae" else 0, color="0.2", linewidth=0.8)
    if metric == "mae":
        style.ratio_axis(axes.xaxis)
    axes.set_xlabel(labels[metric])


@style.styled
def verdict(table: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> Figure:
    """Gain of the first of the pair over the second (`statistics.verdict`), with its 95 % interval.

    Accuracies stand above, errors below, a marker per budget. On the left are the datasets and what the interval is over, on
    the right the label, the mean gain, the range of budgets that it is the mean over, and the gain at its top.
    """
    first, second = pair
    metrics = style.in_order(table["metric"], ("accuracy", "mae"))
    rows = [table[table["metric"] == metric]["domain"].nunique() for metric in metrics]
    figure, panels = style.new_figure(len(metrics), 1, width=7.2, height=1.15 + 0.72 * sum(rows), height_ratios=rows)
    equal = style.in_order(table["budget"], EQUAL)
    labels = {
        "accuracy": f"accuracy of {first} − accuracy of {second}, points   (right of 0: {first} better)",
        "mae": f"error of {second} ÷ error of {first}   (right of 1×: {first} better)",
    }
    for axes, metric in zip(panels[:, 0], metrics, strict=True):
        own = table[table["metric"] == metric]
        domains = list(dict.fromkeys(own["domain"]))
        number = own.groupby("domain").cumcount() - (own.groupby("domain")["budget"].transform("size") - 1) / 2
        heights = own["domain"].map(domains.index) + 0.42 * number
        gain_dots(axes, own, heights, own["budget"].map(BUDGET_MARKERS))
        for (_, row), y in zip(own.iterrows(), heights, strict=True):
            drawn = {"color": label_color(row["label"]), "fontsize": 6.5, "annotation_clip": False}
            axes.annotate(_gain_text(row, pair), (1.01, y), xycoords=("axes fraction", "data"), va="center", **drawn)
        style.name_rows(axes, [_place(own[own["domain"] == domain].iloc[0]) for domain in domains], lines=True)
        gain_axis(axes, metric, labels)
    entries = [style.entry(EQUAL[name], "0.3", BUDGET_MARKERS[name]) for name in equal]
    figure.legend(handles=[*entries, *over_entries(table)], loc="outside upper left", ncols=3)
    style.note(figure, "\n".join(filter(None, [RIGHT, notes(table)])))
    return figure


RIGHT = (
    "On the right: the label, the mean gain, the budgets that it is the mean over, and KAN − MLP (errors: MLP's ÷ KAN's) "
    "at the highest of them."
)


def _place(row: pandas.Series) -> str:
    """The datasets of a row, its domain, and what the interval is over."""
    over = f"over {row['units']} {row['interval_over']}{'' if row['units'] == 1 else 's'}"
    named = datasets_in_words(row.to_dict()).split(", ")
    lines = [*named, f"({row['domain']})"] if row["interval_over"] == "seed" else [row["domain"], *named]
    return "\n".join([*lines, over])


def _gain_text(row: pandas.Series, pair: tuple[str, str]) -> str:
    if math.isnan(row["gain"]):
        return "nothing to compare"
    better = pair[0] if row["gain"] > 0 else pair[1]
    size = f"error {10 ** abs(row['gain']):.2g}× lower" if row["metric"] == "mae" else f"{abs(row['gain']):.1f} points ahead"
    said = f"{better} {size}" if row["label"] in pair else f"{row['label']} ({better} {size})"
    if not math.isfinite(row["low"]):
        said = f"no verdict ({better} {size})"
    budgets = budgets_in_words(row.to_dict()).removeprefix(EQUAL[row["budget"]])
    budgets = f"{budgets[budgets.rfind('from') :]}, " if "from" in budgets else ""
    top = short_gain(row["top"], row["metric"])
    return f"{said}\n{budgets}at the top {top}"


@style.styled
def beside(table: pandas.DataFrame) -> Figure:
    """Scores of models (`statistics.beside_published`), a column per domain and a row per source, each with an axis of its own
    as the sources' datasets differ; low and high are equal to the score where there is no interval."""
    domains = list(dict.fromkeys(table["domain"]))
    sources = list(dict.fromkeys(table["source"]))
    size = {"height": 1.55 * len(sources) + 0.4, "width": max(1.4 * len(domains), 3.0)}
    figure, panels = style.new_figure(len(sources), len(domains), **size)
    models = style.in_order(table["model"])
    for source, line in zip(sources, panels, strict=True):
        for domain, axes in zip(domains, line, strict=True):
            own = table[(table["domain"] == domain) & (table["source"] == source)]
            axes.set_visible(not own.empty)
            if not own.empty:
                _scores(axes, own, models)
                axes.set_title(f"{domain}, {source}")
    style.note(figure, "\n".join(filter(None, [BESIDE if len(sources) > 1 else "", _beside_note(table)])))
    return figure


BESIDE = "The sources' datasets differ: compare the order of the models and their distance, not the heights of two rows."


def _scores(axes: Axes, own: pandas.DataFrame, models: list[str]) -> None:
    """The scores of one domain in one source: accuracies on the whole scale, errors on a logarithmic one, with their values."""
    errors = own["metric"].iloc[0] == "mae"
    for x, model in enumerate(models):
        rows = own[own["model"] == model]
        color, marker = style.look(model)
        bars = style.whiskers(rows[["score", "low", "high"]])
        axes.errorbar([x] * len(rows), rows["score"], yerr=bars, fmt=marker, color=color, **(style.DOT | {"linewidth": 1}))
        for score in rows["score"].dropna():
            form = f"{score:.2g}" if errors else f"{score:.1f}"
            axes.annotate(form, (x, score), (6, 0), textcoords="offset points", va="center", fontsize=6.5, color=color)
    axes.set_xticks(range(len(models)), models)
    axes.set_xlim(-0.5, len(models) - 0.2)
    axes.grid(axis="x", visible=False)
    if errors:
        low, high = own["low"].min(), own["high"].max()
        axes.set_yscale("log")
        if low > 0:
            axes.set_ylim(low / 2, high * 2)
        style.error_axis(axes)
    else:
        axes.set_ylim(0, 102)
    axes.set_ylabel("mean |error|" if errors else "accuracy (%)")


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
