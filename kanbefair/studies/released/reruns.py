"""Trains every configuration that the authors ran once more: `python -m kanbefair.studies.released.reruns`.

The runs are those of the profile `paper` on symbolic functions, tables and images whose files are here, under the
`published` protocol. The tables go to `results/extended/`. `reruns.csv.gz` has a row per run. Given released rows there are
five more:

- `agreement.csv` and `agreement_by_dataset.csv`: how near the runs come to the released rows.
- `duplicates.csv`: how near the authors' duplicates come to each other.
- `differences.csv.gz`: all differences, sorted.
- `exceptions.csv`: the MLP rows that do not come back (`findings.exceptions`).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas

from kanbefair import sweep
from kanbefair.data.available import available
from kanbefair.errors import DoneInPart, exit_status
from kanbefair.folders import PROJECT, replaced, writable
from kanbefair.provenance import RESULTS_VERSION
from kanbefair.report import columns
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
    "data",
    "results_version",
]
"""The columns of `reruns.csv.gz`."""


def specs(domain: str, names: Sequence[str], released: pandas.DataFrame | None = None) -> list[RunSpec]:
    """Every configuration of a domain that the authors ran on the datasets `names`, each once.

    These are the grid of the profile `paper` and the runs of `released` rows (`normalised`), some of which lie off it.
    """
    chosen = [name for name in design.PAPER_DATASETS[domain] if name in names]
    grid = design.specs(domain, "paper", chosen) if chosen else []
    others = [] if released is None else released_rows.specs(released[released["dataset"].isin(chosen)])
    return list({spec.key: spec for spec in (*grid, *others)}.values())


def read(name: str) -> pandas.DataFrame | None:
    """The committed table `name` of `results/extended/`, None if it is not there."""
    return next((pandas.read_csv(path) for path in FOLDER.glob(f"{name}.csv*")), None)


def keyed(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Rows of `reruns.csv.gz`, or released ones, with the protocol and the key of their run.

    `reruns.csv.gz` holds neither: the key follows from the other columns, and it is what joins rows, runs and records.
    """
    rows = rows.assign(widths=rows["widths"].astype(str), protocol="published")
    return rows.assign(key=[released_rows.spec(row).key for row in rows.to_dict("records")])


def still_valid(rows: pandas.DataFrame, wanted: Sequence[sweep.Identity]) -> pandas.Series:
    """Which rows count as done: those of this results version, on the data that are here now or that are not here."""
    data = rows["key"].map({own.spec.key: own.data for own in wanted})
    return (rows["results_version"] == RESULTS_VERSION) & (data.isna() | (data == rows["data"]))


def normalised(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Released rows with the key of the run that returns them here.

    The authors' KAN sets the seed to 0 before it draws anything, so that rows which differ in the seed alone are one run.
    It is trained once, with the default seed. For symbolic functions the seed counts, as their points are drawn from it.
    """
    ignored = (rows["model"] == "KAN") & (rows["domain"] != "symbolic")
    return keyed(rows.assign(seed=rows["seed"].mask(ignored, RunSpec.seed)))


def run(data_dir: str = "", rows: str = "", *, workers: int = 0, device: str = "cpu", out: Path = FOLDER) -> None:
    """Train what the folder `out` has no row of yet, domain by domain, and write its tables.

    Interrupt it when you like: the rows that are finished are written, and the next call goes on from there.

    Args:
        data_dir: folder with the real datasets; empty: see `folders.data_folder`.
        rows: file with released rows (`rows.released`); empty: nothing is compared.
        workers: processes; 0: one per core.
        device: "cpu" or "cuda".
        out: folder of the tables; new records go to `runs/` in it.

    Raises `InputError` if `rows` cannot be read, `out` cannot be written, or the data folder does not exist, and, when all
    others are done, if some runs failed.
    """
    writable(out)
    released = normalised(released_rows.released(rows, data_dir)) if rows else None
    names = available([name for domain in DOMAINS for name in design.PAPER_DATASETS[domain]], data_dir)
    store = sweep.Store(out / "runs")
    known = keyed(pandas.read_csv(out / "reruns.csv.gz")) if (out / "reruns.csv.gz").is_file() else None
    wanted = sweep.identify([spec for domain in DOMAINS for spec in specs(domain, names, released)], data_dir)
    if known is not None:
        known = known[still_valid(known, wanted)]
    done = set() if known is None else set(known["key"])
    failed = []
    try:
        for domain in DOMAINS:
            missing = [spec for spec in specs(domain, names, released) if spec.key not in done]
            options = {"data_dir": data_dir, "device": device, "workers": workers, "label": domain}
            try:
                sweep.run(missing, runs=store.folder, **options)
            except sweep.RunsFailed as error:
                failed.append(f"{domain}: {error}")
    finally:
        fresh = [record for own in wanted if own.spec.key not in done and (record := store.read(own))]
        table = sweep.table(fresh).assign(run_seconds=[record["run_seconds"] for record in fresh])
        order = {own.spec.key: place for place, own in enumerate(wanted)}
        table = pandas.concat([part for part in (known, table) if part is not None and len(part)])
        table = table.sort_values("key", key=lambda keys: keys.map(order), kind="stable")
        write(table.reindex(columns=COLUMNS), out / "reruns.csv.gz")
        if released is not None:
            compare(released, table, out)
    if failed:
        raise DoneInPart("; ".join(failed))


def compare(released: pandas.DataFrame, runs: pandas.DataFrame, out: Path) -> None:
    """Write how near `runs` come to `released` rows of equal keys, and the authors' duplicates to each other."""
    ours = findings.compare(released.assign(drawn=False), runs)
    theirs = findings.duplicates(released)
    write(findings.agreement(ours), out / "agreement.csv")
    write(findings.agreement(ours.assign(domain=ours["dataset"])), out / "agreement_by_dataset.csv")
    write(findings.agreement(theirs), out / "duplicates.csv")
    pairs = pandas.concat([ours.assign(pair="ours / released"), theirs.assign(pair="released twice")])
    differences = pairs[["domain", "model", "pair", "points", "ratio"]]
    write(differences.sort_values([*differences], ignore_index=True), out / "differences.csv.gz")
    write(findings.exceptions(ours), out / "exceptions.csv")


def write(table: pandas.DataFrame, path: Path) -> None:
    """Write a declared table as CSV, packed if its name says so; equal tables give equal files."""
    columns.check(f"extended/{path.name.split('.')[0]}", table.columns)
    packed = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    with replaced(path) as fresh:
        table.to_csv(fresh, index=False, float_format="%.8g", lineterminator="\n", compression=packed)


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
