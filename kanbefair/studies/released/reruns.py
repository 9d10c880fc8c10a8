"""Trains every configuration that the authors ran on the datasets at hand again: `python -m kanbefair.studies.released.reruns`.

The runs are those of the paper profile (`studies`) on symbolic functions, tables and images, under the `published`
protocol. It writes to `results/extended/`: `reruns.csv.gz`, a row per run, and, given released rows, `agreement.csv` and
`agreement_by_dataset.csv`, how near the runs come to them; `duplicates.csv`, how near these come to each other;
`differences.csv.gz`, all differences by size; and `exceptions.csv`, the MLP rows that do not come back (accuracies: to the
digit; errors: within 0.1 %).
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas

from kanbefair import sweep
from kanbefair.data.files import offline
from kanbefair.data.registry import load
from kanbefair.errors import InputError, exit_status
from kanbefair.folders import PROJECT, data_folder, writable
from kanbefair.specs import RunSpec
from kanbefair.studies.domains import design
from kanbefair.studies.released import findings
from kanbefair.studies.released import rows as released_rows

DOMAINS = ("symbolic", "tabular", "vision")
FOLDER = PROJECT / "results" / "extended"
COLUMNS = [
    "dataset",
    "domain",
    "metric",
    "model",
    "widths",
    "activation",
    "grid",
    "order",
    "shortcut",
    "grid_range",
    "lr",
    "batch_size",
    "epochs",
    "seed",
    "train_metric_last",
    "test_metric_last",
    "test_metric_best",
    "epoch_best",
    "diverged",
    "parameters",
    "flops",
    "flops_shared",
    "flops_local",
    "commit",
    "torch",
    "device",
    "run_seconds",
]


def at_hand(data_dir: str = "") -> list[str]:
    """The paper's datasets of the three domains that can be loaded without a download."""
    found = []
    for name in (name for domain in DOMAINS for name in design.PAPER_DATASETS[domain]):
        with offline(), suppress(InputError):
            load(name, data_dir or None, protocol="published")
            found.append(name)
    return found


def specs(domain: str, names: Sequence[str], released: pandas.DataFrame | None = None) -> list[RunSpec]:
    """Every configuration of a domain's section that the authors ran on the datasets `names`, and what `released` rows
    (`normalised`) there are beside."""
    chosen = [name for name in design.PAPER_DATASETS[domain] if name in names]
    grid = design.specs(domain, "paper", chosen) if chosen else []
    beside = [] if released is None else released_rows.specs(released[released["dataset"].isin(chosen)])
    return list({spec.key: spec for spec in (*grid, *beside)}.values())


def read(name: str) -> pandas.DataFrame | None:
    """The committed table `name` of `results/extended`, None if there is none."""
    return next((pandas.read_csv(path) for path in FOLDER.glob(f"{name}.csv*")), None)


def summary(reruns: pandas.DataFrame) -> pandas.DataFrame:
    """Per domain and model of the rows of `reruns.csv.gz`: datasets, runs, runs that diverged, hours of one core, and by how
    much the best epoch on the test part flatters (mean of best minus last, in the metric's own direction)."""
    sign = reruns["metric"].map({"accuracy": 1.0, "mae": -1.0})
    rows = reruns.assign(
        flattery=sign * (reruns["test_metric_best"] - reruns["test_metric_last"]), hours=reruns["run_seconds"] / 3600
    )
    groups = rows.groupby(["domain", "model"], sort=False)
    return groups.agg(
        datasets=("dataset", "nunique"),
        runs=("seed", "size"),
        diverged=("diverged", "count"),
        core_hours=("hours", "sum"),
        best_minus_last=("flattery", "mean"),
    ).reset_index()


