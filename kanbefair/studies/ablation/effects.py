"""Effects of single changes: differences of scores at equal budgets, their means and their intervals."""

from collections.abc import Sequence

import numpy
import pandas
from scipy.stats import ttest_ind

from kanbefair.report import outcomes, statistics
from kanbefair.studies.ablation.design import BASES, CHANGES

GROUPS = {"mae": "symbolic functions", "accuracy": "classification"}
"""Datasets are put together by their metric."""
RATIO = "log10 error ratio"
UNITS = {"symbolic functions": RATIO, "classification": "points"}
"""The unit of an effect in each group."""
MEANS = ("effect", "low", "high", "interval_over", "seed_low", "seed_high", "datasets", "seeds")
"""What `mean_effect` gives."""
EFFECTS = ["group", "base", "factor", "change", "unit", *MEANS, "share", "remark"]
"""The columns of the table of effects."""


def differences(scores: pandas.DataFrame, variant: str, base: str) -> pandas.DataFrame:
    """Effect of `variant` over `base` at the focus budget, a row per dataset and seed of `findings.scores`.

    `effect` is in the unit of the dataset's group: points of accuracy, or log10 of the ratio of errors. `relative` is on
    one scale for both groups: log10 of the ratio of the errors; an accuracy's error is the share of wrong answers in
    percent, plus half a point. Both are positive where `variant` is better.
    """
    table = scores[scores["focus"]].pivot_table(index=["dataset", "metric", "seed"], columns="variant", values="score")
    table = table.reindex(columns=[variant, base])
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


def mean_effect(*groups: pandas.DataFrame, column: str = "effect") -> dict[str, object]:
    """Mean of a column of `differences` with two 95 % intervals; of two groups, the first's mean minus the second's.

    `low` to `high` is the interval over datasets, or over seeds where a group has fewer than
    `statistics.DATASETS_TO_GENERALISE` datasets. `seed_low` to `seed_high` is the interval over seeds, which speaks of
    these datasets only.
    """
    datasets = [own["dataset"].nunique() for own in groups]
    unit = "dataset" if min(datasets) >= statistics.DATASETS_TO_GENERALISE else "seed"
    effect, low, high = _interval(*(own.groupby(unit)[column].mean() for own in groups))
    _, seed_low, seed_high = _interval(*(own.groupby("seed")[column].mean() for own in groups))
    return {
        "effect": effect,
        "low": low,
        "high": high,
        "interval_over": unit,
        "seed_low": seed_low,
        "seed_high": seed_high,
        "datasets": sum(datasets),
        "seeds": pandas.concat(groups)["seed"].nunique(),
    }


def remark(scores: pandas.DataFrame, groups: Sequence[str], *variants: str) -> str | None:
    """What a reader of an effect on these groups must know of the runs of the variants that are compared at the focus budget:
    where all of them are at chance, and how many learning rates have no score. None if there is nothing."""
    own = scores[scores["focus"] & scores["metric"].map(GROUPS).isin(groups)]
    said = []
    for variant in variants:
        runs = own[own["variant"] == variant]
        said += outcomes.remark(variant, runs, runs["dataset"], runs["lost"].sum())
        none = [name for name in own["dataset"].unique() if name not in set(runs["dataset"])]
        if none:
            said.append(f"no run of {variant} has a score on {outcomes.names(none)}")
    return "; ".join(said) or None


def _interval(first: pandas.Series, second: pandas.Series | None = None) -> tuple[float, float, float]:
    """Mean and 95 % interval (Student's t); with a second sample those of the difference of the means (Welch's t)."""
    if second is None:
        return statistics.interval(first)
    if min(len(first), len(second)) < 2:
        return first.mean() - second.mean(), -numpy.inf, numpy.inf
    ends = ttest_ind(first, second, equal_var=False).confidence_interval(statistics.CONFIDENCE)
    return first.mean() - second.mean(), ends.low, ends.high


def effects(scores: pandas.DataFrame) -> pandas.DataFrame:
    """The effect of each change, a row per group of datasets and change, from `findings.scores`.

    Columns: `EFFECTS`. `share` is the effect over that of the other base in this one's place; NaN where the two bases do not
    differ (the interval of that effect holds zero). `remark` says what happened to the runs, where that matters.
    """
    rows = []
    for change in CHANGES:
        found = differences(scores, change.variant, BASES[change.base])
        for group, own in found.groupby("group", sort=False):
            names = {"group": group, "base": change.base, "factor": change.factor, "change": change.change}
            note = remark(scores, [group], change.variant, BASES[change.base])
            rows.append(names | {"unit": UNITS[group]} | mean_effect(own) | {"remark": note})
    table = pandas.DataFrame(rows, columns=EFFECTS)
    whole = table[table["factor"] == "everything"].set_index(["group", "base"])
    certain = whole["effect"].where((whole["low"] > 0) | (whole["high"] < 0))
    table["share"] = table["effect"] / certain.reindex(pandas.MultiIndex.from_frame(table[["group", "base"]])).to_numpy()
    return table.sort_values(["group", "base"], ascending=False, kind="stable", ignore_index=True)
