"""The runs of the study: the tries of a cell, and the frozen runs of the try that was chosen (docs/decision_rule.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from kanbefair.data import Task
from kanbefair.models.counting import count
from kanbefair.models.networks import shape_of
from kanbefair.specs import MODEL_FIELDS, RunSpec
from kanbefair.studies.fairness import sizes, space
from kanbefair.studies.fairness.datasets import ENDS, Entry, schedule
from kanbefair.training import RightRowsSpec

PAIR = ("KAN", "MLP")
SPLINES = ("BSpline_MLP", "BSpline_First_MLP")
TRY_SEED = 1
SEEDS = range(101, 111)
"""New seeds, of the frozen runs."""


@dataclass(frozen=True)
class Cell:
    """One family on one dataset at one level of one kind of budget.

    Args:
        entry: the dataset.
        task: its data, under `fair`.
        family: the family of networks.
        kind: of the budget, one of `sizes.COUNTED`.
        level: 1, 2 or 3; 0 is below the admissible ones.
        doubled: how often the dataset's epochs were doubled.
    """

    entry: Entry
    task: Task
    family: str
    kind: str
    level: int
    doubled: int = 0

    @cached_property
    def inputs(self) -> int:
        """Inputs of the network; of a text the width of its embedding at this level."""
        return _inputs(self.task)[max(self.level, 1) - 1]

    @cached_property
    def budget(self) -> float:
        """What every try meets within 5 %."""
        own = budgets(self.task, self.kind)
        return own[self.level - 1] if self.level else own[0] / sizes.FACTOR

    @cached_property
    def tries(self) -> list["Try"]:
        """The 24 tries: the first eight points that meet the budget, each with three learning rates.

        Raises `AssertionError` if fewer points meet it.
        """
        found = []
        for number in range(space.POINTS):
            widths = sizes.meet(self.family, number, self.inputs, self.task.output_size, self.kind, self.budget)
            if widths is not None:
                found.append((number, widths))
            if len(found) == space.SHAPES:
                return [try_ for pair in found for try_ in self._of_point(*pair)]
        raise AssertionError(f"only {len(found)} points of {self.family} meet {self.budget:,} {self.kind}")

    def _of_point(self, number: int, widths: tuple[int, ...]) -> Iterator["Try"]:
        values = space.point(self.family, number)
        own = space.fields(values)
        if "grid_range" in MODEL_FIELDS[self.family]:
            end = ENDS[self.entry.domain]
            own["grid_range"] = (-end, end)
        spec = RunSpec(
            dataset=self.entry.name,
            model=self.family,
            widths=widths,
            seed=TRY_SEED,
            blind=True,
            selection="metric" if self.task.metric == "accuracy" else "rmse",
            embedding=None if self.task.vocabulary_size is None else self.inputs,
            **schedule(self.entry, self.task, self.doubled),
            **own,
        )
        size = getattr(count(shape_of(spec, self.task)), sizes.COUNTED[self.kind])
        for third, lr in enumerate(space.rates(values["rate"])):
            yield Try(replace(spec, lr=lr), number * space.RATES + third, size)


@dataclass(frozen=True)
class Try:
    """A blind run. `trial` is its number among all points and rates of the family, `size` its count of the cell's budget."""

    spec: RunSpec
    trial: int
    size: float


def _inputs(task: Task) -> tuple[int, int, int]:
    return (task.input_size,) * 3 if task.vocabulary_size is None else sizes.EMBEDDINGS


def budgets(task: Task, kind: str) -> tuple[float, float, float]:
    """The three budgets of a dataset."""
    return sizes.levels(_inputs(task), task.output_size, kind)


def accepted(task: Task, family: str, kind: str, level: int) -> float:
    """The share of a family's first points that can meet a level of a dataset."""
    return sizes.accepted(family, _inputs(task)[level - 1], task.output_size, kind, budgets(task, kind)[level - 1])


def cells(
    entry: Entry,
    task: Task,
    families: Sequence[str],
    kinds: Sequence[str],
    doubled: int = 0,
    levels: Sequence[int] = range(1, sizes.LEVELS + 1),
) -> list[Cell]:
    """The cells of some families under some kinds of budget on a dataset."""
    return [Cell(entry, task, family, kind, level, doubled) for kind in kinds for level in levels for family in families]


def frozen(spec: RunSpec, entry: Entry, task: Task) -> list[RunSpec]:
    """The runs of a try that was chosen: new seeds, every division, the test part read."""
    fields = {name: value for name, value in spec.as_dict().items() if name != "blind"}
    kind = RightRowsSpec if task.metric == "accuracy" else RunSpec
    base = kind.from_dict(fields)
    return [replace(base, seed=seed, division=division) for division in range(entry.divisions) for seed in SEEDS]