def keyed(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Rows of `reruns.csv.gz` or released ones with the protocol and the key of their run."""
    rows = rows.assign(widths=rows["widths"].astype(str), protocol="published")
    return rows.assign(key=[released_rows.spec(row).key for row in rows.to_dict("records")])


def normalised(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Released rows with the key of the run that returns them here: a KAN's seed counts for symbolic functions alone, whose
    points it draws."""
    ignored = (rows["model"] == "KAN") & (rows["domain"] != "symbolic")
    return keyed(rows.assign(seed=rows["seed"].mask(ignored, RunSpec.seed)))


def run(data_dir: str = "", rows: str = "", *, workers: int = 0, device: str = "cpu", out: Path = FOLDER) -> None:
    """Train what the folder `out` has no row of yet, domain by domain, and write its tables; new records lie in `runs/`
    there. Interrupt it when you like: the rows that are finished are written, and the next call goes on from there.

    `rows` names a file with released rows (`rows.released`); without it nothing is compared. Raises `InputError` if
    it cannot be read or the data folder does not exist.
    """
    writable(out)
    data_folder(data_dir)
    released = normalised(released_rows.released(rows, data_dir)) if rows else None
    names, store = at_hand(data_dir), sweep.Store(out / "runs")
    known = keyed(pandas.read_csv(out / "reruns.csv.gz")) if (out / "reruns.csv.gz").is_file() else None
    wanted = [spec for domain in DOMAINS for spec in specs(domain, names, released)]
    done = set() if known is None else set(known["key"])
    try:
        for domain in DOMAINS:
            missing = [spec for spec in specs(domain, names, released) if spec.key not in done]
            options = {"data_dir": data_dir, "device": device, "workers": workers, "label": domain}
            sweep.run(missing, runs=store.folder, **options)
    finally:
        fresh = [record for spec in wanted if spec.key not in done and (record := store.read(spec.key))]
        table = sweep.table(fresh).assign(run_seconds=[record["run_seconds"] for record in fresh])
        order = {spec.key: place for place, spec in enumerate(wanted)}
        table = pandas.concat([part for part in (known, table) if part is not None and len(part)])
        table = table.sort_values("key", key=lambda keys: keys.map(order), kind="stable")
        write(table.reindex(columns=COLUMNS), out / "reruns.csv.gz")
        if released is not None:
            compare(released, table, out)


def compare(released: pandas.DataFrame, runs: pandas.DataFrame, out: Path) -> None:
    """Write how near `runs` come to `released` rows of equal keys, and these to each other where a run is there twice."""
    ours, theirs = findings.compare(released.assign(drawn=False), runs), findings.duplicates(released)
    write(findings.agreement(ours), out / "agreement.csv")
    write(findings.agreement(ours.assign(domain=ours["dataset"])), out / "agreement_by_dataset.csv")
    write(findings.agreement(theirs), out / "duplicates.csv")
    pairs = pandas.concat([ours.assign(pair="ours / released"), theirs.assign(pair="released twice")])
    differences = pairs[["domain", "model", "pair", "points", "ratio"]]
    write(differences.sort_values([*differences], ignore_index=True), out / "differences.csv.gz")
    mlp = ours[ours["model"] == "MLP"]
    off = (mlp["points"].abs() >= findings.EXACT) | ((mlp["ratio"] - 1).abs() > 0.001)
    write(mlp[off].drop(columns=["drawn", "key", "grid", "order", "shortcut", "grid_range"]), out / "exceptions.csv")


def write(table: pandas.DataFrame, path: Path) -> None:
    """Write a table so that equal tables are equal files."""
    packed = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    table.to_csv(path, index=False, float_format="%.8g", lineterminator="\n", compression=packed)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.studies.released.reruns", description=__doc__.splitlines()[0])
    p.add_argument("--data-dir", default="", help="folder with the real datasets (default: $KANBEFAIR_DATA)")
    p.add_argument("--rows", default="", help="file with the released rows to compare with")
    p.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    p.add_argument("--device", default="cpu")
    args = p.parse_args(argv)
    return exit_status(lambda: run(args.data_dir, args.rows, workers=args.workers, device=args.device))


if __name__ == "__main__":
    sys.exit(main())
