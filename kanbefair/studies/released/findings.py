"""How near our re-runs come to the released rows, what each network was given, and what the rows say."""

import numpy
import pandas

from kanbefair.report import statistics
from kanbefair.studies.released.rows import SETTINGS, spec


def compare(rows: pandas.DataFrame, runs: pandas.DataFrame) -> pandas.DataFrame:
    """Released rows beside our re-runs (a table of `workers.run`), joined by key: `released` and `ours` are the test metric at
    the last epoch, `points` their difference for accuracies, `ratio` ours over theirs for errors."""
    columns = ["dataset", "domain", "metric", "model", *SETTINGS, "seed", "key", "drawn"]
    ours = runs[["key", "test_metric_last"]].rename(columns={"test_metric_last": "ours"}).drop_duplicates("key")
    both = rows[[*columns, "test_metric"]].rename(columns={"test_metric": "released"}).merge(ours, on="key")
    return _differences(both, "released", "ours")


def _differences(both: pandas.DataFrame, first: str, second: str) -> pandas.DataFrame:
    accuracy = both["metric"] == "accuracy"
    both["points"] = (both[second] - both[first]).where(accuracy)
    both["ratio"] = (both[second] / both[first]).where(~accuracy)
    return both


def duplicates(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Pairs of released rows that should agree: the same run printed twice, and KAN rows that differ in the seed alone, which
    their constructor ignores (not for symbolic functions, whose data is drawn from the seed). Each pair once, in the
    columns of `compare`, with `first` and `second` in place of released and ours."""
    ignored = (rows["model"] == "KAN") & (rows["domain"] != "symbolic")
    keys = zip(rows.to_dict("records"), ignored, strict=True)
    same = [spec(row | {"seed": 0}).key if free else row["key"] for row, free in keys]
    pairs = []
    for _, group in rows.assign(same=same).groupby("same"):
        for i in range(len(group) - 1):
            pair = group.iloc[i][["dataset", "domain", "metric", "model"]].to_dict()
            values = group["test_metric"].iloc
            pairs.append(pair | {"first": values[i], "second": values[i + 1]})
    columns = ["dataset", "domain", "metric", "model", "first", "second"]
    return _differences(pandas.DataFrame(pairs, columns=columns), "first", "second")


def agreement(table: pandas.DataFrame) -> pandas.DataFrame:
    """How near two columns of metrics come, per domain and model, from the table of `compare` or `duplicates`: shares in
    percent. Accuracies: equal in every digit, within 0.15 and 0.5 points. Errors: within 0.1 %, 0.2 %, 5 % and a
    factor of 1.1."""
    rows = []
    for (domain, model), own in table.groupby(["domain", "model"], sort=False):
        row = {"domain": domain, "model": model, "rows": len(own)}
        if (own["metric"] == "accuracy").all():
            off = own["points"].abs()
            row |= {"exact": (off < EXACT), "within 0.15 points": off <= 0.15, "within 0.5 points": off <= 0.5}
        else:
            off = numpy.log(own["ratio"]).abs()
            row |= {
                "within 0.1 %": off <= 0.001,
                "within 0.2 %": off <= 0.002,
                "within 5 %": off <= 0.05,
                "within 1.1 times": off <= numpy.log(1.1),
            }
        rows.append({name: 100 * value.mean() if isinstance(value, pandas.Series) else value for name, value in row.items()})
    return pandas.DataFrame(rows) if rows else pandas.DataFrame(columns=["domain", "model", "rows"])


def effort(rows: pandas.DataFrame) -> pandas.DataFrame:
    """What each model was given, per dataset: rows, distinct settings (seed aside), seeds, epochs, most hidden units."""
    rows = rows.assign(units=[sum(map(int, widths.split("_"))) for widths in rows["widths"]])
    groups = rows.groupby(["domain", "dataset", "model"], sort=False)
    table = groups.agg(rows=("key", "size"), seeds=("seed", "nunique"), epochs=("epochs", "max"), most_units=("units", "max"))
    table.insert(1, "tries", groups.apply(lambda own: len(own[SETTINGS].drop_duplicates()), include_groups=False))
    return table.reset_index()


def equal_tries(rows: pandas.DataFrame, draws: int = 50, seed: int = 0) -> pandas.DataFrame:
    """`rows` with as many tries for KAN as for MLP: per dataset KAN rows drawn at random, `draws` times; the draw's number
    takes the place of the seed, so that `stats` averages over draws before it takes the interval over datasets."""
    generator = numpy.random.default_rng(seed)
    parts = []
    for _, own in rows.groupby("dataset"):
        kan, mlp = own[own["model"] == "KAN"], own[own["model"] == "MLP"]
        if len(mlp) and len(kan):
            for draw in range(draws):
                chosen = kan.sample(min(len(kan), len(mlp)), random_state=generator)
                parts.append(pandas.concat([chosen, mlp]).assign(seed=draw))
    return pandas.concat(parts, ignore_index=True)


def verdicts(rows: pandas.DataFrame) -> pandas.DataFrame:
    """`statistics.verdict` of rows such as the released ones per domain that has rows of both models, with all tries and with
    equal tries (column `tries`)."""
    parts = []
    for domain, own in rows.groupby("domain", sort=False):
        if own["model"].nunique() < 2:
            continue
        for label, table in (("all", own.assign(seed=0)), ("equal", equal_tries(own))):
            parts.append(statistics.verdict(table, domain, unit="dataset").assign(tries=label))
    return pandas.concat(parts, ignore_index=True)


EXACT = 1e-6
"""Points of accuracy below which two printed accuracies are the same digits."""
