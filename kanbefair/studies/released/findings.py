"""How near our re-runs come to the released rows, what each network was given, and what the rows say."""

import numpy
import pandas

from kanbefair.errors import InputError
from kanbefair.report import statistics
from kanbefair.studies.released.rows import SETTINGS, spec

TEST_ROWS = {"tabular": 179}
"""The fewest test rows of the paper's datasets (Titanic's), where one row weighs more than the margin."""
PAIR = ["dataset", "domain", "metric", "model"]
EXACT = 1e-6
"""Points of accuracy below which two printed accuracies have the same digits."""
EXACT_ERROR = 0.001
"""Relative difference of two errors up to which a row has come back."""
POINTS = {
    "within 0.15 points": 0.15,
    "within 0.5 points": 0.5,
}
"""Accuracies: differences, in points, up to which two of them count as near."""
LOGARITHMS = {
    "within 0.1 %": 0.001,
    "within 0.2 %": 0.002,
    "within 5 %": 0.05,
    "within 1.1 times": numpy.log(1.1),
}
"""Errors: differences of the natural logarithm up to which two of them count as near."""


def compare(rows: pandas.DataFrame, runs: pandas.DataFrame) -> pandas.DataFrame:
    """Released rows beside our re-runs of them, joined by key.

    Args:
        rows: released rows (`rows.released`) with a column `drawn`.
        runs: a table of `sweep.run` under the `published` protocol.

    The table has a row per released row that was run again. `released` and `ours` are the test metric after the last epoch,
    `points` is ours minus theirs for accuracies, `ratio` ours over theirs for errors.
    """
    columns = [*PAIR, *SETTINGS, "seed", "key", "drawn"]
    ours = runs[["key", "test_metric_last"]].rename(columns={"test_metric_last": "ours"}).drop_duplicates("key")
    both = rows[[*columns, "test_metric"]].rename(columns={"test_metric": "released"}).merge(ours, on="key")
    return _differences(both, "released", "ours")


