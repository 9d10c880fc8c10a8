"""What the columns of every table mean: declared beside the study that writes the table, checked when it is written.

Names may hold alternatives in braces, as in a shell: `{KAN,MLP}_low` stands for two columns or tables, `task_{1,2,…}` for a
column per whole number. Groups of columns that many tables have are in `shared_columns`.
"""

import inspect
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from kanbefair.errors import InputError

PLACE_OF_STUDIES = "kanbefair/studies/<study>/tables.py"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Column:
    """A column, or several alike if its name has alternatives.

    Args:
        name: what stands at the head of the column.
        meaning: what its values say.
        unit: their unit; empty if they have none.
        optional: whether the table may be without it, such as a field that none of the runs has.
    """

    name: str
    meaning: str
    unit: str = ""
    optional: bool = False

    def stands_for(self, name: str) -> bool:
        """Whether `name` is this column's name, or one of its alternatives."""
        parts = [r"\d+" if "…" in names else "|".join(map(re.escape, names)) for names in _alternatives(self.name)]
        return re.fullmatch("".join(f"(?:{part})" for part in parts), name) is not None


COMPUTED = (
    Column("results_version", "version of what runs return (docs/results_version.md)"),
    Column("processor", "processor that trained the runs behind the row"),
    Column("capability", "vector instructions that PyTorch used of it"),
    Column("mkl", "how Intel's matrix products were told to round (MKL_CBWR)"),
    Column("form", "form of the spline layers that they were trained with: compiled or plain"),
    Column("threads", "threads that each of them was trained with"),
)
"""The columns that say how a table was computed (`computed`); every table may have them, and none is declared with them."""


@dataclass(frozen=True)
class Table:
    """A declared table: its name, what a row is, its columns, and the file (`place`) in which it is declared."""

    name: str
    row: str
    columns: tuple[Column, ...]
    place: str = field(compare=False)

    def check(self, name: str, columns: Iterable[str], whole: bool) -> None:
        """Raise `InputError` if a column of table `name` is not declared or, of a `whole` table, a declared one not there."""
        columns = list(columns)
        allowed = (*self.columns, *COMPUTED)
        for column in columns:
            if not any(own.stands_for(column) for own in allowed):
                near = get_close_matches(column, [own.name for own in allowed], n=1)
                hint = f" (did you mean '{near[0]}'?)" if near else ""
                raise InputError(
                    f"table '{name}' has a column '{column}'{hint} that is not declared; declare it in {self.place}"
                )
        for own in self.columns:
            if whole and not own.optional and not any(own.stands_for(column) for column in columns):
                raise InputError(f"table '{name}' has no column '{own.name}', which is declared in {self.place}")


_TABLES: dict[str, Table] = {}


def declare(table: str, row: str, *columns: Column | Iterable[Column]) -> None:
    """Declare a table of the name `table` (or several alike), of which a row is a `row`, with columns or groups of them.

    To declare the same again changes nothing. Raises `InputError` for another declaration of a known table, and for a name
    that two of the columns have.
    """
    declared = Table(table, row, _flat(table, columns), _caller())
    for name in names(table):
        if _TABLES.get(name, declared) != declared:
            raise InputError(f"table '{name}' is declared otherwise in {_TABLES[name].place}; give the new one another name")
    for name in names(table):
        _TABLES.setdefault(name, declared)


def is_declared(table: str) -> bool:
    """Whether a table of that name is declared."""
    return table in _TABLES


def check(table: str, columns: Iterable[str], own: Iterable[Column | Iterable[Column]] = (), *, whole: bool = True) -> None:
    """Raise `InputError` if the table `table` is not declared or its `columns` are not the declared ones.

    `own` are the declared columns of a table that is in no registry, such as a reader's. A table that is not `whole` will have
    more columns than these.
    """
    own = tuple(own)
    if own and is_declared(table):
        raise InputError(f"table '{table}' is declared in {_TABLES[table].place}; give the one with other columns another name")
    if not own and not is_declared(table):
        raise InputError(
            f"table '{table}' is not declared; declare it in {PLACE_OF_STUDIES} (kanbefair.report.columns.declare), "
            "or give its columns to write"
        )
    declared = Table(table, "", _flat(table, own), "the columns given to write") if own else _TABLES[table]
    declared.check(table, columns, whole)


def markdown() -> str:
    """All declared tables as a page, a section per table and a row per column, ordered by the files that declare them."""
    tables = sorted(dict.fromkeys(_TABLES.values()), key=lambda table: table.place)
    parts = [
        "# The columns of every table",
        "Written by `python -m kanbefair.readme` from the declarations in the code; what is written to a table is checked "
        "against them. Names in braces are alternatives: `{KAN,MLP}_low` is `KAN_low` and `MLP_low`.",
        "## How a table was computed",
        "The last columns of every table that a notebook writes, but for those that name the `machine` on which times were "
        "measured. Where they and the versions are the same, a table that is made anew is the same to the byte.",
        _rows(COMPUTED),
        "Several values are joined by `|`. `unknown` stands for runs whose records do not say it. A table that no runs stand "
        "behind says what the process that wrote it would have trained with.",
    ]
    for place, own in itertools.groupby(tables, key=lambda table: table.place):
        parts.append(f"## Declared in `{place}`")
        for table in own:
            parts += [f"### `{table.name}`", f"A row is {table.row}.", _rows(table.columns)]
    return "\n\n".join(parts) + "\n"


def _rows(columns: Iterable[Column]) -> str:
    lines = ["| column | meaning | unit |", "| --- | --- | --- |"]
    for column in columns:
        meaning = column.meaning.replace("|", r"\|")
        lines.append(f"| `{column.name}`{' (not always)' if column.optional else ''} | {meaning} | {column.unit} |")
    return "\n".join(lines)


def _alternatives(name: str) -> list[list[str]]:
    """The parts of a name, each with its alternatives: `a_{b,c}` gives a_ and then b or c."""
    parts = re.split(r"\{(.*?)\}", name)
    return [part.split(",") if place % 2 else [part] for place, part in enumerate(parts)]


def names(name: str) -> list[str]:
    """All names that a name with alternatives stands for."""
    return ["".join(parts) for parts in itertools.product(*_alternatives(name))]


def _flat(table: str, columns: Iterable[Column | Iterable[Column]]) -> tuple[Column, ...]:
    """Columns and groups of columns as one row of columns."""
    found = [own for group in columns for own in ([group] if isinstance(group, Column) else group)]
    every = [name for own in found for name in names(own.name)]
    for name in every:
        if every.count(name) > 1:
            raise InputError(f"table '{table}' is declared with two columns '{name}'")
    return tuple(found)


def _caller() -> str:
    """The file that declares a table."""
    path = Path(inspect.currentframe().f_back.f_back.f_code.co_filename)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else str(path)
