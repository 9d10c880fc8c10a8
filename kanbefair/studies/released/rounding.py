"""Trains the MLP rows of accuracies once more, with float32 sums in another order.

    MKL_CBWR=COMPATIBLE python -m kanbefair.studies.released.rounding --rows …

Intel's MKL multiplies the matrices of PyTorch on a CPU. That variable makes it add up as any processor can, and nothing else
changes. How often two runs of ours then differ says how often a run may differ from a released row by round-off alone.

`results/extended/rounding.csv` has a row per released row, with three test accuracies in percent: `released`, `ours` from
`reruns.csv.gz`, and `other` from here.
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

VARIABLE = "MKL_CBWR"
VALUE = "COMPATIBLE"
SETTINGS = ["dataset", "widths", "activation", "lr"]
PAIRS = {
    "ours = released": ("ours", "released"),
    "other = released": ("other", "released"),
    "ours = other": ("ours", "other"),
}
"""Which two columns of `rounding.csv` are compared, by the name of the column that says how often they are equal."""


def run(data_dir: str = "", rows: str = "", *, workers: int = 0, out: Path = reruns.FOLDER) -> None:
    """Train what both `reruns.csv.gz` in `out` and the released `rows` (`rows.released`) hold, and write the table.

    Raises `InputError` if PyTorch has no MKL here, if the variable is not set, or if the rows cannot be read.
    """
    if not torch.backends.mkl.is_available():
        raise InputError("PyTorch does not multiply with MKL here, so that the runs would be the same")
    if os.environ.get(VARIABLE) != VALUE:
        raise InputError(f"set {VARIABLE}={VALUE} before Python starts; without it the runs would be the same")
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
    """Per activation and dataset of `rounding.csv`: the rows, and for each of `PAIRS` how many of them are the same digits."""
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
