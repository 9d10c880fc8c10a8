"""Where results go: the one place that knows the folders, and the way into and out of CSV files."""

import os
from collections.abc import Iterable
from copy import copy
from pathlib import Path

import pandas

from kanbefair.errors import InputError, choose
from kanbefair.folders import PROJECT, replaced, writable
from kanbefair.report.columns import Column, check, declare
from kanbefair.values import refusal

PROFILES = ("smoke", "embedded", "paper")
COMMITTED = "embedded"
"""The profile whose tables and figures the project keeps in git."""
EXTENDED = "extended"
"""Where lies what takes hours and depends on no profile."""
TRAINED = "application/vnd.kanbefair.trained+json"
"""Kind of the output of a notebook's cell that says of how many `runs` it has `trained` how many."""
HAPPENED = "application/vnd.kanbefair.happened+json"
"""Kind of the output of a notebook's cell that says what happened to runs, or how they were computed: every copy keeps it."""

declare(
    "notebook_seconds",
    "a notebook that `python -m kanbefair.execute` has executed",
    Column("notebook", "name of the notebook"),
    Column("seconds", "time that its execution took", "seconds"),
    Column("runs", "runs that it asked for", "runs"),
    Column("trained", "runs of them that it trained, the others being kept from before", "runs"),
    Column("workers", "processes that trained", "processes"),
    Column("date", "day of the execution"),
)


class Outputs:
    """The folders of one profile under `out` (`folders.PROJECT` if empty).

    `results/<profile>` holds the tables, `figures/<profile>` the figures, `results/runs` the records of all profiles.
    Raises `InputError` for an unknown profile or a folder that cannot be written.
    """

    def __init__(self, profile: str, out: str | os.PathLike = ""):
        self.profile = choose("profile", profile, PROFILES)
        if not isinstance(out, str | os.PathLike):
            raise refusal("out", out, "the name of a folder")
        root = Path(out).expanduser().resolve() if str(out) else PROJECT
        self.results, self.figures = root / "results" / profile, root / "figures" / profile
        self.runs = root / "results" / "runs"
        self.committed = root == PROJECT and profile == COMMITTED
        for folder in (self.results, self.figures, self.runs):
            writable(folder)

    def extended(self) -> "Outputs":
        """The folders beside these of what takes hours: `results/extended` and `figures/extended`."""
        beside = copy(self)
        beside.results, beside.figures = (folder.with_name(EXTENDED) for folder in (self.results, self.figures))
        for folder in (beside.results, beside.figures):
            writable(folder)
        return beside

    def write(self, name: str, table: pandas.DataFrame, columns: Iterable[Column | Iterable[Column]] = ()) -> pandas.DataFrame:
        """Write `results/<profile>/<name>.csv` and return what can be read back from it: figures are drawn from that.

        Its columns are checked against the declared ones, or against `columns` where the table is not declared. Raises
        `InputError` where they differ (`columns.check`); then nothing is written.
        """
        check(name, table.columns, columns)
        path = self.results / f"{name}.csv"
        with replaced(path) as fresh:
            table.to_csv(fresh, index=False, float_format="%.8g", lineterminator="\n")
            return pandas.read_csv(fresh)

    def read(self, name: str) -> pandas.DataFrame:
        """The table `results/<profile>/<name>.csv`; `InputError` if no notebook has written it."""
        path = self.results / f"{name}.csv"
        if not path.is_file():
            raise InputError(f"{path} does not exist; run the notebook that writes it first (make figures runs all)")
        return pandas.read_csv(path)
