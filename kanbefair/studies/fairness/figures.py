"""Figures of the fair study. Each draws what its table has, and says so where that is nothing yet."""

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kanbefair.report import style
from kanbefair.report.decision import EQUIVALENT, UNDECIDED
from kanbefair.studies.domains.figures import label_color
from kanbefair.studies.fairness.answer import KINDS, counted
from kanbefair.studies.fairness.datasets import DATASETS, DOMAINS
from kanbefair.studies.fairness.design import PAIR
from kanbefair.studies.fairness.inference import ERROR_RATE

MARKERS = {"values": "o", "flops": "D"}
"""The marker of each kind of budget."""
SIZES = {"values": "values trained", "flops": "FLOPs executed"}
SHORT = {"values": "values", "flops": "FLOPs"}
METRICS = ("accuracy", "mae")
BAND = {"color": "0.9", "linewidth": 0, "zorder": 0}


@style.styled
def verdict(domains: pandas.DataFrame, datasets: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> Figure:
    """The differences of a pair (`fairness_domains`, `fairness_by_dataset`), accuracies above and errors below.

    A row is a domain, with the interval that decides its label and a dot for each of its sources, or a dataset of what does not
    speak as a domain. The band is the margin; on the right stand the label, the difference, and what the interval is over.
    """
    domains, datasets = _of(domains, pair), _of(datasets, pair)
    alone = datasets[~datasets["domain"].isin(domains["domain"])]
    decided = domains.assign(row=domains["domain"], low=domains["holm_low"], high=domains["holm_high"])
    decided["over"] = [f"{sources} of {of} sources" for sources, of in zip(domains["sources"], domains["planned"], strict=True)]
    parts = [part for part in (decided, alone.assign(row=alone["dataset"], over="this dataset")) if len(part)]
    if not parts:
        return _nothing()
    rows = pandas.concat(parts).sort_values("domain", key=lambda names: names.map(DOMAINS.index), kind="stable")
    metrics = style.in_order(rows["metric"], METRICS)
    counts = [rows.loc[rows["metric"] == metric, "row"].nunique() for metric in metrics]
    figure, panels = style.new_figure(len(metrics), 1, width=7.2, height=1.3 + 0.42 * sum(counts), height_ratios=counts)
    places = _places(rows["budget_kind"])
    for axes, metric in zip(panels[:, 0], metrics, strict=True):
        own = rows[rows["metric"] == metric]
        names = list(dict.fromkeys(own["row"]))
        for row in own.to_dict("records"):
            y = names.index(row["row"]) + places[row["budget_kind"]]
            if row["row"] == row["domain"]:
                _sources(axes, datasets, row, y)
            _difference(axes, row, y)
            text = {"fontsize": 6.5, "va": "center", "annotation_clip": False, "color": label_color(row["label"])}
            axes.annotate(_said(row), (1.01, y), xycoords=("axes fraction", "data"), **text)
        alike = own[own["row"] != own["domain"]].set_index("row")["domain"].to_dict()
        style.name_rows(
            axes, [f"{style.short(name)}\n({alike[name]})" if name in alike else name for name in names], lines=True
        )
        _difference_axis(axes, metric, pair)
    shown = style.in_order(rows["budget_kind"], KINDS)
    entries = [style.entry(KINDS[kind], "0.3", MARKERS[kind], linestyle="-") for kind in shown]
    entries += [style.entry("one source", "0.6", ".")] if len(domains) else []
    style.legend(figure, [*entries, style.entry("margin", "0.85", "s", markersize=7)], 4)
    style.note(figure, NOTE)
    return figure


NOTE = (
    "Lines are 95 % intervals: of a domain over its sources, with Holm's correction; of a dataset over seeds, divisions and, "
    "of accuracies, test rows, which speak of this dataset alone. On the right: label, mean difference over three levels, what "
    "it is of."
)


def _places(kinds: pandas.Series) -> dict[str, float]:
    """Where in a row the kinds of budget stand: around its middle, one alone on it."""
    shown = style.in_order(kinds, KINDS)
    return {kind: 0.4 * (place - (len(shown) - 1) / 2) for place, kind in enumerate(shown)}


def _of(table: pandas.DataFrame, pair: tuple[str, str]) -> pandas.DataFrame:
    return table[(table["first"] == pair[0]) & (table["second"] == pair[1])]


@style.styled
def _nothing() -> Figure:
    """What is drawn of an empty table."""
    figure, panels = style.new_figure(1, 1)
    panels[0, 0].set_axis_off()
    panels[0, 0].annotate("nothing has run yet", (0.5, 0.5), xycoords="axes fraction", ha="center")
    return figure


def _sources(axes: Axes, datasets: pandas.DataFrame, row: dict[str, object], y: float) -> None:
    """A dot for the difference on each source of a domain."""
    own = datasets[(datasets["domain"] == row["domain"]) & (datasets["budget_kind"] == row["budget_kind"])]
    each = _shown(own.groupby("source")["estimate"].mean().to_numpy(), row["metric"])
    axes.plot(each, numpy.full(len(each), y), ".", color="0.6", markersize=4, markeredgewidth=0, alpha=0.8, zorder=1)


def _difference(axes: Axes, row: dict[str, object], y: float, height: float = 0.36, **look: object) -> None:
    """A difference with its interval on the band of its margin."""
    metric = row["metric"]
    low, high = _shown(numpy.array([-row["margin"], row["margin"]]), metric)
    axes.barh(y, high - low, height, low, **BAND)
    value = pandas.DataFrame([[row["estimate"], row["low"], row["high"]]])
    value = _shown(style.closed(value), metric)
    look = style.DOT | {"color": label_color(row["label"]), "fmt": MARKERS[row["budget_kind"]]} | look
    axes.errorbar(value[0], [y], xerr=style.whiskers(value), **look)


def _shown(values: numpy.ndarray | pandas.DataFrame, metric: str) -> numpy.ndarray | pandas.DataFrame:
    """Differences as they are drawn: points, or ratios of errors."""
    return values if metric == "accuracy" else 10.0**values


def _said(row: dict[str, object]) -> str:
    size = f"{row['estimate']:+.2f} points" if row["metric"] == "accuracy" else f"{10 ** row['estimate']:.3g}×"
    return f"{row['label']}, {size}; {row['over']}"


def _difference_axis(axes: Axes, metric: str, pair: tuple[str, str]) -> None:
    first, second = pair
    axes.axvline(0 if metric == "accuracy" else 1, color="0.2", linewidth=0.8, zorder=1)
    if metric == "accuracy":
        axes.set_xlabel(f"accuracy of {first} − accuracy of {second}, points   (right: {first} better)")
    else:
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.5), max(high, 2))
        style.ratio_axis(axes.xaxis)
        axes.set_xlabel(f"error of {second} ÷ error of {first}   (right: {first} better)")


