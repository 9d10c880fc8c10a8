"""Trains the MLP rows of accuracies again in another order of float32 operations: `MKL_CBWR=COMPATIBLE python -m
kanbefair.studies.released.rounding --rows …`.

That variable has Intel's MKL, which multiplies the matrices of PyTorch on a CPU, add up as any processor can; nothing else
changes. How often two runs of ours then differ says how often a run may differ from a released row by round-off alone.
Written to `results/extended/rounding.csv`, a row per released row: its test accuracy as `released`, in `reruns.csv.gz` as
`ours`, and here as `other`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas
import torch

from kanbefair import sweep
from kanbefair.errors import InputError, exit_status
from kanbefair.folders import writable
from kanbefair.studies.released import findings, reruns
from kanbefair.studies.released import rows as released_rows

VARIABLE, VALUE = "MKL_CBWR", "COMPATIBLE"
SETTINGS = ["dataset", "widths", "activation", "lr"]
PAIRS = {
    "ours = released": ("ours", "released"),
    "other = released": ("other", "released"),
    "ours = other": ("ours", "other"),
}


def run(data_dir: str = "", rows: str = "", *, workers: int = 0, out: Path = reruns.FOLDER) -> None:
    """Train what `reruns.csv.gz` in `out` and the released `rows` (`rows.released`) both hold and write the table.

    Raises `InputError` if there is no MKL, if it was not told to, or if the rows cannot be read.
    """
    if not torch.backends.mkl.is_available():
        raise InputError("PyTorch does not multiply with MKL here; the runs would be the same")
    if os.environ.get(VARIABLE) != VALUE:
        raise InputError(f"set {VARIABLE}={VALUE} before Python starts; the runs would otherwise be the same")
    retrained = reruns.keyed(pandas.read_csv(writable(out) / "reruns.csv.gz")).set_index("key")
    released = reruns.normalised(released_rows.released(rows, data_dir))
    mlp = (released["model"] == "MLP") & (released["metric"] == "accuracy")
    chosen = released[mlp & released["key"].isin(retrained.index)]
    specs = released_rows.specs(chosen)
    options = {"data_dir": data_dir, "workers": workers, "label": "rounded otherwise"}
    other = sweep.run(specs, runs=out / "runs" / "rounding", **options).set_index("key")
    table = chosen[SETTINGS].assign(
        released=chosen["test_metric"],
        ours=chosen["key"].map(retrained["test_metric_last"]),
        other=chosen["key"].map(other["test_metric_last"]),
    )
    reruns.write(table, out / "rounding.csv")


def agreement(table: pandas.DataFrame) -> pandas.DataFrame:
    """Per activation and dataset of `rounding.csv` the rows, and how many are the same to the digit for each of `PAIRS`."""
    same = {name: (table[a] - table[b]).abs() < findings.EXACT for name, (a, b) in PAIRS.items()}
    groups = table.assign(**same).groupby(["activation", "dataset"])
    return groups.agg(rows=("lr", "size"), **{name: (name, "sum") for name in PAIRS}).reset_index()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.studies.released.rounding", description=__doc__.splitlines()[0])
    p.add_argument("--data-dir", default="", help="folder with the real datasets (default: $KANBEFAIR_DATA)")
    p.add_argument("--rows", default="", help="file with the released rows to compare with")
    p.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    args = p.parse_args(argv)
    return exit_status(lambda: run(args.data_dir, args.rows, workers=args.workers))


if __name__ == "__main__":
    sys.exit(main())
