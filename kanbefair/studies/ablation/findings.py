"""What the ablation says: scores, effects of single changes, claims 2 and 3 of protocol.md, and an answer in words."""

import math
import os
from collections.abc import Sequence

import numpy
import pandas
from IPython.display import Markdown
from scipy.stats import ttest_ind

from kanbefair.report import statistics
from kanbefair.studies.ablation.design import BASES, CHANGES, PUBLISHED_TOPS, Try
from kanbefair.sweep import Store
from kanbefair.training.learned_splines import DrawnSpec


def scores(runs: pandas.DataFrame, tried: Sequence[Try]) -> pandas.DataFrame:
    """One row per dataset, variant, budget and seed: the test score of the learning rate that validation chooses.

    `live_parameters` is the network's number of trainable values, a text's embedding included.
    """
    rows = [(t.variant, t.size, t.focus, t.spec.key) for t in tried]
    places = pandas.DataFrame(rows, columns=["variant", "size", "focus", "key"])
    table = places.merge(statistics.scored(runs).drop_duplicates("key"), on="key", validate="many_to_one")
    sign = numpy.where(table["metric"] == "accuracy", 1.0, -1.0)
    table = table.assign(rank=sign * table["choice"]).dropna(subset="rank")
    best = table.groupby(["dataset", "variant", "size", "seed"], sort=False)["rank"].idxmax()
    kept = ["dataset", "domain", "metric", "variant", "size", "focus", "seed", "lr", "widths", "live_parameters", "score"]
    return table.loc[best, kept].sort_index(ignore_index=True)


def budget_ratios(scores: pandas.DataFrame) -> pandas.DataFrame:
    """Per variant the smallest, median and largest ratio of its trainable values to those of the plain KAN."""
    keys = ["dataset", "size"]
    again = {change.variant for change in CHANGES if change.factor == "everything"}
    values = scores[~scores["variant"].isin(again)].groupby(["variant", *keys], sort=False)["live_parameters"].first()
    ratio = values / values[BASES["KAN"]].reindex(values.index.droplevel("variant")).to_numpy()
    table = ratio.groupby("variant", sort=False).agg(["min", "median", "max"])
    return table.rename_axis("trainable values ÷ KAN's").reset_index()


def beside_tops(scores: pandas.DataFrame) -> pandas.DataFrame:
    """The paper's tops and ours, a row per dataset and model: our best mean over seeds among the budgets, its interval."""
    rows = []
    for _, top in PUBLISHED_TOPS.iterrows():
        for model in ("BSpline_MLP", "BSpline_First_MLP"):
            own = scores[(scores["dataset"] == top["dataset"]) & (scores["variant"] == model)]
            row = {"dataset": top["dataset"], "model": model, "paper": top[model]}
            if len(own):
                sizes = own.groupby("size")["score"]
                best = own[own["size"] == sizes.mean().idxmax()]
                row["here"], row["low"], row["high"] = statistics.interval(best["score"])
                row |= {"seeds": len(best), "live_parameters": best["live_parameters"].iloc[0]}
            rows.append(row)
    return pandas.DataFrame(rows, columns=["dataset", "model", "paper", "here", "low", "high", "seeds", "live_parameters"])


GROUPS = {"mae": "symbolic functions", "accuracy": "classification"}
"""Datasets are put together by their metric."""
RATIO = "log10 error ratio"
UNITS = {"symbolic functions": RATIO, "classification": "points"}


def differences(scores: pandas.DataFrame, variant: str, base: str) -> pandas.DataFrame:
    """Effect of `variant` over `base` at the focus budget, per dataset and seed, in the unit of its group: points of
    accuracy, or log10 of the ratio of errors. `relative` is on one scale for both: log10 of the ratio of the errors,
    for accuracies of the shares of wrong answers, to each of which half a point is added."""
    table = scores[scores["focus"]].pivot_table(index=["dataset", "metric", "seed"], columns="variant", values="score")
    first, second = table[variant], table[base]
    accuracy = table.index.get_level_values("metric") == "accuracy"
    with numpy.errstate(divide="ignore", invalid="ignore"):
        wrong = numpy.log10((100.5 - second) / (100.5 - first))
        ratio = numpy.log10(second / first)
    effect = pandas.Series(numpy.where(accuracy, first - second, ratio), table.index)
    relative = pandas.Series(numpy.where(accuracy, wrong, ratio), table.index)
    found = pandas.DataFrame({"effect": effect, "relative": relative}).dropna().reset_index()
    found = found.sort_values("metric", ascending=False, kind="stable", ignore_index=True)
    return found.assign(group=found["metric"].map(GROUPS))