@style.styled
def datasets(table: pandas.DataFrame, pair: tuple[str, str] = PAIR) -> Figure:
    """The differences of a pair on each dataset (`fairness_by_dataset`), a panel a domain, the first family's best on top.

    The domain with the most datasets has the left column to itself.
    """
    table = _of(table, pair)
    if table.empty:
        return _nothing()
    counts = table.groupby("domain", sort=False)["dataset"].nunique()
    longest, *others = sorted(counts.index, key=lambda domain: -counts[domain])
    others = style.in_order(others, DOMAINS)
    rows = max(counts[longest], sum(counts[domain] + 3 for domain in others))
    ratios = [counts[domain] + 2 for domain in others] or [1]
    figure, panels = style.new_figure(
        len(ratios), 2 if others else 1, width=7.2 if others else 4.2, height=1.5 + 0.15 * rows, height_ratios=ratios
    )
    left = figure.add_subplot(panels[0, 0].get_gridspec()[:, 0])
    for unused in panels[:, 0]:
        unused.remove()
    for axes, domain in zip([left, *panels[:, -1][: len(others)]], [longest, *others], strict=True):
        _each(axes, table[table["domain"] == domain], pair)
    shown = style.in_order(table["budget_kind"], KINDS)
    entries = [style.entry(KINDS[kind], "0.3", MARKERS[kind], linestyle="-", markersize=3) for kind in shown]
    entries += [style.entry(family, style.look(family).color, "s") for family in pair if family in set(table["label"])]
    entries += [style.entry("equivalent or undecided", style.NEUTRAL, "s")] if _none_ahead(table) else []
    style.legend(figure, [*entries, style.entry("margin", "0.85", "s", markersize=7)], 3)
    style.note(
        figure,
        "95 % intervals over seeds, divisions and, of accuracies, test rows; a colour is the label of this dataset alone.",
    )
    return figure


