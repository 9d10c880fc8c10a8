"""Makes the tables of the embedded profile anew and compares them with the kept ones: `python -m kanbefair.verify [section …]`.

Every run is trained again, in a temporary folder. Numbers are the same to the last digit where results version, processor, its
vector instructions, the setting of MKL, form of the spline operators and threads are the same: a table that names others is
not compared. A kept table that its section writes no longer is different, too, and so is one that no notebook writes.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from kanbefair import execute
from kanbefair.errors import InputError, choose, exit_status
from kanbefair.folders import PROJECT
from kanbefair.report.columns import COMPUTED

PROFILE = "embedded"
KEPT = PROJECT / "results" / PROFILE
PLACE = tuple(column.name for column in COMPUTED)
"""The columns that say how and where a table was made."""
LEFT_OUT = ("commit", "kanbefair", "python")
"""The columns that may differ though all numbers are the same."""
TIMES = "notebook_seconds"
BAD = ("different", "failed")
"""The states of a result that end in exit status 1."""


@dataclass(frozen=True)
class Result:
    """What was found of a table, that it is `same`, `different` or `not compared`, or of a section that `failed`, and why."""

    table: str
    state: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.table}: {self.state}" + (f": {self.why}" if self.why else "")


def cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file, each cell as it is written."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def place(header: list[str], rows: list[list[str]]) -> dict[str, str]:
    """What a table says of where it was made: the values of each column of `PLACE`."""
    return {name: ", ".join(sorted({row[header.index(name)] for row in rows})) for name in PLACE}


def first_difference(header: list[str], kept: list[list[str]], made: list[list[str]]) -> str:
    """The first cell in which two tables of this header differ, `LEFT_OUT` aside; empty if there is none."""
    for number, (old, new) in enumerate(zip(kept, made, strict=False), start=1):
        for name, was, now in zip(header, old, new, strict=True):
            if was != now and name not in LEFT_OUT:
                return f"row {number}, column {name}: kept is {was}, made is {now}"
    return "" if len(kept) == len(made) else f"kept are {len(kept)} rows, made are {len(made)}"


def compare(name: str, kept: Path, made: Path) -> Result:
    """Compare the table `name` in the folder `made` with the one in the folder `kept`."""
    if not (kept / f"{name}.csv").is_file():
        return Result(name, "different", f"{kept} has no such table")
    (header, old), (new_header, new) = (cells(folder / f"{name}.csv") for folder in (kept, made))
    if missing := [column for column in PLACE if column not in header]:
        return Result(name, "not compared", f"the kept table has no column {missing[0]}")
    if header != new_header:
        was, now = next(pair for pair in zip_longest(header, new_header, fillvalue="none") if len(set(pair)) > 1)
        return Result(name, "different", f"kept is column {was}, made is column {now}")
    there, here = place(header, old), place(header, new)
    others = [column for column in PLACE if there[column] != here[column]]
    if others:
        why = (f"{column} is {there[column]} there and {here[column]} here" for column in others)
        return Result(name, "not compared", "; ".join(why))
    difference = first_difference(header, old, new)
    return Result(name, "different" if difference else "same", difference)


def compare_new(kept: Path, made: Path) -> list[Result]:
    """Compare all tables in `made` that are no copies of those in `kept` (which keep their times), `TIMES` aside."""
    times = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.csv")}
    new = [path for path in sorted(made.glob("*.csv")) if path.stat().st_mtime_ns != times.get(path.name)]
    return [compare(path.stem, kept, made) for path in new if path.stem != TIMES]


def no_longer_written(kept: Path, made: Iterable[str], sections: Iterable[str]) -> list[Result]:
    """The tables in `kept` that are not among `made` though one of `sections` writes them, or that no notebook writes."""
    tables = {path.stem for path in kept.glob("*.csv")} - {TIMES, *made}
    writes = {name: execute.tables(name) for name in execute.names()}
    found = [Result(table, "different", "no notebook writes it") for table in tables.difference(*writes.values())]
    for name in sections:
        found += [Result(table, "different", f"{name} has not written it") for table in tables & writes[name]]
    return sorted(found, key=lambda result: result.table)


def verify(sections: Sequence[str]) -> list[Result]:
    """Execute the notebooks `sections` in a temporary folder, all runs trained anew, and compare the tables they write.

    The kept tables are copied there first: a section may read what another has written, and the kept times tell which is
    long. Two sections go one after the other, each on all cores; more of them two at a time. One that fails is a result too.
    """
    with TemporaryDirectory(prefix="kanbefair-") as out:
        made = Path(out) / "results" / PROFILE
        shutil.copytree(KEPT, made, ignore=shutil.ignore_patterns("notebooks"))
        parameters = {"profile": PROFILE, "data_dir": "", "device": "cpu", "workers": 0, "out": out}
        executed = execute.execute_all(sections, parameters, at_once=2 if len(sections) > 2 else 1)
        found = compare_new(KEPT, made)
        whole = [one.name for one in executed if not one.error]
        failed = [Result(one.name, "failed", one.why) for one in executed if one.why]
        found += no_longer_written(KEPT, [result.table for result in found], whole) + failed
        return found or [Result(", ".join(sections), "different", "no table was written")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 1 if a table differs or a section fails, 2 for bad input."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.verify", description=__doc__.splitlines()[0])
    p.add_argument("sections", nargs="*", help="notebooks such as 03_symbolic (default: all that do not measure times)")
    args = p.parse_args(argv)
    results: list[Result] = []

    def work() -> None:
        known = [name for name in execute.names() if not execute.measures(name)]
        measured = [name for name in args.sections if name in execute.names() and name not in known]
        if measured:
            raise InputError(f"{measured[0]} measures times, which differ from run to run; it cannot be verified")
        results.extend(verify([choose("section", name, known) for name in args.sections] or known))
        print(f"Left out: columns {', '.join(LEFT_OUT)}; table {TIMES}; all that measures times.", *results, sep="\n")

    return exit_status(work) or int(any(result.state in BAD for result in results))


if __name__ == "__main__":
    sys.exit(main())