def summary(own: pandas.DataFrame, column: str = "effect") -> dict[str, object]:
    """Mean of a column of `differences` with two 95 % intervals: `low` … `high` over datasets (over seeds where there are
    fewer than five datasets), `seed_low` … `seed_high` over seeds, which speaks of these datasets only."""
    unit = "dataset" if own["dataset"].nunique() >= statistics.DATASETS_TO_GENERALISE else "seed"
    effect, low, high = statistics.interval(own.groupby(unit)[column].mean())
    _, seed_low, seed_high = statistics.interval(own.groupby("seed")[column].mean())
    return {
        "effect": effect,
        "low": low,
        "high": high,
        "interval_over": unit,
        "seed_low": seed_low,
        "seed_high": seed_high,
        "datasets": own["dataset"].nunique(),
        "seeds": own["seed"].nunique(),
    }


def effects(scores: pandas.DataFrame) -> pandas.DataFrame:
    """One row per group of datasets and change: its effect with intervals (see `summary`), and the `share` of the way to
    the other base, where the two bases differ for certain."""
    rows = []
    for change in CHANGES:
        found = differences(scores, change.variant, BASES[change.base])
        for group, own in found.groupby("group", sort=False):
            rows.append(
                {
                    "group": group,
                    "base": change.base,
                    "factor": change.factor,
                    "change": change.change,
                    "unit": UNITS[group],
                    **summary(own),
                }
            )
    table = pandas.DataFrame(rows)
    whole = table[table["factor"] == "everything"].set_index(["group", "base"])
    certain = whole["effect"].where((whole["low"] > 0) | (whole["high"] < 0))
    table["share"] = table["effect"] / certain.reindex(pandas.MultiIndex.from_frame(table[["group", "base"]])).to_numpy()
    return table.sort_values(["group", "base"], ascending=False, kind="stable", ignore_index=True)


def _verdict(row: dict[str, object], above: str, below: str, neither: str) -> str:
    return above if row["low"] > 0 else below if row["high"] < 0 else neither


def claims(scores: pandas.DataFrame) -> pandas.DataFrame:
    """What the study says of claims 2 and 3 of protocol.md, a row per comparison and group of datasets.

    Claim 2, in the units of the groups: an MLP with splines against KAN, and KAN against the plain MLP. Claim 3, on the
    one scale of log10 error ratios: what splines do for an MLP in each group, and by how much more they do so for
    symbolic functions (Welch's interval over datasets, over seeds where a group has fewer than five).
    """
    splines = ("BSpline_MLP", "BSpline_First_MLP")
    kan = BASES["KAN"]
    rows = []
    for variant, base, words in [
        ("KAN, silu shortcut", "MLP", ("KAN is better", "KAN is worse", "no difference shown")),
        *((name, kan, ("passes KAN", "falls short of KAN", "no difference shown")) for name in splines),
    ]:
        for group, own in differences(scores, variant, base).groupby("group", sort=False):
            row = {
                "claim": 2,
                "comparison": f"{short(variant)} − {short(base)}",
                "on": group,
                "unit": UNITS[group],
                **summary(own),
            }
            rows.append(row | {"verdict": _verdict(row, *words)})
    for name in splines:
        found = differences(scores, name, "MLP")
        common = {"claim": 3, "comparison": f"{name} − MLP", "unit": RATIO}
        for group, own in found.groupby("group", sort=False):
            row = common | {"on": group, **summary(own, "relative")}
            rows.append(row | {"verdict": _verdict(row, "splines help", "splines harm", "no effect shown")})
        if found["group"].nunique() == 2:
            row = common | {"on": "symbolic functions − classification", **_contrast(found)}
            rows.append(row | {"verdict": _verdict(row, "more for symbolic", "less for symbolic", "no difference shown")})
    return pandas.DataFrame(rows)


