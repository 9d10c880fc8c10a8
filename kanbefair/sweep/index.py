"""The index of a store: the rows of records that were read before, so that unchanged files need not be read again.

It can be deleted at any time. What it says is used only where a file's size, times and number are what they were.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from stat import S_ISREG

TABLE = "CREATE TABLE IF NOT EXISTS rows (record TEXT PRIMARY KEY, signature TEXT, names TEXT, cells TEXT, sha256 TEXT)"
WAIT_SECONDS = 5


def signature(path: str) -> str:
    """What tells one state of a file from another: its number, size, and times of change. Raises `OSError` if it is none."""
    stat = os.stat(path)
    if not S_ISREG(stat.st_mode):
        raise OSError("it is no file")
    return f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _sum(*entries: str) -> str:
    return hashlib.sha256("\n".join(entries).encode()).hexdigest()


class Index:
    """The index in the file `path`. Where it cannot be read or written, it is as if it were empty."""

    def __init__(self, path: Path):
        self.path = path

    def read(self, records: Sequence[str]) -> dict[str, tuple[str, str, str]]:
        """The signature, names and cells (both as JSON) of the rows of those of `records` that are known."""
        if not self.path.is_file():
            return {}
        places = ",".join("?" * len(records))
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", timeout=WAIT_SECONDS, uri=True)) as base:
                found = base.execute(f"SELECT * FROM rows WHERE record IN ({places})", records).fetchall()
        except sqlite3.OperationalError:
            return {}
        except sqlite3.DatabaseError:
            with suppress(OSError):
                self.path.unlink()
            return {}
        sound = (entry for entry in found if len(entry) == 5 and all(isinstance(cell, str) for cell in entry))
        return {record: (state, *row) for record, state, *row, own in sound if own == _sum(record, state, *row)}

    def keep(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """Keep records, each with its signature, and names and cells of its row as JSON."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS)) as base, base:
            base.execute("PRAGMA page_size = 16384")  # some eight rows
            base.execute("PRAGMA synchronous = OFF")  # what is lost is made again
            base.execute(TABLE)
            base.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", ((*row, _sum(*row)) for row in rows))
