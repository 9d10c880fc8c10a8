"""The store of records, one JSON file per run, and the table of records.

A file has three lines: the run's fields and figures, its curves, and the SHA-256 of the two lines before.
"""

import hashlib
import json
import logging
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy
import pandas

from kanbefair.errors import InputError
from kanbefair.folders import UNFINISHED, left_over, whole
from kanbefair.sweep.identity import Identity
from kanbefair.sweep.index import Index, signature

UNTABLED = ("curves", "train_seconds", "run_seconds", "finished")
"""Entries of a record that tables leave out: they differ from one run to the next."""
NEEDED = ("domain", "metric", "outcome", "parameters", "device", "torch", "form", "processor", "finished")
"""What every record says beside its identity."""
DAMAGED = "damaged"
"""The folder within a store for records that cannot be used."""
CHUNK = 1000
"""So many records are looked up at once."""


class Unusable(Exception):
    """A record that cannot be used; the message says why."""


Row = tuple[tuple[str, ...], tuple[object, ...]]
"""The names and the values of a record's entries, but for `UNTABLED` ones."""


@dataclass
class Found:
    """What a store has of some runs: the rows of records, and why records that are there cannot be used."""

    rows: dict[str, Row] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)


class Store:
    """One JSON file per run, named by its record; a file is there as a whole or not at all.

    A store that is finished can be read where nothing can be written. Raises `InputError` if `folder` is no folder.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"'{folder}' is no folder; choose another with out / --out")
        self.index = Index(self.folder / "index.sqlite")

    def path(self, record: str) -> str:
        """Where the record of that name lies."""
        return f"{self.folder}/{record[:2]}/{record}.json"

    def read(self, identity: Identity) -> dict | None:
        """The whole record of a run, None if there is none. Raises `InputError` if it cannot be used."""
        path = self.path(identity.record)
        try:
            lines = _lines(path)
            return _checked(lines[0], identity) | {"curves": json.loads(lines[1])}
        except FileNotFoundError:
            return None
        except (Unusable, OSError) as error:
            raise InputError(f"'{path}' cannot be used: {error}; run its sweep again") from None

    def curves(self, record: str) -> dict:
        """The curves of a record that a table names. Raises `InputError` if there is none that can be used."""
        try:
            return json.loads(_lines(self.path(record))[1])
        except (Unusable, OSError) as error:
            raise InputError(f"'{self.path(record)}' cannot be used: {error}; run its sweep again") from None

    def look(self, identities: Sequence[Identity]) -> Found:
        """What there is of these runs. Every record is read and checked whose file has changed since it was last read."""
        found = Found()
        for start in range(0, len(identities), CHUNK):
            fresh = []
            wanted = {identity.record: identity for identity in identities[start : start + CHUNK]}
            known = self.index.read(list(wanted))
            for record, identity in wanted.items():
                path = self.path(record)
                try:
                    state = signature(path)
                    before, *row = known.get(record, ("",))
                    if before == state:
                        names, cells = row
                        found.rows[record] = _names(names), tuple(map(_same, json.loads(cells)))
                    else:
                        found.rows[record] = names, cells = row_of(_checked(_lines(path)[0], identity))
                        fresh.append((record, state, json.dumps(names), json.dumps(cells)))
                except FileNotFoundError:
                    continue
                except (Unusable, OSError) as error:
                    found.damaged[record] = str(error)
            if fresh:
                self.index.keep(fresh)
        return found

    def set_aside(self, damaged: dict[str, str]) -> None:
        """Move records that cannot be used to the folder `DAMAGED`, and name them all with the reason (`Found.damaged`).

        Raises `InputError` if that cannot be done.
        """
        if not damaged:
            return
        words = "\n".join(f"{self.path(record)}: {why}" for record, why in damaged.items())
        logging.getLogger("kanbefair").warning(
            "%d records cannot be used; they are moved to '%s', and their runs are trained again:\n%s",
            len(damaged),
            self.folder / DAMAGED,
            words,
        )
        for record in damaged:
            try:
                (self.folder / DAMAGED).mkdir(exist_ok=True)
                place = tempfile.mkdtemp(dir=self.folder / DAMAGED, prefix=f"{record}-")
                os.replace(self.path(record), f"{place}/{record}.json")
            except FileNotFoundError:
                continue  # another sweep has moved it
            except OSError as error:
                raise InputError(f"'{self.path(record)}' cannot be used, nor moved ({error.strerror}); delete it") from None

    def write(self, identity: Identity, record: dict) -> None:
        """Store the record of a run, replacing an older one. Raises `InputError` if that cannot be done."""
        own = record | identity.as_dict() | {"finished": datetime.now(UTC).isoformat(timespec="seconds")}
        curves = own.pop("curves", {})
        body = f'{{"run": {json.dumps(_plain(own))},\n"curves": {json.dumps(_plain(curves))},\n'.encode()
        path = Path(self.path(identity.record))
        try:
            with whole(path) as file:
                file.write(body + _seal(body))
        except OSError as error:
            raise InputError(
                f"cannot write '{path}' ({error.strerror}); make room or choose another folder with out / --out, "
                f"and call again: what is finished is kept"
            ) from None

    def tidy(self) -> None:
        """Delete what processes that were killed while they wrote have left."""
        for path in self.folder.glob(f"*/*{UNFINISHED}"):
            if left_over(path):
                path.unlink(missing_ok=True)


def _seal(body: bytes) -> bytes:
    """The last line of a record: the checksum of the lines before."""
    return f'"sha256": "{hashlib.sha256(body).hexdigest()}"}}\n'.encode()


def _lines(path: str) -> tuple[str, str]:
    """The JSON of the row and that of the curves in the file of a record. Raises `Unusable` if it is not as it was written."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except IsADirectoryError:
        raise Unusable("it is a folder") from None
    if not content:
        raise Unusable("it is empty")
    end = content.rfind(b"\n", 0, -1) + 1
    body, last = content[:end], content[end:]
    if last != _seal(body):
        raise Unusable("its content does not have its checksum")
    try:
        row, curves, _ = body.decode().split("\n")
    except ValueError:
        raise Unusable("it is no record") from None
    return row.removeprefix('{"run": ').removesuffix(","), curves.removeprefix('"curves": ').removesuffix(",")


