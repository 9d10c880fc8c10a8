"""The differences of two families, tested over sources, and looked at by dataset.

`final` has a row a frozen run: domain, dataset, source (datasets that share rows are one), family, budget_kind, level, seed,
division, metric, score (test accuracy in percent, or an error) and test_rows.

A *value* is a score of which more is better: points of accuracy, or −log10 of an error. A *difference* is the value of the
first of a pair less that of the second: points, or log10 of the second's error over the first's. Seeds are averaged first, then
divisions, then levels, then the datasets of a source. Only levels and divisions count that all compared families have.
"""

from collections.abc import Sequence

import numpy
import pandas
from scipy.stats import t

from kanbefair.errors import InputError
from kanbefair.report.decision import label, margin

SOURCES = 5
"""A domain of so many sources is confirmatory: its interval is over sources, and its label counts in Holm's correction."""
ERROR_RATE = 0.05
ROUNDING = 1e-9
"""A standard error below it is one of rounding, and is taken as 0: it decides nothing."""
DOMAIN = ["domain", "metric", "budget_kind"]
DATASET = [*DOMAIN, "source", "dataset"]
CELL = [*DATASET, "level", "division"]


def cells(final: pandas.DataFrame, families: Sequence[str]) -> pandas.DataFrame:
    """The values of the families' runs by dataset, level and division (`CELL`), where each family has some.

    Returns columns (family, mean), (family, var), (family, size) and (family, list), over the seeds of a cell.

    Raises:
        InputError: if a family has no runs, or a score is none.
    """
    own = final[final["family"].isin(families)]
    missing = [family for family in families if not (own["family"] == family).any()]
    if missing:
        raise InputError(f"no frozen run is of {missing[0]}; families to compare must be among {sorted(set(final['family']))}")
    accuracy = own["metric"] == "accuracy"
    unusable = own[~numpy.isfinite(own["score"]) | (~accuracy & (own["score"] <= 0))]
    if len(unusable):
        raise InputError(
            f"a score of {unusable['family'].iloc[0]} on {unusable['dataset'].iloc[0]} is {unusable['score'].iloc[0]}; scores "
            f"must be finite and errors above 0: score a run that failed as the constant predictor"
        )
    value = own["score"].where(accuracy, -numpy.log10(own["score"].where(~accuracy)))
    runs = own.assign(value=value).groupby("family")
    groups = {family: rows.groupby(CELL)["value"].agg(["mean", "var", "size", list]) for family, rows in runs}
    return pandas.concat(groups, axis=1, join="inner").sort_index()


def over_levels(values: pandas.DataFrame | pandas.Series) -> pandas.DataFrame | pandas.Series:
    """Means by dataset of values by cell: over divisions, then over levels."""
    return values.groupby([*DATASET, "level"]).mean().groupby(DATASET).mean()


def over_datasets(values: pandas.DataFrame | pandas.Series) -> pandas.DataFrame | pandas.Series:
    """Means by source of values by dataset."""
    return values.groupby([*DOMAIN, "source"]).mean()


def differences(final: pandas.DataFrame, pair: tuple[str, str]) -> pandas.DataFrame:
    """The difference of a pair by dataset and budget kind, with the dataset's margin, in the same unit.

    Returns rows (`DATASET`, difference, margin, levels); `over_datasets` makes them those of sources.
    """
    own = cells(final, pair)
    rows = final.groupby("dataset")["test_rows"].min()
    table = over_levels(own[pair[0], "mean"] - own[pair[1], "mean"]).to_frame("difference")
    names, metrics = table.index.get_level_values("dataset"), table.index.get_level_values("metric")
    table["margin"] = [margin(metric, rows[name]) for metric, name in zip(metrics, names, strict=True)]
    table["levels"] = own.reset_index().groupby(DATASET)["level"].nunique()
    return table


