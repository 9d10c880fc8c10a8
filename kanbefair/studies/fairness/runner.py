"""Trains and judges what a part of the fair study runs: tries, choices, frozen runs (docs/decision_rule.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import pandas

from kanbefair import sweep
from kanbefair.data import load
from kanbefair.specs import RunSpec
from kanbefair.studies.fairness import choice, design, sizes
from kanbefair.studies.fairness.committed import Tables
from kanbefair.studies.fairness.datasets import Entry
from kanbefair.studies.fairness.design import PAIR, Cell, Try
from kanbefair.training.right_rows import unpack

MOST_LATE = 0.2
"""If a larger share of a dataset's frozen runs gains late, its epochs double."""
MOST_DOUBLED = 2


@dataclass(frozen=True)
class Part:
    """What one call runs: some families under some kinds of budget on the datasets of a domain."""

    name: str
    domain: str
    families: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Frozen:
    """A frozen run (`spec`) of the try that was chosen in a cell."""

    cell: Cell
    chosen: Try
    spec: RunSpec

    @property
    def place(self) -> dict[str, object]:
        """What its row of `fairness_final` says of its place."""
        own = {"size": self.chosen.size, "trial": self.chosen.trial}
        return _named(self.cell) | own | {"seed": self.spec.seed, "division": self.spec.division or 0}


class Runner:
    """Trains and judges datasets, and keeps the tables.

    Args:
        data_dir: the folder with real datasets.
        folder: of the committed tables.
        runs: of the records.
        workers: processes that train; 0: one per core.
    """

    def __init__(self, data_dir: str, folder: Path, runs: Path, workers: int):
        self.data_dir, self.runs, self.workers = data_dir, runs, workers
        self.tables = Tables(folder)
        self.store = sweep.Store(runs)

    def rows(self, specs: Sequence[RunSpec], label: str) -> dict[str, dict]:
        """What each run returned, by key: from its record, trained now if there is none."""
        if not specs:
            return {}
        try:
            table = sweep.run(specs, runs=self.runs, data_dir=self.data_dir, workers=self.workers or None, label=label)
        except sweep.RunsFailed as error:
            table = error.table
        return {row["key"]: row for row in table.astype(object).where(table.notna(), None).to_dict("records")}

    def group(self, entries: Sequence[Entry], part: Part) -> None:
        """Try, choose, freeze and judge on some datasets; epochs double where too many runs gain late."""
        tasks = {entry.name: load(entry.name, self.data_dir or None) for entry in entries}
        doubled = {entry.name: self.tables.doubled(entry.name) for entry in entries}
        while entries:
            cells = [
                cell
                for entry in entries
                for cell in design.cells(entry, tasks[entry.name], part.families, part.kinds, doubled[entry.name])
            ]
            tries = self.tries(cells)
            final, right = self.final(cells, tries)
            again = []
            for entry in entries:
                own, judged = (table[table["dataset"] == entry.name] for table in (tries, final))
                late = judged["late"].astype(float).mean()
                if part.families == PAIR and late > MOST_LATE and doubled[entry.name] < MOST_DOUBLED:
                    doubled[entry.name] += 1
                    again.append(entry)
                    continue
                task = tasks[entry.name]
                about = _about(entry, task, own, doubled[entry.name], late) if part.families == PAIR else None
                self.tables.put(own, judged, pairs(judged, right), about)
                print(f"{entry.name}: done, {100 * late:.0f} % gain late, doubled {doubled[entry.name]} times", flush=True)
            entries = again

    def tries(self, cells: Sequence[Cell]) -> pandas.DataFrame:
        """The rows of `fairness_tries` of some cells."""
        planned = [(cell, own) for cell in cells for own in cell.tries]
        known = self.tables.tries({own.spec.key for _, own in planned})
        lacking = list({own.spec.key: own.spec for _, own in planned if own.spec.key not in known}.values())
        found = known | {key: _of_try(row) for key, row in self.rows(lacking, "tries").items()}
        rows = [_named(cell) | {"size": own.size, "trial": own.trial} | found[own.spec.key] for cell, own in planned]
        table = pandas.DataFrame(rows)
        return table.assign(chosen=choice.chosen(table))

    def final(self, cells: Sequence[Cell], tries: pandas.DataFrame) -> tuple[pandas.DataFrame, dict[str, numpy.ndarray]]:
        """The rows of `fairness_final` of some cells, by their tries; and which test rows runs get right, by key, where that is
        known."""
        return self.judged(frozen(cells, tries))

    def judged(self, planned: Sequence[Frozen], label: str = "frozen") -> tuple[pandas.DataFrame, dict[str, numpy.ndarray]]:
        """As `final`, of frozen runs that are `planned`."""
        tasks = {own.cell.entry.name: own.cell.task for own in planned}
        found, right = self.tables.final({own.spec.key for own in planned}), {}
        lacking = list({own.spec.key: own.spec for own in planned if own.spec.key not in found}.values())
        for key, row in self.rows(lacking, label).items():
            found[key], rows = self._of_frozen(row, tasks[row["dataset"]])
            if rows is not None:
                right[key] = rows
        return pandas.DataFrame([own.place | found[own.spec.key] for own in planned]), right

    def _of_frozen(self, row: dict, task: object) -> tuple[dict, numpy.ndarray | None]:
        """What a frozen run's row of `fairness_final` says of its result, and which test rows it gets right."""
        curves = {} if row["outcome"] == "failed" else self.store.curves(row["record"])
        accuracy = row["metric"] == "accuracy"
        figure = "metric" if accuracy else "rmse"
        right = unpack(curves["right_rows"], len(task.y_test)) if "right_rows" in curves else None
        constant = choice.constant(task)
        own = {
            "score": choice.score(row.get(f"test_{figure}_selected"), row["outcome"], constant),
            "loss": row.get("test_loss_selected"),
            "balanced": None if right is None else choice.balanced(right, task.y_test.numpy()),
            "score_last": choice.score(row.get(f"test_{figure}_last"), row["outcome"], constant),
            "score_best": choice.score(row.get(f"test_{figure}_best"), row["outcome"], constant),
            "valid": row.get(f"valid_{figure}_selected"),
            "late": bool(curves) and choice.gains_late(curves[f"valid_{figure}"], row["metric"], len(task.x_valid)),
            "test_rows": len(task.y_test),
        }
        return own | _of_run(row), right