def _checked(row: str, identity: Identity) -> dict:
    """The row of a record as a dictionary. Raises `Unusable` if it is not that of the run."""
    try:
        values = dict(json.loads(row))
    except (ValueError, TypeError):
        raise Unusable("it is no record") from None
    for name, value in ({"code": None} | identity.as_dict()).items():
        if values.get(name) != value:
            raise Unusable(f"it is of another run: its {name} is {values.get(name)!r}, not {value!r}")
    if any(values.get(name) != _as_read(value) for name, value in identity.spec.as_dict().items()):
        raise Unusable("it is of another run: its fields are not those of its key")
    if missing := [name for name in NEEDED if name not in values]:
        raise Unusable(f"it has no '{missing[0]}'")
    return values


def _as_read(value: object) -> object:
    """A field of a spec as it is read from JSON."""
    return json.loads(json.dumps(value)) if isinstance(value, tuple) else value


def row_of(values: dict) -> Row:
    """The row of a record for a table; lists are joined: widths "10_10", groups "0 1 | 2 3"."""
    names = _names(json.dumps([name for name in values if name not in UNTABLED]))
    return names, tuple(_same(_cell(values[name])) for name in names)


@cache
def _names(text: str) -> tuple[str, ...]:
    """The names of a row, given as JSON; rows with equal names share them."""
    return tuple(json.loads(text))


def _same(cell: object) -> object:
    """A cell; rows with equal texts share them."""
    return sys.intern(cell) if type(cell) is str else cell


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        nested = any(isinstance(entry, list | tuple) for entry in value)
        value = " | ".join(" ".join(map(str, entry)) for entry in value) if nested else "_".join(map(str, value))
    return value


def _plain(value: object) -> object:
    """`value` with NaN and infinities as None, which JSON can hold, and curves to seven digits."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [
            float(f"{entry:.7g}") if isinstance(entry, float) and math.isfinite(entry) else _plain(entry) for entry in value
        ]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(records: Iterable[dict]) -> pandas.DataFrame:
    """Records as a tidy table: a row per run, a column per field, curves and times left out, widths as "10_10"."""
    return table_of(map(row_of, records))


def table_of(rows: Iterable[Row]) -> pandas.DataFrame:
    """Rows as a table, with the columns of all of them."""
    rows = list(rows)
    places: dict[tuple[str, ...], list[int]] = {}
    for place, (names, _) in enumerate(rows):
        places.setdefault(names, []).append(place)
    columns = {name: numpy.full(len(rows), math.nan, dtype=object) for names in places for name in names}
    for names, own in places.items():
        for name, cells in zip(names, zip(*(rows[place][1] for place in own), strict=True), strict=True):
            columns[name][own] = cells
    return pandas.DataFrame({name: cells.tolist() for name, cells in columns.items()})