def holm(p: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Holm's step-down correction over the last axis; a p that is NaN counts as a test that is never sure.

    Returns the adjusted p and, for each test, by how much the error rate is divided at the step that decides it: its own step
    if it is sure, else the step that ends the correction. So its interval at this rate leaves out 0 just where the adjusted p
    is below the error rate.
    """
    p = numpy.where(numpy.isnan(p), 1.0, p)
    order = numpy.argsort(p, axis=-1, kind="stable")
    steps = numpy.arange(p.shape[-1], 0, -1)
    climbing = numpy.maximum.accumulate(numpy.take_along_axis(p, order, -1) * steps, axis=-1).clip(max=1)
    sure = (climbing < ERROR_RATE).sum(-1, keepdims=True)
    divided = numpy.maximum(steps, p.shape[-1] - sure)
    back = numpy.argsort(order, axis=-1)
    return numpy.take_along_axis(climbing, back, -1), numpy.take_along_axis(numpy.broadcast_to(divided, p.shape), back, -1)


def ends(estimate: numpy.ndarray, error: numpy.ndarray, freedom: numpy.ndarray, rate: float | numpy.ndarray) -> tuple:
    """The two ends of a t interval that misses with the given rate; `error` is the standard error."""
    half = t.ppf(1 - rate / 2, freedom) * error
    return estimate - half, estimate + half


def confirm(estimate: numpy.ndarray, error: numpy.ndarray, sources: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """The t tests of means over sources against 0, Holm's correction being over the last axis.

    Returns p, holm_p, the 95 % interval (low, high), the 90 % one (low_90, high_90) and Holm's (holm_low, holm_high).
    """
    error = numpy.where(error > ROUNDING, error, 0.0)
    freedom = sources - 1
    p = 2 * t.sf(abs(estimate) / numpy.where(error > 0, error, numpy.nan), freedom)
    adjusted, divided = holm(p)
    table = {"p": p, "holm_p": adjusted}
    for before, after, rate in (("", "", ERROR_RATE), ("", "_90", 2 * ERROR_RATE), ("holm_", "", ERROR_RATE / divided)):
        table[f"{before}low{after}"], table[f"{before}high{after}"] = ends(estimate, error, freedom, rate)
    return table


def domains(final: pandas.DataFrame, pair: tuple[str, str], least: int = SOURCES) -> pandas.DataFrame:
    """The confirmatory tests of a pair: a row a domain of at least so many sources and budget kind; Holm's correction is over
    all rows.

    The margin is the mean over sources of the datasets' margins: what the estimate is at most where each difference is within
    its own. The label takes Holm's interval and the 90 % interval.

    Returns rows (`DOMAIN`, estimate, those of `confirm`, margin, sources, datasets, label).
    """
    by_dataset = differences(final, pair)
    groups = over_datasets(by_dataset[["difference", "margin"]]).groupby(DOMAIN)
    table = groups["difference"].agg(["mean", "sem", "size"]).set_axis(["estimate", "error", "sources"], axis=1)
    table["margin"] = groups["margin"].mean()
    table["datasets"] = by_dataset.groupby(DOMAIN).size()
    table = table[table["sources"] >= least].reset_index()
    tests = confirm(*(table[name].to_numpy() for name in ("estimate", "error", "sources")))
    table = table.assign(**tests)
    table["label"] = labels(table, pair, ("holm_low", "holm_high"))
    return table


def labels(table: pandas.DataFrame, pair: tuple[str, str], wide: tuple[str, str]) -> list[str]:
    """The label of each row of estimate, margin, the interval named by `wide`, and low_90 and high_90."""
    columns = [table[name] for name in ("estimate", *wide, "low_90", "high_90", "margin")]
    return [label(*pair, row[0], row[1:3], row[3:5], row[5]) for row in zip(*columns, strict=True)]


def datasets(final: pandas.DataFrame, pair: tuple[str, str], pairs: pandas.DataFrame | None = None) -> pandas.DataFrame:
    """The difference of a pair by dataset, with t intervals over seeds, divisions and test rows.

    With L levels, V divisions and n seeds in each cell, the variance of the estimate is the sum of

    - seeds: Σ (s₁² + s₂²) / n over cells, divided by (L·V)²; s² is a family's variance between the seeds of a cell;
    - divisions (nested), if there are several: s² / V; s² is the variance between divisions of the differences, averaged over
      levels. It holds the noise of the seeds once more, which errs on the safe side where divisions matter little;
    - rows: (Σ √r / L)², r being a level's `row_variance`. Levels share their test rows, so their errors may add up in full.

    Degrees of freedom are Satterthwaite's, of n − 1 for each cell's seeds, V − 1 and the test rows − 1.

    Args:
        final: the frozen runs.
        pair: the families; a difference is that of the first over the second.
        pairs: rows (dataset, budget_kind, level, row_variance) of this pair: the variance of its mean difference by its test
            rows, that is the variance between rows over their number, in points². Datasets may lack it.

    Returns:
        Rows (`DATASET`, estimate, low, high, low_90, high_90, freedom, variance_seeds, variance_divisions, variance_rows (NaN
        where not given), margin, levels, label). With one seed and one division there is no interval, and nothing is decided.
    """
    table = differences(final, pair).rename(columns={"difference": "estimate"})
    parts = {keys: _runs_variances(own, pair) for keys, own in cells(final, pair).groupby(DATASET)}
    table = table.join(pandas.DataFrame(parts, ["variance_seeds", "variance_divisions", "freedom"]).T.rename_axis(DATASET))
    table["variance_rows"] = numpy.nan if pairs is None else _rows_variances(table.index, pairs)
    test_rows = final.groupby("dataset")["test_rows"].min()[table.index.get_level_values("dataset")].to_numpy()
    runs = table[["variance_seeds", "variance_divisions"]].sum(axis=1, min_count=1)
    rows = table["variance_rows"].fillna(0)
    table["freedom"] = (runs + rows) ** 2 / (runs**2 / table["freedom"] + rows**2 / (test_rows - 1))
    error = numpy.sqrt(runs + rows)
    error = error.where(~(error <= ROUNDING), 0.0)
    for names, rate in ((("low", "high"), ERROR_RATE), (("low_90", "high_90"), 2 * ERROR_RATE)):
        table[names[0]], table[names[1]] = ends(table["estimate"], error, table["freedom"], rate)
    table = table.reset_index()
    table["label"] = labels(table, pair, ("low", "high"))
    return table


def _runs_variances(own: pandas.DataFrame, pair: tuple[str, str]) -> tuple[float, float, float]:
    """What seeds and divisions add to the variance of a dataset's difference, by its cells (NaN where there is only one), and
    the degrees of freedom of their sum."""
    levels = own.index.get_level_values("level").nunique()
    weight = 1 / (levels * own.groupby("level").transform("size"))
    variances, sizes = (own.xs(name, axis=1, level=1) for name in ("var", "size"))
    seeds = variances.div(sizes).mul(weight**2, axis=0).to_numpy().ravel()
    by_division = (own[pair[0], "mean"] - own[pair[1], "mean"]).groupby("division").mean()
    divisions = by_division.var() / len(by_division)
    parts, freedom = numpy.array([*seeds, divisions]), numpy.array([*(sizes.to_numpy().ravel() - 1), len(by_division) - 1])
    known = parts > 0
    total = parts[known].sum()
    return seeds.sum(), divisions, total**2 / (parts[known] ** 2 / freedom[known]).sum() if known.any() else 1


def _rows_variances(index: pandas.MultiIndex, pairs: pandas.DataFrame) -> list[float]:
    """What test rows add to the variance of each dataset's difference (index `DATASET`); NaN where it is not given."""
    error = numpy.sqrt(pairs["row_variance"]).groupby([pairs["dataset"], pairs["budget_kind"]]).mean()
    keys = index.droplevel(["domain", "metric", "source"]).swaplevel()
    return (error.reindex(keys) ** 2).tolist()