def frozen(cells: Sequence[Cell], tries: pandas.DataFrame) -> list[Frozen]:
    """The frozen runs of some cells, of the tries that are chosen in them."""
    best = {tuple(row[name] for name in choice.CELL): row for row in tries[tries["chosen"]].to_dict("records")}
    planned = []
    for cell in cells:
        row = best[cell.entry.name, cell.family, cell.kind, cell.level]
        own = next(own for own in cell.tries if own.trial == row["trial"])
        planned += [Frozen(cell, own, spec) for spec in design.frozen(own.spec, cell.entry, cell.task)]
    return planned


def _named(cell: Cell) -> dict[str, object]:
    entry = cell.entry
    own = {"domain": entry.domain, "dataset": entry.name, "source": entry.source, "family": cell.family}
    return own | {"budget_kind": cell.kind, "level": cell.level, "target": cell.budget}


def _of_run(row: dict) -> dict[str, object]:
    return {
        name: row.get(name) for name in ("metric", "outcome", "epoch_selected", "key", "data", "results_version", "processor")
    }


FIELDS = (
    *("widths", "live_parameters", "epochs", "batch_size", "lr", "weight_decay", "schedule", "embedding", "activation"),
    *("batch_norm", "layer_norm", "dropout", "gain", "grid", "order", "shortcut", "start"),
)


def _of_try(row: dict) -> dict[str, object]:
    """What a try's row of `fairness_tries` says of its run."""
    figure = "metric" if row["metric"] == "accuracy" else "rmse"
    score = {"valid": row.get(f"valid_{figure}_selected"), "valid_loss": row.get("valid_loss_selected")}
    return score | {name: row.get(name) for name in FIELDS} | _of_run(row)


def pairs(final: pandas.DataFrame, right: dict[str, numpy.ndarray]) -> pandas.DataFrame:
    """The rows of `fairness_pairs`: of each level the first family with each other one, where rows are known that are right."""
    rows = []
    for (dataset, kind, level), own in final.groupby(["dataset", "budget_kind", "level"], sort=False):
        kept = {family: [right.get(key) for key in keys] for family, keys in own.groupby("family", sort=False)["key"]}
        means = {family: 100 * numpy.mean(all_, axis=0) for family, all_ in kept.items() if all(r is not None for r in all_)}
        for second in list(means)[1:]:
            first = next(iter(means))
            difference = means[first] - means[second]
            rows.append((dataset, kind, level, first, second, float(difference.var(ddof=1) / len(difference))))
    return pandas.DataFrame(rows, columns=["dataset", "budget_kind", "level", "first", "second", "row_variance"])


def _about(entry: Entry, task: object, tries: pandas.DataFrame, doubled: int, late: float) -> dict[str, object]:
    """The row of `fairness_datasets` of a dataset."""
    accuracy = task.metric == "accuracy"
    largest = 100 * float(task.y_test.bincount().max() / len(task.y_test)) if accuracy else None
    row = {"domain": entry.domain, "dataset": entry.name, "source": entry.source, "metric": task.metric}
    row |= {"input_size": task.input_size, "output_size": task.output_size}
    row |= {f"{part}_rows": len(task.part(part)[0]) for part in ("train", "valid", "test")}
    row |= {"largest": largest, "constant": choice.constant(task)}
    row |= {"epochs": tries["epochs"].iloc[0], "doubled": doubled, "late": 100 * late}
    kans = tries[tries["family"] == "KAN"].groupby(["budget_kind", "level"])["grid"].median()
    for kind in sizes.KINDS:
        for level, budget in enumerate(design.budgets(task, kind), start=1):
            row[f"{kind}_{level}"] = budget
            row |= {f"{kind}_{level}_{family}": 100 * design.accepted(task, family, kind, level) for family in PAIR}
            row[f"grid_{kind}_{level}"] = kans[kind, level]
    return row
