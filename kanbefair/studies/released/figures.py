"""Figures of the released rows."""

from itertools import cycle

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kanbefair.report import style

DIFFERENCES = {
    "points": ("difference of at most … points", 0.005, 10),
    "ratio": ("relative difference of at most …", 1e-5, 10),
}
"""The two columns of differences: the axis's label and its ends."""
FEW = 20
"""Fewer pairs than this have no curve: they are only named."""


@style.styled
def agreement(pairs: pandas.DataFrame) -> Figure:
    """How near two columns of metrics come (`findings.compare`, `findings.duplicates`, `results/extended/differences`), as the
    share of pairs whose difference is at most x: a panel per domain, accuracies in points, errors relative to each other; a
    colour per model, a kind of line per entry of the column `pair`. Pairs that are nearer than the panel shows, as equal
    ones are, stand at its left edge; those without a difference, as diverged ones are, at its right edge. Of fewer than `FEW`
    pairs no curve is drawn."""
    domains = list(dict.fromkeys(pairs["domain"]))
    lines = dict(zip(dict.fromkeys(pairs["pair"]), cycle(("-", "--", ":"))))
    figure, panels = style.new_figure(1, len(domains), width=2.6 * len(domains), height=3.0, sharey=True)
    for axes, domain in zip(panels[0], domains, strict=True):
        _agreement_panel(axes, pairs[pairs["domain"] == domain], lines)
        axes.set_title(domain)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1))
    panels[0, 0].set_ylabel("share of pairs (%)")
    return figure


def _agreement_panel(axes: Axes, pairs: pandas.DataFrame, lines: dict[str, str]) -> None:
    column = "points" if pairs["points"].notna().any() else "ratio"
    label, low, high = DIFFERENCES[column]
    for (model, pair), own in pairs.groupby(["model", "pair"], sort=False):
        off = own[column].abs() if column == "points" else (own[column] - 1).abs()
        x = numpy.sort(off.fillna(high).clip(low, high))
        share = 100 * numpy.arange(1, len(x) + 1) / len(x)
        drawn = {"color": style.look(model).color, "linestyle": lines[pair]}
        name = f"{model}, {pair} ({len(own):,})"
        if len(own) < FEW:
            axes.plot([], [], label=f"{name}: too few", **drawn)
            continue
        axes.step(numpy.append(x, high), numpy.append(share, 100), where="post", label=name, **drawn)
    axes.set(xscale="log", xlabel=label, ylim=(0, 102), xlim=(low, high))
