"""The other choices under which the study asks for its labels again (docs/decision_rule.md: Sensitivity).

A choice is *seen* where runs that are there score otherwise, on all datasets; *changed* where the frozen choices run with other
settings; *sized* where budgets of another kind or level are met by tries of their own. The latter two run on the third of the
datasets, each with the first `SEEDS` of the new seeds.

Two choices are not here: grids fitted to rows, which only streams of tasks know (`training.continual.grid_update`), and Adam
before LBFGS, for which a run would need two optimisers one after the other.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy
import pandas

from kanbefair.specs import RunSpec
from kanbefair.studies.fairness import choice, sizes, space
from kanbefair.studies.fairness.datasets import FEW_ROWS, schedule
from kanbefair.studies.fairness.design import Cell

SEEDS = 3
"""So many of the new seeds."""
PASSES = 20
"""Passes over the rows that a step of LBFGS makes, about: its most iterations."""


@dataclass(frozen=True)
class Seen:
    """A choice without runs of its own.

    Args:
        name: of the choice.
        words: what is chosen otherwise.
        choices: what it is asked for.
        scores: the frozen runs and the tries (`fairness_final`, `fairness_tries`) and a value give rows as of the former.
    """

    name: str
    words: str
    choices: tuple[str, ...]
    scores: Callable[[pandas.DataFrame, pandas.DataFrame, str], pandas.DataFrame]


@dataclass(frozen=True)
class Changed:
    """A choice by which frozen runs have other settings.

    Args:
        change: the spec of a frozen run, its cell and a value give the spec that is run: the same where the choice does not
            concern the family, None where it is not asked for.
    """

    name: str
    words: str
    choices: tuple[str, ...]
    change: Callable[[RunSpec, Cell, str], RunSpec | None]


@dataclass(frozen=True)
class Sized:
    """A choice by which networks have other sizes.

    Args:
        budgets: the kinds and levels of budgets of each value.
    """

    name: str
    words: str
    budgets: dict[str, tuple[Sequence[str], Sequence[int]]]

    @property
    def choices(self) -> tuple[str, ...]:
        """What it is asked for."""
        return tuple(self.budgets)


def _epoch(final: pandas.DataFrame, tries: pandas.DataFrame, value: str) -> pandas.DataFrame:
    return final.assign(score=final[f"score_{value}"])


def expected_best(values: numpy.ndarray, number: int) -> float:
    """The expected largest of `number` of the values (N,), drawn without putting back."""
    among = numpy.sort(values)
    ways = [math.comb(place, number - 1) for place in range(len(among))]
    return float(numpy.dot(among, ways) / math.comb(len(among), number))


def _fewer_tries(final: pandas.DataFrame, tries: pandas.DataFrame, value: str) -> pandas.DataFrame:
    """Of each cell the expected best validation score of so many tries; one without result counts as the worst that has one."""
    ranked = tries["valid"].where(tries["metric"] == "accuracy", -numpy.log10(tries["valid"].where(tries["valid"] > 0)))
    ranked = ranked.mask(tries["outcome"].isin(choice.NO_RESULT))
    ranked = ranked.fillna(ranked.groupby([tries["dataset"], tries["budget_kind"]]).transform("min"))
    cells = tries.assign(value=ranked).groupby(choice.CELL, sort=False)
    table = cells[["domain", "source", "metric"]].first()
    best = cells["value"].agg(lambda own: expected_best(own.to_numpy(), min(int(value), len(own))))
    table["score"] = best.where(table["metric"] == "accuracy", 10.0**-best)
    table["test_rows"] = final.groupby("dataset")["test_rows"].min().reindex(table.index.get_level_values("dataset")).to_numpy()
    return table.assign(seed=0, division=0).reset_index().dropna(subset=["score", "test_rows"])


def _epochs(spec: RunSpec, cell: Cell, value: str) -> RunSpec:
    return replace(spec, epochs=round(spec.epochs * {"halved": 0.5, "doubled": 2}[value]))


def _optimizer(spec: RunSpec, cell: Cell, value: str) -> RunSpec | None:
    """SGD as it is frozen for Adam; LBFGS with steps of all rows, about as many passes over them, and rate 1."""
    rows = len(cell.task.x_train)
    if cell.entry.domain != "symbolic" and (not cell.entry.domain.startswith("tabular") or rows >= FEW_ROWS):
        return None
    if value == "sgd":
        return replace(spec, optimizer="sgd")
    steps = {"epochs": max(1, spec.epochs // PASSES), "batch_size": rows}
    return replace(spec, optimizer="lbfgs", lr=1.0, weight_decay=None, schedule=None, **steps)


def _start(spec: RunSpec, cell: Cell, value: str) -> RunSpec:
    return replace(spec, start=value) if cell.family == "KAN" else spec


def _range(spec: RunSpec, cell: Cell, value: str) -> RunSpec:
    factor = {"half": 0.5, "double": 2}[value]
    return replace(spec, grid_range=tuple(factor * end for end in spec.grid_range)) if cell.family == "KAN" else spec


def _rows(spec: RunSpec, cell: Cell, value: str) -> RunSpec | None:
    """Epochs and batches are those of a dataset of so many rows."""
    rows = int(value)
    if rows >= len(cell.task.x_train):
        return None
    fewer = replace(cell.task, x_train=cell.task.x_train[:rows])
    return replace(spec, rows=rows, **schedule(cell.entry, fewer, cell.doubled))


_TRIES = tuple(str(number) for number in (1, 2, 4, 8, 16, space.TRIES))
_ADMISSIBLE = range(1, sizes.LEVELS + 1)
VARIATIONS = {
    own.name: own
    for own in (
        Seen("epoch", "epoch of the frozen runs: the last, or the best on the test part", ("last", "best"), _epoch),
        Seen("tries", "tries, by the expected best validation score", _TRIES, _fewer_tries),
        Sized(
            "flops",
            "definition of FLOPs: the paper's formula, or bases shared by all outputs",
            {"paper": (["flops_paper"], _ADMISSIBLE), "shared": (["flops_shared"], _ADMISSIBLE)},
        ),
        Sized("parameters", "values as the paper counts them", {"paper": (["values_paper"], _ADMISSIBLE)}),
        Sized("lowest", "half of level 1, which few points meet: coarse grids alone", {"half": (list(sizes.KINDS), [0])}),
        Changed("epochs", "epochs", ("halved", "doubled"), _epochs),
        Changed("optimizer", "optimiser; formulas and small tables alone", ("sgd", "lbfgs"), _optimizer),
        Changed("start", "how a KAN's values start", ("paper", "pykan", "power_law"), _start),
        Changed("range", "range of a KAN's grids", ("half", "double"), _range),
        Changed("rows", "training rows", ("30", "100", "300", "1000"), _rows),
    )
}
"""All choices by name, in the order in which they are shown."""
TO_RUN = {name: own for name, own in VARIATIONS.items() if not isinstance(own, Seen)}
"""Those that need runs of their own."""