def duplicates(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Pairs of released rows that should agree, each pair once.

    These are runs that were printed twice, and KAN rows that differ in the seed alone, which the authors' constructor
    ignores. Symbolic functions are an exception: their points are drawn from the seed. The columns are those of `compare`,
    with `first` and `second` in place of `released` and `ours`.
    """
    ignored = (rows["model"] == "KAN") & (rows["domain"] != "symbolic")
    keys = zip(rows.to_dict("records"), ignored, strict=True)
    same = [spec(row | {"seed": 0}).key if free else row["key"] for row, free in keys]
    pairs = []
    for _, group in rows.assign(same=same).groupby("same"):
        values = group["test_metric"].iloc
        for i in range(len(group) - 1):
            pairs.append(group.iloc[i][PAIR].to_dict() | {"first": values[i], "second": values[i + 1]})
    return _differences(pandas.DataFrame(pairs, columns=[*PAIR, "first", "second"]), "first", "second")


def _differences(both: pandas.DataFrame, first: str, second: str) -> pandas.DataFrame:
    """`both` with `points`, second minus first, for accuracies, and `ratio`, second over first, for errors."""
    accuracy = both["metric"] == "accuracy"
    both["points"] = (both[second] - both[first]).where(accuracy)
    both["ratio"] = (both[second] / both[first]).where(~accuracy)
    return both


def agreement(table: pandas.DataFrame) -> pandas.DataFrame:
    """How near two columns of metrics come: shares in percent, per domain and model.

    `table` is one of `compare` or `duplicates`. Accuracies: the same digits (`exact`), and `POINTS`. Errors: `LOGARITHMS`.
    `lost` is the number of pairs of which a value is missing, as its run diverged or failed: they are not near.
    """
    rows = []
    for (domain, model), own in table.groupby(["domain", "model"], sort=False):
        if (own["metric"] == "accuracy").all():
            off = own["points"].abs()
            near = {"exact": off < EXACT} | {name: off <= limit for name, limit in POINTS.items()}
        else:
            off = numpy.log(own["ratio"]).abs()
            near = {name: off <= limit for name, limit in LOGARITHMS.items()}
        shares = {name: 100 * value.mean() for name, value in near.items()}
        rows.append({"domain": domain, "model": model, "rows": len(own), "lost": off.isna().sum()} | shares)
    return pandas.DataFrame(rows) if rows else pandas.DataFrame(columns=["domain", "model", "rows", "lost"])


def exceptions(table: pandas.DataFrame) -> pandas.DataFrame:
    """The MLP rows of a table of `compare` that do not come back: other digits, an error off by more than 0.1 %, or
    no value where the other row has one."""
    mlp = table[table["model"] == "MLP"]
    off = (mlp["points"].abs() >= EXACT) | ((mlp["ratio"] - 1).abs() > EXACT_ERROR)
    off |= mlp["released"].isna() != mlp["ours"].isna()
    return mlp[off].drop(columns=["drawn", "key", "grid", "order", "shortcut", "grid_range"])


def exceptions_in_words(table: pandas.DataFrame) -> str:
    """How many of the rows of accuracies among `exceptions` are of relu networks, and by how much all of them are off."""
    own = table[table["metric"] == "accuracy"]
    off = own["points"].abs()
    relu = (own["activation"] == "relu").sum()
    return (
        f"{len(own)} MLP rows of accuracies do not come back to the digit; {relu} of them are of relu networks. They are off "
        f"by {off.median():.2g} points in the median and by {off.max():.2g} at most."
    )


def summary(reruns: pandas.DataFrame) -> pandas.DataFrame:
    """What was trained again, per domain and model of the rows of `reruns.csv.gz`.

    The columns are datasets, runs, runs that diverged, hours of one core, and `best_minus_last`: by how much the best
    epoch on the test part flatters, on average, in points or as a mean absolute error. It is never negative.
    """
    sign = reruns["metric"].map({"accuracy": 1.0, "mae": -1.0})
    rows = reruns.assign(
        flattery=sign * (reruns["test_metric_best"] - reruns["test_metric_last"]),
        hours=reruns["run_seconds"] / 3600,
    )
    groups = rows.groupby(["domain", "model"], sort=False)
    return groups.agg(
        datasets=("dataset", "nunique"),
        runs=("seed", "size"),
        diverged=("diverged", "count"),
        core_hours=("hours", "sum"),
        best_minus_last=("flattery", "mean"),
    ).reset_index()


def effort(rows: pandas.DataFrame) -> pandas.DataFrame:
    """What each model was given, per dataset: rows, distinct settings (seed aside), seeds, epochs, most hidden units."""
    rows = rows.assign(units=[sum(map(int, widths.split("_"))) for widths in rows["widths"]])
    groups = rows.groupby(["domain", "dataset", "model"], sort=False)
    table = groups.agg(rows=("key", "size"), seeds=("seed", "nunique"), epochs=("epochs", "max"), most_units=("units", "max"))
    table.insert(1, "tries", groups.apply(lambda own: len(own[SETTINGS].drop_duplicates()), include_groups=False))
    return table.reset_index()


def equal_tries(rows: pandas.DataFrame, draws: int = 50, seed: int = 0) -> pandas.DataFrame:
    """`rows` with as many tries for KAN as for MLP: per dataset KAN rows are drawn at random, `draws` times.

    The draw's number takes the place of the seed, so that `statistics.verdict` averages over draws before it takes the
    interval over datasets.
    """
    generator = numpy.random.default_rng(seed)
    parts = []
    for _, own in rows.groupby("dataset"):
        kan = own[own["model"] == "KAN"]
        mlp = own[own["model"] == "MLP"]
        if len(mlp) and len(kan):
            for draw in range(draws):
                chosen = kan.sample(min(len(kan), len(mlp)), random_state=generator)
                parts.append(pandas.concat([chosen, mlp]).assign(seed=draw))
    return pandas.concat(parts, ignore_index=True)


def verdicts(rows: pandas.DataFrame) -> pandas.DataFrame:
    """`statistics.verdict` of released rows, or of re-runs, per domain with rows of both models on a dataset.

    Each comes with all tries and with as many tries for KAN as for MLP (column `tries`: "all" or "equal").
    """
    parts = []
    for domain, own in rows.groupby("domain", sort=False):
        if own.groupby("dataset")["model"].nunique().max() < 2:
            continue
        for label, table in (("all", own.assign(seed=0)), ("equal", equal_tries(own))):
            rows = TEST_ROWS.get(domain, numpy.inf)
            # at the paper's own counts: released rows have no other
            verdict = statistics.verdict(table, domain, unit="dataset", budgets=statistics.BUDGETS, test_rows=rows)
            parts.append(verdict.assign(tries=label))
    if not parts:
        raise InputError("no dataset has rows of both KAN and MLP; there is nothing to compare")
    return pandas.concat(parts, ignore_index=True)
