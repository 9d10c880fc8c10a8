"""The store of records, one JSON file per run, and the table of records."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import pandas

from kanbefair.errors import InputError
from kanbefair.folders import writable
from kanbefair.specs import RunSpec

UNTABLED = ("curves", "train_seconds", "run_seconds")
"""Entries of a record that tables leave out: times differ from one run to the next."""


class Store:
    """One JSON file per run, named by the key of its spec; a file is there as a whole or not at all."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = writable(Path(folder))

    def path(self, key: str) -> Path:
        """Where the record of `key` lies."""
        return self.folder / key[:2] / f"{key}.json"

    def read(self, key: str) -> dict | None:
        """The record of `key`, or None if there is none."""
        try:
            return json.loads(self.path(key).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            raise InputError(f"{self.path(key)} is damaged; delete it and run again") from None

    def write(self, record: dict) -> None:
        """Store a record under its key, replacing an older one."""
        path = self.path(record["key"])
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps(_plain(record)))
        os.replace(fresh, path)

    def missing(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """The specs, each once, that have no record yet."""
        once = {spec.key: spec for spec in specs}
        return [spec for key, spec in once.items() if not self.path(key).exists()]


def _plain(value: object) -> object:
    """`value` with NaN and infinities as None, which JSON can hold, and curves to seven digits."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [
            float(f"{entry:.7g}") if isinstance(entry, float) and math.isfinite(entry) else _plain(entry) for entry in value
        ]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(records: Sequence[dict]) -> pandas.DataFrame:
    """Records as a tidy table: a row per run, a column per field, curves and times left out, widths as "10_10"."""
    rows = []
    for record in records:
        row = {name: value for name, value in record.items() if name not in UNTABLED}
        row |= {name: "_".join(map(str, value)) for name, value in row.items() if isinstance(value, list | tuple)}
        rows.append(row)
    return pandas.DataFrame(rows)