def short(variant: str) -> str:
    """A curve's name in a table."""
    return "KAN" if variant == BASES["KAN"] else variant


def _contrast(found: pandas.DataFrame) -> dict[str, object]:
    """Mean `relative` of symbolic functions minus that of classification."""
    groups = [own for _, own in found.groupby("group")][::-1]
    unit = "dataset" if min(own["dataset"].nunique() for own in groups) >= statistics.DATASETS_TO_GENERALISE else "seed"
    test = ttest_ind(*(own.groupby(unit)["relative"].mean() for own in groups), equal_var=False)
    seeds = ttest_ind(*(own.groupby("seed")["relative"].mean() for own in groups), equal_var=False)
    means = [own["relative"].mean() for own in groups]
    (low, high), (seed_low, seed_high) = (t.confidence_interval(statistics.CONFIDENCE) for t in (test, seeds))
    return {
        "effect": means[0] - means[1],
        "low": low,
        "high": high,
        "interval_over": unit,
        "seed_low": seed_low,
        "seed_high": seed_high,
        "datasets": found["dataset"].nunique(),
        "seeds": found["seed"].nunique(),
    }


def size(row: pandas.Series) -> str:
    """An effect with its interval in words."""
    values = [row[name] for name in ("effect", "low", "high")]
    if row["unit"] == RATIO:
        sign = 1 if row["effect"] > 0 else -1
        factor, *ends = (10 ** (sign * value) for value in values)
        low, high = sorted(ends)
        return f"error {'divided by' if sign > 0 else 'times'} {factor:.2g} [{low:.2g}, {high:.2g}]"
    return "{:+.1f} points [{:+.1f}, {:+.1f}]".format(*values)


def answer(effects: pandas.DataFrame) -> Markdown:
    """Which single change moves MLP to KAN's result, and back, in words."""
    lines = []
    for group, own in effects.groupby("group", sort=False):
        for base, other in (("MLP", "KAN"), ("KAN", "MLP")):
            rows = own[own["base"] == base]
            whole, single = rows[rows["factor"] == "everything"].iloc[0], rows[rows["factor"] != "everything"]
            if math.isnan(whole["share"]):
                over = f"no difference shown over {whole['interval_over']}s"
                if whole["interval_over"] == "dataset":
                    seeds = whole.drop(["low", "high"]).rename({"seed_low": "low", "seed_high": "high"})
                    over += f" (on these {whole['datasets']} datasets, over seeds: {size(seeds)})"
                lines.append(f"- **{group}, from {base}**: {other} in its place gives {size(whole)}; {over}.")
            else:
                best = single.loc[(single["share"] - 1).abs().idxmin()]
                lines.append(
                    f"- **{group}, from {base}**: {other} in its place gives {size(whole)}. The single change that comes "
                    f"nearest to it is *{best['change']}*: {size(best)}, {best['share']:.0%} of the way."
                )
            for words, sure in (("help", single[single["low"] > 0]), ("harm", single[single["high"] < 0])):
                named = "; ".join(f"*{row['change']}* ({size(row)})" for _, row in sure.iterrows())
                lines.append(f"  - Changes that {words}, with their whole interval: {named or 'none'}.")
    return Markdown("\n".join(lines))


def read(specs: Sequence[DrawnSpec], runs: str | os.PathLike) -> pandas.DataFrame:
    """The activations of trained runs from the folder of records, one row per point: dataset, model, layer, edge, x, y,
    and of the layer the `count` of all edges or units and the range `low` … `high` of its inputs."""
    store = Store(runs)
    rows = [
        (spec.dataset, spec.model, layer["layer"], edge, x, y, layer["count"], layer["low"], layer["high"])
        for spec in specs
        for layer in store.read(spec.key)["curves"]["activations"]
        for edge, ys in enumerate(layer["y"])
        for x, y in zip(layer["x"], ys, strict=True)
    ]
    return pandas.DataFrame(rows, columns=["dataset", "model", "layer", "edge", "x", "y", "count", "low", "high"])
