"""What every notebook does: check its parameters, train its runs, write its tables and save its figures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pandas
from IPython.display import display

from kanbefair import sweep
from kanbefair.errors import InputError
from kanbefair.report import computed, style
from kanbefair.report.columns import Column, is_declared
from kanbefair.report.shared_columns import RUNS
from kanbefair.report.tables import TRAINED, Outputs
from kanbefair.specs import RunSpec
from kanbefair.sweep import cost
from kanbefair.training.outcome import FAILED

PARAMETERS = ("profile", "data_dir", "device", "workers", "out")


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

        A table that no study declares has the columns of `shared_columns.RUNS`.
        """
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
            failed, said = 0, ""
        except sweep.RunsFailed as error:
            table = error.table
            failed, said = int((table["outcome"] == FAILED).sum()), f"; {error}"
        counts = {"runs": len(table), "trained": missing - failed, "failed": failed}
        words = f"{name}: {missing - failed} of {len(table)} runs trained now{said}"
        display({TRAINED: counts, "text/plain": words}, raw=True)
        own = () if is_declared(name) else RUNS
        return self.how.see(self.outputs.write(name, computed.last(table), own))

    def cost(self, specs: Sequence[RunSpec]) -> pandas.DataFrame | None:
        """What training the missing of `specs` will cost here (`cost.estimate`); None for the small profiles, which take
        minutes."""
        if self.profile != "paper":
            return None
        return cost.estimate(specs, runs=self.outputs.runs, data_dir=self.data_dir, device=self.device, workers=self.workers)

    def write(self, name: str, table: pandas.DataFrame, columns: Iterable[Column | Iterable[Column]] = ()) -> pandas.DataFrame:
        """Write the table `name` and return it as written; `columns` declare those of a table that no study declares.

        Raises `InputError` if the table is not declared or has other columns than declared (`columns.check`).
        """
        return computed.without(self.outputs.write(name, self.how.add(table), columns))

    def read(self, name: str) -> pandas.DataFrame:
        """The table `name` as a notebook has written it."""
        return self.how.see(self.outputs.read(name))

    def find(self, name: str) -> pandas.DataFrame | None:
        """The table `name`, None if no notebook has written it."""
        return self.read(name) if (self.outputs.results / f"{name}.csv").is_file() else None

    def save(self, name: str, figure: style.Figure) -> style.Figure:
        """Save a figure as PDF and PNG and return it for display."""
        return style.save(figure, self.outputs, name)


def begin(variables: dict[str, object], *, extra: Sequence[str] = ()) -> Section:
    """Check a notebook's parameters, given as its `globals()`.

    papermill only warns about a parameter that a notebook does not have; here it is an error, as is a value of the wrong
    type. `extra` are parameters that the notebook has beside the common ones.
    """
    known = (*PARAMETERS, *extra)
    plain = (str, int, float, bool, list, tuple)
    own = {name: value for name, value in variables.items() if not name.startswith("_") and name != "In"}
    given = {name: value for name, value in own.items() if isinstance(value, plain)}
    for name in given:
        if name not in known:
            raise InputError(f"unknown notebook parameter '{name}'; known: {', '.join(known)}")
    profile, data_dir, device, workers, out = (_typed(given, name, int if name == "workers" else str) for name in PARAMETERS)
    return Section(profile, data_dir, sweep.check_device(device), sweep.worker_count(workers, device), Outputs(profile, out))


def _typed(given: dict[str, object], name: str, kind: Callable) -> object:
    value = given.get(name, kind())
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"notebook parameter '{name}' is {value!r}; it must be of type {kind.__name__}")
    return value


def plan(specs: Sequence[RunSpec]) -> pandas.DataFrame:
    """What a section is about to run: per dataset and model the runs, tries, seeds and epochs."""
    table = sweep.table([spec.as_dict() | {"key": spec.key} for spec in specs])
    groups = table.groupby(["dataset", "model"], sort=False)
    plan = groups.agg(runs=("key", "size"), seeds=("seed", "nunique"), epochs=("epochs", "max"))
    plan.insert(1, "tries", plan["runs"] // plan["seeds"])
    return plan.reset_index()
