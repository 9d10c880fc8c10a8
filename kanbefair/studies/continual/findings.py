"""What the study of continual learning says: its tables; hands on `gaps`, `remedies`, `claims` and `answer`."""

import os
from collections.abc import Sequence

import numpy
import pandas

from kanbefair.errors import InputError
from kanbefair.report import outcomes, statistics
from kanbefair.studies.continual.answer import answer
from kanbefair.studies.continual.claims import all_claims, claims
from kanbefair.studies.continual.design import Peak, Try
from kanbefair.studies.continual.pairs import KIND, PLACE, carried, gaps, naive, remedies
from kanbefair.sweep import Store
from kanbefair.training.continual.loop import PICTURE_POINTS
from kanbefair.training.outcome import AT_CHANCE

__all__ = [
    "MEASURES",
    "all_claims",
    "answer",
    "chosen",
    "claims",
    "gaps",
    "matrices",
    "pictures",
    "placed",
    "plasticity",
    "remedies",
    "summary",
]

MEASURES = ("average", "learned", "backward", "backward_paper", "forgetting")
"""See `metrics.summary`."""


def placed(runs: pandas.DataFrame, tried: Sequence[Try | Peak]) -> pandas.DataFrame:
    """The table of runs with each run's place in front: its network and, for peaks, its optimiser (`method`).

    Raises `pandas.errors.MergeError` if a run has two places.
    """
    rows = [{"network": t.network, "method": getattr(t, "optimizer", "Adam"), "key": t.spec.key} for t in tried]
    return pandas.DataFrame(rows).merge(runs.drop_duplicates("key"), on="key", validate="one_to_one")


def chosen(table: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of `placed` with the settings that validation chooses for each network, stream, strategy and optimiser.

    A setting is a learning rate and, where the strategy has one, a strength. The one with the best mean over seeds of the
    average after the last task is chosen. Settings of which a run has no score, as it diverged or failed, are not, and where
    all are such there is no row. `lost` is the number of these runs. Raises `InputError` if no setting can be chosen at all.
    """
    strength = table["strength"] if "strength" in table else pandas.Series(numpy.nan, table.index)
    table = table.assign(tried=strength.fillna(-1.0))
    parts = []
    for _, own in table.groupby([*PLACE, "network", "method", *KIND], sort=False):
        means = own.groupby(["lr", "tried"])["valid_average"].agg(lambda v: v.mean(skipna=False))
        if means.isna().all():
            continue
        lr, value = means.idxmax() if own["metric"].iloc[0] == "accuracy" else means.idxmin()
        chosen = own[(own["lr"] == lr) & (own["tried"] == value)]
        parts.append(chosen.assign(lost=own["valid_average"].isna().sum()))
    if not parts:
        raise InputError(f"none of {len(table)} runs can be chosen, {outcomes.words(table)}; there is nothing to compare")
    return pandas.concat(parts, ignore_index=True).drop(columns="tried")


def summary(best: pandas.DataFrame) -> pandas.DataFrame:
    """One row per group of `chosen`: what was chosen, mean and 95 % interval over seeds of each of `MEASURES`, how many of the
    chosen runs are at chance, and how many of all have no score."""
    rows = []
    for names, own in best.groupby([*PLACE, *KIND, "method", "network"], sort=False):
        row = dict(zip([*PLACE, *KIND, "method", "network"], names, strict=True))
        row |= {name: own[name].iloc[0] for name in ("metric", "lr", "strength", "buffer", "live_parameters") if name in own}
        row |= {"overlap": own["overlap"].mean(), "seeds": len(own)}
        row |= {"at_chance": (own["outcome"] == AT_CHANCE).sum(), "lost": own["lost"].iloc[0]}
        for name in MEASURES:
            row[name], row[f"{name}_low"], row[f"{name}_high"] = statistics.interval(own[f"test_{name}"])
        rows.append(row)
    return pandas.DataFrame(rows)


def plasticity(table: pandas.DataFrame) -> pandas.DataFrame:
    """Naive training at every learning rate: what was just learned and what is left after the last task.

    Means over seeds of the rows of `placed`. Columns: PLACE, network, lr, test_learned, test_average, and the numbers of runs
    that are at chance (`at_chance`) and that have no score, which the means leave out (`lost`).
    """
    runs = naive(table)
    runs = runs.assign(at_chance=runs["outcome"] == AT_CHANCE, lost=runs["test_average"].isna())
    groups = runs.groupby([*PLACE, "network", "lr"], sort=False)
    return groups[["test_learned", "test_average"]].mean().join(groups[["at_chance", "lost"]].sum()).reset_index()


def matrices(best: pandas.DataFrame, networks: Sequence[str], strategies: Sequence[str]) -> pandas.DataFrame:
    """The accuracy matrices of networks and strategies in long form, means over seeds of the rows of `chosen`.

    Columns: PLACE, network, strategy, metric, `after` (the task last trained on), `on` (the task tested on), `value`.
    """
    rows = []
    shown = carried(best[best["network"].isin(networks) & best["strategy"].isin(strategies)])
    for names, own in shown.groupby([*PLACE, "network", "strategy"], sort=False):
        values = own.filter(regex=r"^test_\d+_\d+$").mean().dropna()
        for name, value in values.items():
            after, on = map(int, name.split("_")[1:])
            rows.append((*names, own["metric"].iloc[0], after, on, value))
    return pandas.DataFrame(rows, columns=[*PLACE, "network", "strategy", "metric", "after", "on", "value"])


def pictures(best: pandas.DataFrame, networks: Sequence[str], method: str, runs: str | os.PathLike) -> pandas.DataFrame:
    """The functions that networks of one input have learned on [-1, 1] after each task, for the first seed.

    Read from the records in the folder `runs`. Columns: network, after, x, y.
    """
    store = Store(runs)
    x = numpy.linspace(-1, 1, PICTURE_POINTS)
    own = best[(best["method"] == method) & best["network"].isin(networks)].drop_duplicates(["dataset", "network"])
    parts = [pandas.DataFrame(columns=["network", "after", "x", "y"])]
    for network, record in zip(own["network"], own["record"], strict=True):
        for after, y in enumerate(store.curves(record).get("picture", []), start=1):
            parts.append(pandas.DataFrame({"network": network, "after": after, "x": x, "y": y}))
    return pandas.concat(parts[1:] or parts, ignore_index=True)
