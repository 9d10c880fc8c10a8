"""What the authors released: the paper's headline bars, their result rows, and how our re-runs compare.

The rows are those of `results/results.csv` in the authors' repository (yu-rp/KANbeFair): one row per run, no header, the
last epoch's metrics. Quoted from it and shipped with the package: the headline bars and a few dozen rows.
"""

from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import numpy
import pandas

from kanbefair.data import dataset, load, names
from kanbefair.data.files import fetch, offline
from kanbefair.errors import InputError
from kanbefair.folders import data_folder
from kanbefair.report import statistics
from kanbefair.specs import RunSpec

URL = "https://raw.githubusercontent.com/yu-rp/KANbeFair/203b7fc73a9fa19bb381412f58a2585f7aa47e19/results/results.csv"
BYTES = 3_467_911
COLUMNS = [
    "time",
    "dataset",
    "model",
    "widths",
    "batch_norm",
    "activation",
    "batch_size",
    "epochs",
    "lr",
    "seed",
    "grid",
    "order",
    "shortcut",
    "grid_range",
    "train_metric",
    "test_metric",
    "parameters",
    "flops",
    "seconds",
    "seconds_per_epoch",
]
SETTINGS = ["widths", "activation", "grid", "order", "shortcut", "grid_range", "lr"]
EXACT = 1e-6
"""Points of accuracy below which two printed accuracies are the same digits."""


def _embedded(name: str) -> pandas.DataFrame:
    return pandas.read_csv(files("kanbefair.data") / "embedded" / name)


def headline() -> pandas.DataFrame:
    """The paper's headline bars: one row per domain with the metric, KAN, MLP, the unit and the source."""
    return _embedded("published_figures.csv")


def quoted() -> pandas.DataFrame:
    """A few dozen released rows on symbolic functions, as `released` gives them."""
    return _tidy(_embedded("published_rows.csv"))


def released(path: str | Path = "", data_dir: str | Path | None = None) -> pandas.DataFrame:
    """All released rows that `path` holds: the authors' own file, or a CSV with a header and the columns used here.

    Without a path the authors' file is looked for as `KANbeFair/results.csv` in the data folder and, if it is not there,
    downloaded to it (its length and its counts are checked; no checksum is published). Raises `InputError` if it
    cannot be had or is not such a file.
    """
    file = Path(path).expanduser() if path else data_folder(data_dir) / "KANbeFair" / "results.csv"
    if not file.is_file() and not path:
        try:
            fetch(URL, file)
        except OSError as error:
            raise InputError(f"the released rows are missing and {URL} cannot be had ({error}); put them at '{file}'") from None
        if file.stat().st_size != BYTES:
            file.unlink()
            raise InputError(f"{URL} is not the file of {BYTES:,} bytes that was read; put the released rows at '{file}'")
    try:
        with file.open() as lines:
            header = lines.readline().startswith("dataset,")
        return _tidy(pandas.read_csv(file) if header else pandas.read_csv(file, names=COLUMNS))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"'{file}' does not hold released rows ({error})") from None


def _tidy(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Only the columns that are used, the domain added, fields that a model does not read empty."""
    rows = rows.assign(widths=rows["widths"].astype(str), protocol="published")
    kan = rows["model"] == "KAN"
    for name in ("grid", "order", "shortcut", "grid_range"):
        rows[name] = rows[name].where(kan)
    rows["activation"] = rows["activation"].where(~kan)
    known = set(names())
    rows = rows[rows["dataset"].isin(known)].reset_index(drop=True)
    if rows.empty:
        raise ValueError("no row has a known dataset")
    domains = {name: dataset(name).domain for name in rows["dataset"].unique()}
    rows["domain"] = rows["dataset"].map(domains)
    rows["metric"] = numpy.where(rows["domain"] == "symbolic", "mae", "accuracy")
    return rows.assign(test_metric_last=rows["test_metric"], key=[spec(row).key for row in rows.to_dict("records")])


def at_hand(profile: str, path: str | Path = "", data_dir: str | Path | None = None) -> pandas.DataFrame:
    """The released rows that a profile works on: `smoke` two of the quoted ones, `embedded` the quoted ones unless `path`
    names a file, `paper` all that `released` finds."""
    if profile == "smoke":
        return quoted().groupby("model", as_index=False).head(1)
    return released(path, data_dir) if path or profile == "paper" else quoted()


def draw(rows: pandas.DataFrame, count: int, seed: int) -> pandas.DataFrame:
    """All rows if there are at most `count`; else every MLP row, and `count` rows drawn at random from all (column `drawn`)."""
    if len(rows) <= count:
        return rows.assign(drawn=True)
    drawn = rows.index.isin(rows.sample(count, random_state=seed).index)
    return rows.assign(drawn=drawn)[drawn | (rows["model"] == "MLP")]


def spec(row: dict[str, object]) -> RunSpec:
    """The run that a released row describes, under the `published` protocol."""
    own = (
        {"activation": row["activation"]}
        if row["model"] == "MLP"
        else {
            "grid": int(row["grid"]),
            "order": int(row["order"]),
            "shortcut": row["shortcut"],
            "grid_range": tuple(map(float, row["grid_range"].split("_"))),
        }
    )
    return RunSpec(
        dataset=row["dataset"],
        model=row["model"],
        widths=tuple(map(int, row["widths"].split("_"))),
        protocol="published",
        seed=int(row["seed"]),
        epochs=int(row["epochs"]),
        batch_size=int(row["batch_size"]),
        lr=float(row["lr"]),
        **own,
    )


def specs(rows: pandas.DataFrame) -> list[RunSpec]:
    """The runs of released rows, each once."""
    return list({one.key: one for one in map(spec, rows.to_dict("records"))}.values())


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


def available(rows: pandas.DataFrame, data_dir: str | Path | None = None) -> pandas.DataFrame:
    """The rows whose dataset ships with the package or lies in the data folder; nothing is downloaded."""
    there = set()
    for name in rows["dataset"].unique():
        with offline(), suppress(InputError):
            load(name, data_dir, protocol="published")
            there.add(name)
    return rows[rows["dataset"].isin(there)]
