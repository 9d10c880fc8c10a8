"""What the authors released: the paper's headline bars and their result rows (docs/protocol.md: Released rows).

The rows are those of `results/results.csv` in the authors' repository (yu-rp/KANbeFair). It has one row per run, no header,
and the metrics after the last epoch. The headline bars and a few dozen rows are quoted from it and ship with the package.
"""

from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy
import pandas

from kanbefair.data import dataset, names
from kanbefair.data.available import available
from kanbefair.data.files import check_first, fetch
from kanbefair.errors import InputError
from kanbefair.folders import data_folder
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
"""The columns of the authors' file, which has no header."""
SETTINGS = ["widths", "activation", "grid", "order", "shortcut", "grid_range", "lr"]
"""The columns that tell one try from another."""


def _shipped(name: str) -> pandas.DataFrame:
    return pandas.read_csv(files("kanbefair.studies.released") / name)


def headline() -> pandas.DataFrame:
    """The paper's headline bars: one row per domain with the metric, KAN, MLP, the unit and the source."""
    return _shipped("published_figures.csv")


def quoted() -> pandas.DataFrame:
    """A few dozen released rows on symbolic functions, as `released` gives them."""
    return _tidy(_shipped("published_rows.csv"))


def _check(file: Path, kept: Path) -> None:
    """Raise `OSError` if a download has not the known length or is not what the first one brought (`check_first`)."""
    if file.stat().st_size != BYTES:
        raise OSError(f"it has {file.stat().st_size:,} bytes, not the known {BYTES:,}")
    check_first(file, kept)


def released(path: str | Path = "", data_dir: str | Path | None = None) -> pandas.DataFrame:
    """All released rows that `path` holds: the authors' own file, or a CSV with a header and the columns used here.

    Without a path the authors' file is looked for as `KANbeFair/results.csv` in the data folder. If it is not there it is
    downloaded to it. As no checksum is published, its length is checked and that it is what the first download brought.
    Raises `InputError` if it cannot be downloaded or is not such a file.

    The columns are those that describe a run, `train_metric`, `test_metric`, `domain`, `metric` ("accuracy" in percent, or
    "mae", the mean absolute error), `test_metric_last`, which is `test_metric` by the name that our tables have for it, and
    `key`, the key of the run that the row describes.
    """
    file = Path(path).expanduser() if path else data_folder(data_dir) / "KANbeFair" / "results.csv"
    if not file.is_file() and not path:
        try:
            fetch(URL, file, check=partial(_check, kept=file.with_name(f"{file.name}.sha256")))
        except OSError as error:
            raise InputError(
                f"the released rows are missing and {URL} cannot be downloaded ({error}); put them at '{file}'"
            ) from None
    try:
        with file.open() as lines:
            header = lines.readline().startswith("dataset,")
        return _tidy(pandas.read_csv(file) if header else pandas.read_csv(file, names=COLUMNS))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"'{file}' does not hold released rows ({error})") from None


def _tidy(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Rows of known datasets with domain, metric and key added; fields that a model does not read are empty."""
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


def for_profile(profile: str, path: str | Path = "", data_dir: str | Path | None = None) -> pandas.DataFrame:
    """The released rows that a profile works on.

    `smoke` has two of the quoted ones, `embedded` the quoted ones unless `path` names a file, `paper` all that `released`
    finds.
    """
    if profile == "smoke":
        return quoted().groupby("model", as_index=False).head(1)
    return released(path, data_dir) if path or profile == "paper" else quoted()


def draw(rows: pandas.DataFrame, count: int, seed: int) -> pandas.DataFrame:
    """All rows if there are at most `count`; else `count` rows drawn at random (column `drawn`), and every MLP row besides."""
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


def loadable(rows: pandas.DataFrame, data_dir: str | Path | None = None) -> pandas.DataFrame:
    """The rows whose dataset loads here without a download (`data.available`)."""
    return rows[rows["dataset"].isin(available(rows["dataset"], data_dir))]
