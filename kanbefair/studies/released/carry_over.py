"""Carries `reruns.csv.gz` over to this results version: `python -m kanbefair.studies.released.carry_over`.

A change of the results version need not concern these runs. Some rows, drawn at random from every domain and model, are
trained again; if all of them return what they did, every row is given the digest of the data that are here and the results
version. Rows whose data are not here stay as they are.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas

from kanbefair import sweep
from kanbefair.data.available import available
from kanbefair.errors import InputError, exit_status
from kanbefair.provenance import RESULTS_VERSION
from kanbefair.studies.released import reruns
from kanbefair.studies.released import rows as released_rows

ROWS = 3
"""So many rows of each domain and model are trained again."""
SAME = 1e-7
"""A figure that differs by no more than this share is the same: the table keeps eight digits."""
CHECKED = ("test_metric_last", "test_metric_best")


def run(data_dir: str = "", *, workers: int = 0, rows: int = ROWS, out: Path = reruns.FOLDER) -> str:
    """Carry the table in the folder `out` over; returns in words what was done.

    Raises `InputError` if a row that is trained again returns something else, or there are no rows.
    """
    path = out / "reruns.csv.gz"
    if not path.is_file():
        raise InputError(f"'{path}' does not exist; there is nothing to carry over")
    table = reruns.keyed(pandas.read_csv(path))
    here = table[table["dataset"].isin(available(table["dataset"].unique(), data_dir))]
    drawn = here.groupby(["domain", "model"]).sample(rows, random_state=RESULTS_VERSION, replace=False)
    with TemporaryDirectory(prefix="kanbefair-") as folder:
        again = sweep.run(
            [released_rows.spec(row) for row in drawn.to_dict("records")], runs=folder, data_dir=data_dir, workers=workers
        )
    for name in CHECKED:
        was, now = drawn[name].to_numpy(float), again[name].to_numpy(float)
        differs = ~((abs(was - now) <= SAME * abs(was)) | ((was != was) & (now != now)))
        if differs.any():
            first = drawn[differs].iloc[0]
            raise InputError(
                f"{differs.sum()} of {len(drawn)} rows return another {name}, such as {first['model']} {first['widths']} on "
                f"{first['dataset']}: {was[differs][0]:.8g} then, {now[differs][0]:.8g} now; train all again with "
                f"kanbefair.studies.released.reruns"
            )
    identities = sweep.identify([released_rows.spec(row) for row in here.to_dict("records")], data_dir)
    table.loc[here.index, "data"] = [own.data for own in identities]
    table.loc[here.index, "results_version"] = RESULTS_VERSION
    reruns.write(table.reindex(columns=reruns.COLUMNS), path)
    return (
        f"{len(here)} of {len(table)} rows carried over to results version {RESULTS_VERSION}; {len(drawn)} were trained again"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.studies.released.carry_over", description=__doc__.splitlines()[0])
    p.add_argument("--data-dir", default="", help="folder with the real datasets (default: $KANBEFAIR_DATA)")
    p.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    args = p.parse_args(argv)
    return exit_status(lambda: print(run(args.data_dir, workers=args.workers)))


if __name__ == "__main__":
    sys.exit(main())
