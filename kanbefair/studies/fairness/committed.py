"""The committed tables of the study: rows in, rows out, and which runs are done by them."""

from collections.abc import Collection
from pathlib import Path

import pandas

from kanbefair.folders import replaced
from kanbefair.provenance import RESULTS_VERSION
from kanbefair.report import columns
from kanbefair.studies.fairness import choice

PACKED = ("fairness_tries", "fairness_final", "fairness_sensitivity_tries", "fairness_sensitivity")
"""The large tables."""
OF_CELL = ["domain", "dataset", "source", "family", "budget_kind", "level", "target", "size", "trial"]
"""What a row says of its cell and place in it; all else is of its run."""
PLACES = {
    "fairness_tries": ["chosen"],
    "fairness_sensitivity_tries": ["chosen"],
    "fairness_final": ["seed", "division"],
    "fairness_sensitivity": ["variation", "value", "seed", "division"],
}
"""What else is not of the run."""


class Tables:
    """The tables in a folder. Those that are not there are empty."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where a table lies."""
        return self.folder / f"{name}{'.csv.gz' if name in PACKED else '.csv'}"

    def read(self, name: str) -> pandas.DataFrame:
        """A table as it is, with the columns of its declaration if it is not there."""
        path = self.path(name)
        return pandas.read_csv(path, low_memory=False, dtype={"value": str}) if path.is_file() else pandas.DataFrame()

    def _known(self, name: str, keys: Collection[str]) -> dict[str, dict]:
        table = self.read(name)
        if table.empty:
            return {}
        own = table[table["key"].isin(list(keys)) & (table["results_version"] == RESULTS_VERSION)]
        own = own.drop_duplicates("key").drop(columns=[*OF_CELL, *PLACES[name]])
        own = own.astype(object).where(own.notna(), None)
        return {row["key"]: row for row in own.to_dict("records")}

    def tries(self, keys: Collection[str]) -> dict[str, dict]:
        """What the rows of tries with these keys say of their runs, by key."""
        return self._known("fairness_sensitivity_tries", keys) | self._known("fairness_tries", keys)

    def final(self, keys: Collection[str]) -> dict[str, dict]:
        """What the rows of frozen runs with these keys say of their runs, by key."""
        return self._known("fairness_sensitivity", keys) | self._known("fairness_final", keys)

    def doubled(self, dataset: str) -> int:
        """How often a dataset's epochs were doubled, 0 if it is not there."""
        table = self.read("fairness_datasets")
        own = table[table["dataset"] == dataset] if len(table) else table
        return int(own["doubled"].iloc[0]) if len(own) else 0

    def put(self, tries: pandas.DataFrame, final: pandas.DataFrame, pairs: pandas.DataFrame, about: dict | None) -> None:
        """Put the rows of some cells in the place of those that were there; pairs that are not known anew stay."""
        self._put("fairness_tries", tries, choice.CELL)
        self._put("fairness_final", final, choice.CELL)
        self._put("fairness_pairs", pairs, ["dataset", "budget_kind", "level", "first", "second"])
        if about is not None:
            self._put("fairness_datasets", pandas.DataFrame([about]), ["dataset"])

    def put_varied(self, tries: pandas.DataFrame, final: pandas.DataFrame) -> None:
        """Put the rows of sensitivity runs, and of tries of their own, in the place of those that were there."""
        self._put("fairness_sensitivity_tries", tries, choice.CELL)
        self._put("fairness_sensitivity", final, ["variation", "value", *choice.CELL])

    def _put(self, name: str, rows: pandas.DataFrame, by: list[str]) -> None:
        if rows.empty:
            return
        table = self.read(name)
        if len(table):
            kept = table[~pandas.MultiIndex.from_frame(table[by]).isin(pandas.MultiIndex.from_frame(rows[by]))]
            rows = pandas.concat([kept, rows]) if len(kept) else rows
        self.write(name, rows)

    def write(self, name: str, rows: pandas.DataFrame) -> None:
        """Write a whole table. Raises `InputError` if its columns are not the declared ones."""
        columns.check(f"extended/{name}", rows.columns)
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = {"method": "gzip", "mtime": 1} if path.suffix == ".gz" else None
        with replaced(path) as fresh:
            rows.to_csv(fresh, index=False, float_format="%.6g", lineterminator="\n", compression=packed)
