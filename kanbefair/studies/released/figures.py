"""Figures of the released rows."""

import matplotlib
import numpy
import pandas
from matplotlib.figure import Figure

from kanbefair.report.style import COLORS, STYLE, new_figure

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
