"""The runs of a choice of `variations`: of frozen choices with other settings, or of tries at other sizes.

Their rows go to `fairness_sensitivity`, the tries of other sizes to `fairness_sensitivity_tries`. A run that these or the main
tables hold already is not trained again: such as an MLP's where a choice concerns KANs alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas

from kanbefair.data import load
from kanbefair.specs import RunSpec
from kanbefair.studies.fairness import choice, design, sizes
from kanbefair.studies.fairness.datasets import Entry
from kanbefair.studies.fairness.design import PAIR, Cell
from kanbefair.studies.fairness.runner import Frozen, Runner, frozen
from kanbefair.studies.fairness.variations import SEEDS, Changed, Sized
from kanbefair.sweep import cost


def group(runner: Runner, variation: Changed | Sized, entries: Sequence[Entry]) -> None:
    """Run a choice on some datasets and put its rows into the tables; those where nothing is frozen yet are left out."""
    if isinstance(variation, Sized):
        for value, cells in _sized(runner, variation, entries):
            tries = runner.tries(cells)
            runner.tables.put_varied(tries, _judged(runner, variation, value, _few(frozen(cells, tries))))
    else:
        for value, planned in changed(runner, variation, entries):
            runner.tables.put_varied(pandas.DataFrame(), _judged(runner, variation, value, planned))


def _few(planned: Sequence[Frozen]) -> list[Frozen]:
    return [own for own in planned if own.spec.seed in design.SEEDS[:SEEDS]]


def _judged(runner: Runner, variation: Changed | Sized, value: str, planned: Sequence[Frozen]) -> pandas.DataFrame:
    """The rows of `fairness_sensitivity` of some runs."""
    if not planned:
        return pandas.DataFrame()
    table, _ = runner.judged(planned, f"{variation.name}: {value}")
    print(f"{variation.name}: {value}: {', '.join(table['dataset'].unique())}: done", flush=True)
    return table.assign(variation=variation.name, value=value)


def _sized(runner: Runner, variation: Sized, entries: Sequence[Entry]) -> Iterator[tuple[str, list[Cell]]]:
    """Each value with its cells."""
    for value, (kinds, levels) in variation.budgets.items():
        yield (
            value,
            [
                cell
                for entry in entries
                for cell in design.cells(
                    entry, load(entry.name, runner.data_dir or None), PAIR, kinds, runner.tables.doubled(entry.name), levels
                )
            ],
        )


def changed(runner: Runner, variation: Changed, entries: Sequence[Entry]) -> Iterator[tuple[str, list[Frozen]]]:
    """Each value with the frozen runs that it changes, of the choices that `fairness_tries` holds."""
    tries = runner.tables.read("fairness_tries")
    chosen = tries[tries["chosen"]] if len(tries) else tries
    planned = []
    for entry in entries:
        task = load(entry.name, runner.data_dir or None)
        cells = design.cells(entry, task, PAIR, tuple(sizes.KINDS), runner.tables.doubled(entry.name))
        names = set(chosen[choice.CELL].itertuples(index=False, name=None)) if len(chosen) else set()
        if all((entry.name, cell.family, cell.kind, cell.level) in names for cell in cells):
            planned += _few(frozen(cells, chosen))
        else:
            print(f"{entry.name}: its choices are not frozen yet, left out", flush=True)
    for value in variation.choices:
        specs = [(own, variation.change(own.spec, own.cell, value)) for own in planned]
        yield value, [replace(own, spec=spec) for own, spec in specs if spec is not None]


def show_cost(runner: Runner, variation: Changed | Sized, entries: Sequence[Entry]) -> None:
    """Print what a choice is left to train, and about how long that takes."""
    hours, left = 0.0, 0
    for entry in entries:
        if isinstance(variation, Sized):
            cells = [cell for _, own in _sized(runner, variation, [entry]) for cell in own]
            specs, done = [own.spec for cell in cells for own in cell.tries], runner.tables.tries
            more = len(cells) * entry.divisions * len(design.SEEDS[:SEEDS])
        else:
            specs, done, more = (
                [own.spec for _, all_ in changed(runner, variation, [entry]) for own in all_],
                runner.tables.final,
                0,
            )
        known = done({spec.key for spec in specs})
        lacking = {spec.key: RunSpec.from_dict(spec.as_dict()) for spec in specs if spec.key not in known}
        if lacking:
            own = cost.estimate(
                list(lacking.values()), runs=runner.runs, data_dir=runner.data_dir, workers=runner.workers or None
            )
            hours += own["hours"].iloc[0] * (1 + more / len(specs))
            left += len(lacking) + more
    print(
        f"{variation.name}: {len(entries)} datasets, {left:,} runs are left, which take about {hours:.2f} hours here",
        flush=True,
    )
