"""Effects of single changes: differences of scores at equal budgets, their means and their intervals."""

import math
from collections.abc import Sequence

import numpy
import pandas
from scipy.stats import ttest_1samp, ttest_ind

from kanbefair.report import decision, outcomes, statistics
from kanbefair.studies.ablation.design import BASES, CHANGES

GROUPS = {"mae": "symbolic functions", "accuracy": "classification"}
"""Datasets are put together by their metric."""
RATIO = "log10 error ratio"
UNITS = {"symbolic functions": RATIO, "classification": "points"}
"""The unit of an effect in each group."""
MEANS = ("effect", "low", "high", "narrow_low", "narrow_high", "interval_over", "seed_low", "seed_high", "datasets", "seeds")
"""What `mean_effect` gives."""
EFFECTS = ["group", "base", "factor", "change", "unit", *MEANS, "p", "holm", "share", "remark"]
"""The columns of the table of effects."""
SURE = 0.05
"""A single change is sure to help or to harm where its `holm` is below."""


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
    """Mean of a column of `differences` with its intervals; of two groups, the first's mean minus the second's.

    `low` to `high` is the interval over datasets, or over seeds where a group has fewer than
    `statistics.DATASETS_TO_GENERALISE` datasets, and `narrow_low` to `narrow_high` the same at 90 %. `seed_low` to `seed_high`
    is the interval over seeds, which speaks of these datasets only.
    """
    datasets = [own["dataset"].nunique() for own in groups]
    unit = "dataset" if min(datasets) >= statistics.DATASETS_TO_GENERALISE else "seed"
    values = [own.groupby(unit)[column].mean() for own in groups]
    effect, low, high = _interval(*values)
    _, narrow_low, narrow_high = _interval(*values, confidence=statistics.NARROW)
    _, seed_low, seed_high = _interval(*(own.groupby("seed")[column].mean() for own in groups))
    return {
        "effect": effect,
        "low": low,
        "high": high,
        "narrow_low": narrow_low,
        "narrow_high": narrow_high,
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


def label(first: str, second: str, estimate: dict[str, object], margin: float) -> str:
    """The label (`decision.label`) of an estimate of `mean_effect`."""
    wide, narrow = ((estimate[f"{kind}low"], estimate[f"{kind}high"]) for kind in ("", "narrow_"))
    return decision.label(first, second, estimate["effect"], wide, narrow, margin)


def margin(group: str, test_rows: float) -> float:
    """The margin of a group of datasets in its unit."""
    return decision.margin("mae" if UNITS[group] == RATIO else "accuracy", test_rows)


def p_value(own: pandas.DataFrame) -> float:
    """Two-sided p of a t test that the effects of `differences` have the mean 0, over the unit of their interval; NaN where it
    has no width or no end."""
    estimate = mean_effect(own)
    if not (math.isfinite(estimate["low"]) and estimate["low"] < estimate["high"]):
        return math.nan
    return float(ttest_1samp(own.groupby(estimate["interval_over"])["effect"].mean(), 0).pvalue)


def holm(p: pandas.Series) -> pandas.Series:
    """Holm's adjustment of p values of tests that are read together; NaN where there is none, which counts as a test."""
    falling = p.sort_values()
    adjusted = (falling * numpy.arange(len(p), 0, -1)).cummax().clip(upper=1.0)
    return adjusted.reindex(p.index)


def _interval(
    first: pandas.Series, second: pandas.Series | None = None, confidence: float = statistics.CONFIDENCE
) -> tuple[float, float, float]:
    """Mean and interval (Student's t); with a second sample those of the difference of the means (Welch's t)."""
    if second is None:
        return statistics.interval(first, confidence)
    if min(len(first), len(second)) < 2:
        return first.mean() - second.mean(), -numpy.inf, numpy.inf
    ends = ttest_ind(first, second, equal_var=False).confidence_interval(confidence)
    return first.mean() - second.mean(), ends.low, ends.high


def effects(scores: pandas.DataFrame) -> pandas.DataFrame:
    """The effect of each change, a row per group of datasets and change, from `findings.scores`.

    Columns: `EFFECTS`. `share` is the effect over that of the other base in this one's place; NaN where the two bases do not
    differ (the interval of that effect holds zero). `p` is that of `p_value`, and `holm` the same adjusted for all single
    changes of both groups and bases. `remark` says what happened to the runs, where that matters.
    """
    rows = []
    for change in CHANGES:
        found = differences(scores, change.variant, BASES[change.base])
        for group, own in found.groupby("group", sort=False):
            names = {"group": group, "base": change.base, "factor": change.factor, "change": change.change}
            note = remark(scores, [group], change.variant, BASES[change.base])
            rows.append(names | {"unit": UNITS[group]} | mean_effect(own) | {"p": p_value(own), "remark": note})
    table = pandas.DataFrame(rows, columns=EFFECTS)
    table["holm"] = holm(table.loc[table["factor"] != "everything", "p"])
    whole = table[table["factor"] == "everything"].set_index(["group", "base"])
    certain = whole["effect"].where((whole["low"] > 0) | (whole["high"] < 0))
    table["share"] = table["effect"] / certain.reindex(pandas.MultiIndex.from_frame(table[["group", "base"]])).to_numpy()
    return table.sort_values(["group", "base"], ascending=False, kind="stable", ignore_index=True)
