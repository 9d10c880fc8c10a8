"""What the ablation says: scores, and claims 2 and 3 of docs/protocol.md; hands on `effects` and `answer`."""

import math
import os
from collections.abc import Sequence

import numpy
import pandas

from kanbefair.errors import InputError
from kanbefair.report import outcomes, statistics
from kanbefair.report.decision import UNDECIDED
from kanbefair.studies.ablation.answer import answer
from kanbefair.studies.ablation.design import BASES, CHANGES, PUBLISHED_TOPS, SPLINE_MLPS, Try
from kanbefair.studies.ablation.effects import (
    MEANS,
    RATIO,
    UNITS,
    differences,
    effects,
    label,
    margin,
    mean_effect,
    remark,
)
from kanbefair.sweep import Store
from kanbefair.training.outcome import FAILED

__all__ = ["answer", "beside_tops", "budget_ratios", "claims", "effects", "read", "scores"]

CLAIMS = ["claim", "comparison", "on", "unit", *MEANS, "margin", "verdict", "remark"]
"""The columns of the table of claims."""


def scores(runs: pandas.DataFrame, tried: Sequence[Try]) -> pandas.DataFrame:
    """One row per dataset, variant, budget and seed: the test score of the learning rate that validation chooses.

    `live_parameters` is the network's number of trainable values, a text's embedding included. `outcome` is that of the run
    that is chosen, `lost` the number of learning rates without a score, of runs that diverged or failed. Where none has one
    there is no row. Raises `InputError` if no run at all has one.
    """
    rows = [(t.variant, t.size, t.focus, t.spec.key) for t in tried]
    places = pandas.DataFrame(rows, columns=["variant", "size", "focus", "key"])
    table = places.merge(statistics.scored(runs).drop_duplicates("key"), on="key", validate="many_to_one")
    sign = numpy.where(table["metric"] == "accuracy", 1.0, -1.0)
    table = table.assign(rank=sign * table["choice"])
    place = ["dataset", "variant", "size", "seed"]
    table["lost"] = table["rank"].isna().groupby([table[name] for name in place]).transform("sum")
    table = table.dropna(subset="rank")
    if table.empty:
        raise InputError(f"none of {len(runs)} runs has a score, {outcomes.words(runs)}; there is nothing to compare")
    best = table.groupby(place, sort=False)["rank"].idxmax()
    kept = ["dataset", "domain", "metric", "variant", "size", "focus", "seed", "lr", "widths", "live_parameters", "score"]
    return table.loc[best, [*kept, "outcome", "lost"]].sort_index(ignore_index=True)


def budget_ratios(scores: pandas.DataFrame) -> pandas.DataFrame:
    """Per variant the smallest, median and largest ratio of its trainable values to those of the plain KAN."""
    keys = ["dataset", "size"]
    again = {change.variant for change in CHANGES if change.factor == "everything"}
    values = scores[~scores["variant"].isin(again)].groupby(["variant", *keys], sort=False)["live_parameters"].first()
    kan = scores[scores["variant"] == BASES["KAN"]].groupby(keys)["live_parameters"].first()
    ratio = values / kan.reindex(values.index.droplevel("variant")).to_numpy()
    table = ratio.groupby("variant", sort=False).agg(["min", "median", "max"])
    return table.rename_axis("trainable values ÷ KAN's").reset_index()


def beside_tops(scores: pandas.DataFrame) -> pandas.DataFrame:
    """The paper's tops and ours, a row per dataset and model: our best mean over seeds among the budgets, its interval."""
    rows = []
    for _, top in PUBLISHED_TOPS.iterrows():
        for model in SPLINE_MLPS:
            own = scores[(scores["dataset"] == top["dataset"]) & (scores["variant"] == model)]
            row = {"dataset": top["dataset"], "model": model, "paper": top[model]}
            if len(own):
                sizes = own.groupby("size")["score"]
                best = own[own["size"] == sizes.mean().idxmax()]
                row["here"], row["low"], row["high"] = statistics.interval(best["score"])
                row |= {"seeds": len(best), "live_parameters": best["live_parameters"].iloc[0]}
            rows.append(row)
    return pandas.DataFrame(rows, columns=["dataset", "model", "paper", "here", "low", "high", "seeds", "live_parameters"])


