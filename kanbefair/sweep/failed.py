"""Runs that failed: the row that stands for each of them in a table, and the error that says of them at a sweep's end."""

import math
from collections import defaultdict

import pandas

from kanbefair.data import Task
from kanbefair.errors import DoneInPart
from kanbefair.models.counting import COUNTS, count
from kanbefair.models.networks import shape_of
from kanbefair.sweep.identity import Identity
from kanbefair.training.outcome import FAILED


class RunsFailed(DoneInPart):
    """Some runs of a sweep failed; all others are done. `table` is what the sweep would have returned.

    It has the rows of the failed runs, too, with their `message`.
    """

    def __init__(self, table: pandas.DataFrame):
        self.table = table
        failed = table[table["outcome"] == FAILED]
        why: dict[str, list[str]] = defaultdict(list)
        for row in failed.itertuples():
            why[row.message].append(f"{row.model} {row.widths} on {row.dataset}")
        reasons = "; ".join(f"{_some(runs)}: {message}" for message, runs in why.items())
        super().__init__(f"{len(failed)} of {len(table)} runs failed, all others are done: {reasons}")


def _some(runs: list[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{runs[0]} and {len(runs) - 1} more"


def row(identity: Identity, task: Task, message: str) -> dict[str, object]:
    """What stands in a table for a run that failed, and why."""
    spec = identity.spec
    try:
        counts = vars(count(shape_of(spec, task)))
    except Exception:  # a user's own layers that cannot be counted may be why it failed
        counts = dict.fromkeys(COUNTS, math.nan)
    return {
        **spec.as_dict(),
        **identity.as_dict(),
        "outcome": FAILED,
        "message": message,
        "domain": task.domain,
        "metric": task.metric,
        "input_size": task.input_size,
        "output_size": task.output_size,
        "train_rows": len(task.x_train),
        **counts,
    }