def _none_ahead(table: pandas.DataFrame) -> bool:
    return table["label"].isin([EQUIVALENT, UNDECIDED]).any()


def _each(axes: Axes, own: pandas.DataFrame, pair: tuple[str, str]) -> None:
    names = own.groupby("dataset")["estimate"].mean().sort_values(ascending=False).index.tolist()
    places = _places(own["budget_kind"])
    small = {"markersize": 2.8, "capsize": 0, "linewidth": 0.9}
    for row in own.to_dict("records"):
        _difference(axes, row, names.index(row["dataset"]) + places[row["budget_kind"]], **small)
    style.name_rows(axes, [style.short(name) for name in names])
    axes.tick_params(axis="y", labelsize=6)
    _difference_axis(axes, own["metric"].iloc[0], pair)
    axes.set_xlabel(axes.get_xlabel().split("   ")[0])
    axes.set_title(f"{own['domain'].iloc[0]}: {counted(len(names), 'dataset')} of {counted(own['source'].nunique(), 'source')}")


@style.styled
def levels(scores: pandas.DataFrame) -> Figure:
    """Scores at each level (`findings.level_scores`): mean over seeds and their range, a panel a dataset and kind of budget."""
    if scores.empty:
        return _nothing()
    names, kinds = style.in_order(scores["dataset"], DATASETS), style.in_order(scores["budget_kind"], KINDS)
    places = [(dataset, kind) for dataset in names for kind in kinds]
    columns = min(4, len(places))
    figure, panels = style.wrapped(len(places), columns, width=max(1.8 * columns, 4.2))
    for axes, (dataset, kind) in zip(panels, places, strict=True):
        own = scores[(scores["dataset"] == dataset) & (scores["budget_kind"] == kind)]
        for family in style.in_order(own["family"]):
            rows = own[own["family"] == family].sort_values("size")
            color, marker = style.look(family)
            bars = style.whiskers(rows[["score", "low", "high"]])
            look = {"color": color, "markersize": 3.5, "linewidth": 1, "capsize": 2, "elinewidth": 0.8}
            axes.errorbar(rows["size"], rows["score"], yerr=bars, fmt=marker, linestyle="-", **look)
        if own["metric"].iloc[0] != "accuracy":
            style.error_axis(axes)
        style.log_axis(axes.xaxis)
        axes.set_xlabel(SIZES[kind])
        axes.set_title(style.short(dataset))
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("test accuracy (%)" if own["metric"].iloc[0] == "accuracy" else "test RMSE")
    _families(figure, scores["family"])
    seeds = " to ".join(str(number) for number in sorted({scores["seeds"].min(), scores["seeds"].max()}))
    style.note(figure, f"Means and ranges over {seeds} seeds. Scales of panels differ.")
    return figure


def _families(figure: Figure, names: pandas.Series) -> None:
    entries = [style.entry(family, *style.look(family), linestyle="-") for family in style.in_order(names)]
    style.legend(figure, entries, len(entries))


def _panels(table: pandas.DataFrame) -> tuple[Figure, list[tuple[Axes, pandas.DataFrame]]]:
    """A figure with a panel a domain and kind of budget, and each panel with its rows of the table."""
    groups = {keys: own for keys, own in table.groupby(["domain", "budget_kind"])}
    places = [(domain, kind) for domain in DOMAINS for kind in KINDS if (domain, kind) in groups]
    columns = min(4, len(places))
    figure, panels = style.wrapped(len(places), columns, width=max(1.8 * columns, 4.2))
    for axes, (domain, kind) in zip(panels, places, strict=True):
        sources = int(groups[domain, kind]["sources"].max())
        axes.set_title(f"{domain}\n{counted(sources, 'source')}, equal {SHORT[kind]}")
    return figure, [(axes, groups[place]) for axes, place in zip(panels, places, strict=True)]


