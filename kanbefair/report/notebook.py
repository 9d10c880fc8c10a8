"""What every notebook does: check its parameters, train its runs, write its tables and save its figures."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pandas
from IPython.display import display

from kanbefair import sweep
from kanbefair.data import load
from kanbefair.devices import check_device
from kanbefair.errors import InputError
from kanbefair.report import columns, computed, outcomes, style
from kanbefair.report.columns import Column
from kanbefair.report.shared_columns import RUNS
from kanbefair.report.tables import HAPPENED, TRAINED, Outputs
from kanbefair.specs import RunSpec, at_least_one
from kanbefair.sweep import cost
from kanbefair.training.outcome import FAILED
from kanbefair.values import names, number, text, truth, whole

PARAMETERS = {"profile": "", "data_dir": "", "device": "", "workers": 0, "out": ""}
"""The parameters of every notebook, each with a value of its type."""
CHECKS = {str: text, int: partial(whole, least=0), float: number, bool: truth, list: names}
"""The check of a parameter by the type of its default; a list is one of names."""


@dataclass(frozen=True)
class Section:
    """A notebook's parameters, checked, its folders, and how the runs were computed that it has trained or read of.

    Every table that it writes says the last in its last columns; what it returns of a table is without them.
    """

    profile: str
    data_dir: str
    device: str
    workers: int
    outputs: Outputs
    how: computed.Computed = field(default_factory=computed.Computed)

    def train(self, name: str, specs: Sequence[RunSpec]) -> pandas.DataFrame:
        """Train what is missing of `specs`, say how many that were, write the table `name` of all and return it as written.

        Below the number stands what happened to the runs (`outcomes.words`). A table that no study declares has the columns
        of `shared_columns.RUNS`. Raises `InputError` before anything trains if the runs have other fields than the table has
        columns, and `sweep.RunsFailed` if all of them failed.
        """
        own = () if columns.is_declared(name) else RUNS
        columns.check(name, dict.fromkeys(f for spec in at_least_one(specs) for f in spec.as_dict()), own, whole=False)
        missing = len(sweep.missing(specs, runs=self.outputs.runs, data_dir=self.data_dir))
        try:
            table = sweep.run(
                specs,
                runs=self.outputs.runs,
                data_dir=self.data_dir,
                device=self.device,
                workers=self.workers,
                label=name,
            )
        except sweep.RunsFailed as error:
            table = error.table
        failed = int((table["outcome"] == FAILED).sum())
        if failed == len(table):
            raise sweep.RunsFailed(table)
        counts = {"runs": len(table), "trained": missing - failed, "failed": failed}
        words = f"{name}: {missing - failed} of {len(table)} runs trained now"
        display({TRAINED: counts, "text/plain": words}, raw=True)
        _say(outcomes.words(table))
        return self._see(self.outputs.write(name, computed.last(table), own))

    def cost(self, specs: Sequence[RunSpec]) -> pandas.DataFrame | None:
        """What training the missing of `specs` will cost here (`cost.estimate`); None for the small profiles, which take
        minutes."""
        if self.profile != "paper":
            return None
        return cost.estimate(specs, runs=self.outputs.runs, data_dir=self.data_dir, device=self.device, workers=self.workers)

    def test_rows(self, runs: pandas.DataFrame) -> int:
        """The fewest test rows of the datasets of a table of runs; one of them is the least margin (`decision.margin`)."""
        return min(len(load(name, self.data_dir).y_test) for name in runs["dataset"].unique())

    def write(self, name: str, table: pandas.DataFrame, columns: Iterable[Column | Iterable[Column]] = ()) -> pandas.DataFrame:
        """Write the table `name` and return it as written; `columns` declare those of a table that no study declares.

        Raises `InputError` if the table is not declared or has other columns than declared (`columns.check`).
        """
        return computed.without(self.outputs.write(name, self.how.add(table), columns))

    def read(self, name: str) -> pandas.DataFrame:
        """The table `name` as a notebook has written it."""
        return self._see(self.outputs.read(name))

    def find(self, name: str) -> pandas.DataFrame | None:
        """The table `name`, None if no notebook has written it."""
        return self.read(name) if (self.outputs.results / f"{name}.csv").is_file() else None

    def _see(self, table: pandas.DataFrame) -> pandas.DataFrame:
        """Note how a table was computed, and say it if that was in several ways; returns it without these columns."""
        table = self.how.see(table)
        _say(self.how.news())
        return table

    def save(self, name: str, figure: style.Figure) -> style.Figure:
        """Save a figure as PDF and PNG and return it for display."""
        return style.save(figure, self.outputs, name)


def _say(words: str) -> None:
    """Show what a reader must know of runs, if there is anything."""
    if words:
        display({HAPPENED: {}, "text/plain": words}, raw=True)


def begin(variables: dict[str, object], *, extra: Mapping[str, object] | None = None) -> Section:
    """Check a notebook's parameters, given as its `globals()`.

    papermill only warns about a parameter that a notebook does not have; here it is an error, as is a value of the wrong
    type. `extra` are parameters that the notebook has beside the common ones, with their defaults; that of a list of names is
    an empty list. Other values than these make other tables, which are refused in the folders that the project commits.
    """
    extra = extra or {}
    known = PARAMETERS | extra
    for name in _given(variables):
        if name not in known:
            raise InputError(f"unknown notebook parameter '{name}'; known: {', '.join(known)}")
    given = {name: _checked(variables, name, default) for name, default in known.items()}
    check_device(given["device"])
    workers = sweep.worker_count(given["workers"], given["device"])
    outputs = Outputs(given["profile"], given["out"])
    for name, default in extra.items():
        if outputs.committed and given[name] != _checked(extra, name, default):
            raise InputError(
                f"with '{name}' as given the tables are others than the project keeps in {outputs.results}; "
                "name another folder with out"
            )
    return Section(given["profile"], given["data_dir"], given["device"], workers, outputs)


def _checked(variables: Mapping[str, object], name: str, default: object) -> object:
    """The parameter `name` as a value of the type of its `default`."""
    if name not in variables:
        raise InputError(f"notebook parameter '{name}' is missing; run the cell of parameters first")
    return CHECKS[type(default)](f"notebook parameter '{name}'", variables[name])


def _given(variables: dict[str, object]) -> list[str]:
    """The parameters that a notebook was given: what its own cell of them, which names the profile, and papermill's assign.

    Each cell counts as it was last run. Where no cells are kept, all variables that are plain values are parameters until a
    section has begun; later ones may be anything's.
    """
    if "In" not in variables:
        begun = any(isinstance(value, Section) for value in variables.values())
        plain = () if begun else (str, int, float, bool, list, tuple)
        return [name for name, value in variables.items() if isinstance(value, plain) and not name.startswith("_")]
    last: dict[str, list[str]] = {}
    for cell in variables["In"]:
        own = _assigned(cell)
        if cell.startswith("# Parameters"):
            last["papermill's"] = own
        elif "profile" in own:
            last["the notebook's"] = own
    return [name for own in last.values() for name in own]


def _assigned(cell: str) -> list[str]:
    """The names that a cell assigns; none if it is not plain Python."""
    try:
        nodes = ast.walk(ast.parse(cell))
    except SyntaxError:
        return []
    return [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def plan(specs: Sequence[RunSpec]) -> pandas.DataFrame:
    """What a section is about to run: per dataset and model the runs, tries, seeds and epochs."""
    table = sweep.table([spec.as_dict() | {"key": spec.key} for spec in at_least_one(specs)])
    groups = table.groupby(["dataset", "model"], sort=False)
    plan = groups.agg(runs=("key", "size"), seeds=("seed", "nunique"), epochs=("epochs", "max"))
    plan.insert(1, "tries", plan["runs"] // plan["seeds"])
    return plan.reset_index()
