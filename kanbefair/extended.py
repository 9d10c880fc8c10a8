"""Trains every configuration that the authors ran on the datasets at hand again: `python -m kanbefair.extended`.

The runs are those of the paper profile (`studies`) on symbolic functions, tables and images, under the `published`
protocol. It writes to `results/extended/`: `reruns.csv.gz`, a row per run, and, if the released rows are to be had,
`agreement.csv` and `duplicates.csv`, how near the rows come to them and how near these come to each other, and
`exceptions.csv`, the rows of accuracies that do not come back to the digit.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas

from kanbefair import fit, published, studies, sweep
from kanbefair.data import Task
from kanbefair.data.files import offline
from kanbefair.data.registry import load
from kanbefair.errors import InputError
from kanbefair.outputs import PROJECT, writable
from kanbefair.specs import RunSpec

DOMAINS = ("symbolic", "tabular", "vision")
FOLDER = PROJECT / "results" / "extended"
COLUMNS = [
    "dataset", "domain", "metric", "model", "widths", "activation", "grid", "order", "shortcut", "grid_range", "lr",
    "batch_size", "epochs", "seed", "train_metric_last", "test_metric_last", "test_metric_best", "epoch_best", "diverged",
    "parameters", "flops", "flops_shared", "flops_local", "commit", "torch", "device", "run_seconds",
]  # fmt: skip


def train(specs: Sequence[RunSpec], task: Task, **options: object) -> list[dict]:
    """`fit.train` without the training part's curve: the released rows hold the last epoch."""
    return fit.train(specs, task, train_curve=False, **options)


def at_hand(data_dir: str = "") -> list[str]:
    """The paper's datasets of the three domains that can be loaded without a download."""
    found = []
    for name in (name for domain in DOMAINS for name in studies.PAPER_DATASETS[domain]):
        with offline(), suppress(InputError):
            load(name, data_dir or None, protocol="published")
            found.append(name)
    return found


def specs(domain: str, names: Sequence[str], released: pandas.DataFrame | None = None) -> list[RunSpec]:
    """Every configuration of a domain's section that the authors ran on the datasets `names`, and what `released` rows
    (`normalised`) there are beside."""
    chosen = [name for name in studies.PAPER_DATASETS[domain] if name in names]
    grid = studies.specs(domain, "paper", chosen) if chosen else []
    beside = [] if released is None else published.specs(released[released["dataset"].isin(chosen)])
    return list({spec.key: spec for spec in (*grid, *beside)}.values())


def table(records: Sequence[dict]) -> pandas.DataFrame:
    """Records as the rows of `reruns.csv.gz`, accuracies and errors to eight digits, `run_seconds` of one core."""
    rows = sweep.table(records).assign(run_seconds=[record["run_seconds"] for record in records])
    return rows.reindex(columns=COLUMNS)


def read() -> pandas.DataFrame | None:
    """The committed rows of all configurations, None if there are none."""
    path = FOLDER / "reruns.csv.gz"
    return pandas.read_csv(path) if path.is_file() else None


def normalised(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Released rows with the key of the run that returns them here: a KAN's seed counts for symbolic functions alone, whose
    points it draws."""
    ignored = (rows["model"] == "KAN") & (rows["domain"] != "symbolic")
    rows = rows.assign(seed=rows["seed"].mask(ignored, RunSpec.seed))
    return rows.assign(key=[published.spec(row).key for row in rows.to_dict("records")])


def run(data_dir: str = "", rows: str = "", *, workers: int = 0, device: str = "cpu", out: Path = FOLDER) -> None:
    """Train what is missing and write the tables to the folder `out`, domain by domain; the records lie in `runs/` there.

    Raises `InputError` if `rows` is named and cannot be read, or the data folder does not exist.
    """
    writable(out)
    try:
        released = normalised(published.released(rows, data_dir or None))
    except InputError:
        if rows:
            raise
        released = None
    names, records = at_hand(data_dir), []
    for domain in DOMAINS:
        wanted = specs(domain, names, released)
        options = {"data_dir": data_dir or None, "device": device, "workers": workers, "train": train}
        sweep.run(wanted, runs=out / "runs", label=domain, **options)
        store = sweep.Store(out / "runs")
        records += [store.read(spec.key) for spec in wanted]
        table(records).to_csv(
            out / "reruns.csv.gz", index=False, float_format="%.8g", compression={"method": "gzip", "mtime": 0}
        )
    if released is not None:
        compare(table(records), released, out)