def claims(scores: pandas.DataFrame, test_rows: float = math.inf) -> pandas.DataFrame:
    """What the study says of claims 2 and 3 (docs/protocol.md: Claims), a row per comparison and group of datasets.

    Claim 2, in the units of the groups: KAN against the plain MLP, and MLPs with splines against KAN. It says that these equal
    or pass KAN: an MLP is not worse where the lower end of the 95 % interval lies above minus the margin. Claim 3, on the one
    scale of log10 error ratios: what splines do for an MLP in each group, and by how much more they do it for symbolic
    functions. `test_rows` are the fewest of the datasets (`decision.margin`). Columns: `CLAIMS`.
    """
    kan = BASES["KAN"]
    rows = _by_group(scores, kan, "MLP", test_rows, ("KAN is better", "KAN is worse"))
    for name in SPLINE_MLPS:
        rows += _by_group(scores, name, kan, test_rows, ("passes KAN", "falls short of KAN"), "not worse than KAN")
    for name in SPLINE_MLPS:
        groups = dict(list(differences(scores, name, "MLP").groupby("group", sort=False)))
        parts = [((group,), ("splines help", "splines harm")) for group in groups]
        if len(groups) == 2:
            parts.append((tuple(groups), ("more for symbolic", "less for symbolic")))
        for names, words in parts:
            estimate = mean_effect(*(groups[group] for group in names), column="relative")
            note = remark(scores, list(names), name, "MLP")
            least = margin("symbolic functions", test_rows)
            rows.append(_claim(3, f"{name} − MLP", " − ".join(names), RATIO, estimate, least, words) | {"remark": note})
    return pandas.DataFrame(rows, columns=CLAIMS)


def _by_group(
    scores: pandas.DataFrame, variant: str, base: str, test_rows: float, words: tuple[str, str], not_worse: str = ""
) -> list[dict[str, object]]:
    """Claim 2: `variant` against `base`, a row per group in the unit of the group."""
    short = {BASES["KAN"]: "KAN"}
    comparison = f"{short.get(variant, variant)} − {short.get(base, base)}"
    groups = differences(scores, variant, base).groupby("group", sort=False)
    rows = []
    for group, own in groups:
        row = _claim(2, comparison, group, UNITS[group], mean_effect(own), margin(group, test_rows), words, not_worse)
        rows.append(row | {"remark": remark(scores, [group], variant, base)})
    return rows


def _claim(
    claim: int,
    comparison: str,
    on: str,
    unit: str,
    estimate: dict[str, object],
    least: float,
    words: tuple[str, str],
    not_worse: str = "",
) -> dict[str, object]:
    """A row of `claims` with its verdict: one of `words` for who is ahead, else equivalent, `not_worse` where that is claimed
    and the interval shows it by the margin `least`, or undecided."""
    verdict = label(*words, estimate, least)
    if not_worse and verdict == UNDECIDED and -least < estimate["low"] < estimate["high"] < math.inf:
        verdict = not_worse
    names = {"claim": claim, "comparison": comparison, "on": on, "unit": unit}
    return names | estimate | {"margin": least, "verdict": verdict}


def read(runs: pandas.DataFrame, folder: str | os.PathLike) -> pandas.DataFrame:
    """The activations of the trained `runs` from the folder of records, one row per point: dataset, model, layer, edge, x, y,
    and of the layer the `count` of all edges or units and the range `low` … `high` of its inputs. Failed runs have none."""
    store = Store(folder)
    rows = [
        (run.dataset, run.model, layer["layer"], edge, x, y, layer["count"], layer["low"], layer["high"])
        for run in runs[runs["outcome"] != FAILED].itertuples()
        for layer in store.curves(run.record)["activations"]
        for edge, ys in enumerate(layer["y"])
        for x, y in zip(layer["x"], ys, strict=True)
    ]
    return pandas.DataFrame(rows, columns=["dataset", "model", "layer", "edge", "x", "y", "count", "low", "high"])
