"""A small study on data that ship with the package, through the code of the large one: a quarter of its tries at one level.

Its runs are runs of the large study, so that a clone can see whether these come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas

from kanbefair.data import load
from kanbefair.errors import choose
from kanbefair.report.notebook import Section
from kanbefair.specs import RunSpec
from kanbefair.studies.fairness import runner, space, tables
from kanbefair.studies.fairness.datasets import DATASETS
from kanbefair.studies.fairness.design import PAIR, Cell, Try
from kanbefair.studies.fairness.findings import Study
from kanbefair.studies.fairness.runner import Runner, pairs

NAMES = ("Special_ellipkinc", "Feynman_I.12.11", "WineRecognition", "BreastCancer")
PROFILES = {"smoke": (NAMES[2:3], 1), "embedded": (NAMES, space.SHAPES // 4), "paper": (NAMES, space.SHAPES)}
"""The datasets, and how many shapes each family tries."""
KIND = "values"
ROUNDED = 1e-5
"""Scores that differ by less are the same: tables keep six digits."""


@dataclass(frozen=True)
class SmallCell(Cell):
    """A cell of which only the tries of the first `shapes` are made."""

    shapes: int = space.SHAPES

    @cached_property
    def tries(self) -> list[Try]:
        """The first of the large study's tries."""
        return super().tries[: self.shapes * space.RATES]


def cells(profile: str, data_dir: str) -> list[Cell]:
    """The cells of a profile: KAN and MLP at equal values, at the lowest level, one division."""
    names, shapes = PROFILES[choose("profile", profile, PROFILES)]
    entries = [replace(DATASETS[name], divisions=1) for name in names]
    tasks = {name: load(name, data_dir or None) for name in names}
    return [SmallCell(entry, tasks[entry.name], family, KIND, 1, shapes=shapes) for entry in entries for family in PAIR]


def tries(cells: Sequence[Cell]) -> list[RunSpec]:
    """The blind runs of some cells."""
    return list({own.spec.key: own.spec for cell in cells for own in cell.tries}.values())


def frozen(cells: Sequence[Cell], tries: pandas.DataFrame) -> list[RunSpec]:
    """The frozen runs of some cells, whose tries (rows of `fairness_tries`) are chosen."""
    specs = {own.spec.key: own.spec for own in runner.frozen(cells, tries)}
    return list(specs.values())


def judge(section: Section) -> Runner:
    """What judges runs that a notebook has trained; it knows no tables."""
    return Runner(section.data_dir, section.outputs.results, section.outputs.runs, section.workers)


def study(own: Runner, cells: Sequence[Cell], tries: pandas.DataFrame) -> Study:
    """The small study from its finished runs."""
    final, right = own.final(cells, tries)
    about = pandas.DataFrame(columns=[column.name for column in tables.DATASETS])
    return Study(tries, final, about, pairs(final, right))


def again(small: Study, large: Study) -> str:
    """How many runs of the small study are in the large one, and how far they are off, in words."""
    said = []
    for name, column, words in (("tries", "valid", "tries"), ("final", "score", "frozen runs")):
        own, others = (getattr(one, name).drop_duplicates("key").set_index("key") for one in (small, large))
        both = own.join(others[[column, "data"]].add_suffix("_large"), how="inner")
        both = both[both["data"] == both["data_large"]]
        if both.empty:
            said.append(f"none of {len(own)} {words} is in the large study's tables yet")
            continue
        off = (both[column] / both[f"{column}_large"].astype(float) - 1).abs()
        same = int((off < ROUNDED).sum())
        most = f", the others are off by at most {100 * off.max():.2g} %" if same < len(both) else ""
        said.append(f"of {len(own)} {words} {len(both)} are in the large study's tables, {same} with the same score{most}")
    return f"{'; '.join(said)}.".capitalize()