@style.styled
def tries(table: pandas.DataFrame) -> Figure:
    """The expected best of 1, 2, … tries by validation (`findings.expected_best`), a line a family."""
    if table.empty:
        return _nothing()
    figure, panels = _panels(table)
    for axes, own in panels:
        metric = own["metric"].iloc[0]
        for family in style.in_order(own["family"]):
            rows = own[own["family"] == family].sort_values("tries")
            color, marker = style.look(family)
            axes.plot(rows["tries"], _shown(rows["behind"], metric), color=color, marker=marker, markevery=(0, 6), markersize=3)
        if metric == "accuracy":
            axes.set_ylim(bottom=0)
        else:
            style.ratio_axis(axes.yaxis)
        axes.set_xticks([1, 6, 12, 18, 24])
        axes.set_xlabel("tries")
        axes.set_ylabel("points behind" if metric == "accuracy" else "error ÷ best error")
    _families(figure, table["family"])
    style.note(figure, BEHIND)
    return figure


BEHIND = (
    "How far the best of so many tries is expected to be behind the best try of all families, by validation; mean over levels, "
    "then over sources (Dodge et al. 2019)."
)


@style.styled
def profiles(table: pandas.DataFrame) -> Figure:
    """Performance profiles (`findings.profiles`): on what share of a domain's sources a family is how near to the best."""
    if table.empty:
        return _nothing()
    figure, panels = _panels(table)
    for axes, own in panels:
        metric = own["metric"].iloc[0]
        for family in style.in_order(own["family"]):
            rows = own[own["family"] == family].sort_values("within")
            color, marker = style.look(family)
            x = _shown(rows["within"], metric)
            axes.step(x, 100 * rows["share"], where="post", color=color, marker=marker, markevery=(0, 10), markersize=3)
        if metric != "accuracy" and own["within"].max() > 0:
            style.ratio_axis(axes.xaxis)
        axes.set_ylim(-3, 103)
        axes.set_xlabel("points behind the best" if metric == "accuracy" else "error ÷ best error")
        axes.set_ylabel("% of sources")
    _families(figure, table["family"])
    return figure


LIMIT = {"color": "0.2", "linestyle": ":", "linewidth": 1}


@style.styled
def errors(table: pandas.DataFrame) -> Figure:
    """How often labels name a family, by the true difference (`fairness_simulation`): a panel a domain, a line a spread."""
    if table.empty:
        return _nothing()
    domains = style.in_order(table["domain"], DOMAINS)
    figure, panels = style.wrapped(len(domains), 3, sharey=True, width=7.2)
    settings = list(dict.fromkeys(zip(table["shape"], table["between"], strict=True)))
    for axes, domain in zip(panels, domains, strict=True):
        own = table[table["domain"] == domain]
        axes.axhline(100 * ERROR_RATE, **LIMIT)
        for (shape, between), look in zip(settings, style.FREE, strict=False):
            rows = own[(own["shape"] == shape) & (own["between"] == between)]
            axes.plot(rows["effect"], 100 * rows["winner"], color=look.color, marker=look.marker, markersize=3.5, linewidth=1)
        sources = own["sources"].iloc[0]
        axes.set_title("any label of a study" if pandas.isna(sources) else f"{domain}, {counted(int(sources), 'source')}")
        axes.set_xlabel("true difference ÷ margin")
        axes.set_xticks(sorted(table["effect"].unique()))
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("% naming a family")
    entries = [
        style.entry(f"{shape}, spread ×{between:g}", *look, linestyle="-")
        for (shape, between), look in zip(settings, style.FREE, strict=False)
    ]
    style.legend(figure, [*entries, style.entry(f"{100 * ERROR_RATE:g} %", marker="", **LIMIT)], 3)
    style.note(figure, f"{table['studies'].max():,} simulated studies for each point. At 0 both families are the same.")
    return figure
