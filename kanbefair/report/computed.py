"""How numbers were computed: the last columns of a table, which say when it must be the same to the byte if made anew."""

import pandas
import torch

from kanbefair.models import compiled
from kanbefair.provenance import RESULTS_VERSION, mkl_setting, processor
from kanbefair.report.columns import COMPUTED
from kanbefair.training.outcome import FAILED

NAMES = [column.name for column in COMPUTED]
UNKNOWN = "unknown"
"""Of runs whose records do not say it."""
BETWEEN = " | "


def last(runs: pandas.DataFrame) -> pandas.DataFrame:
    """A table of runs with the columns at its end."""
    own = runs.reindex(columns=NAMES).convert_dtypes().astype(object).fillna(UNKNOWN)
    return without(runs).assign(**own)


def without(table: pandas.DataFrame) -> pandas.DataFrame:
    """A table without the columns. Where a `machine` was measured, there are none: `threads` are the measuring process's."""
    return table if "machine" in table else table.drop(columns=NAMES, errors="ignore")


class Computed:
    """How all runs were computed that stand behind the tables of a notebook: what each of the columns has said so far."""

    def __init__(self) -> None:
        self.seen: dict[str, set[str]] = {}
        self.said = ""

    def see(self, table: pandas.DataFrame) -> pandas.DataFrame:
        """Note what a table that was read says, but for runs that failed; returns it without the columns."""
        if "machine" not in table:
            runs = table[table["outcome"] != FAILED] if "outcome" in table else table
            for name in NAMES:
                said = set(runs[name].astype(str)) if name in runs else {UNKNOWN}
                self.seen.setdefault(name, set()).update(*(value.split(BETWEEN) for value in said))
        return without(table)

    def news(self) -> str:
        """In words what differs between the runs that were seen; empty where nothing does, and where it was said before."""
        several = [f"{name} {BETWEEN.join(sorted(values))}" for name, values in self.seen.items() if len(values) > 1]
        words = f"these runs were computed in several ways: {'; '.join(several)}" if several else ""
        if words == self.said:
            return ""
        self.said = words
        return words

    def add(self, table: pandas.DataFrame) -> pandas.DataFrame:
        """A table that was made of what has been seen with the columns at its end; of nothing, they tell of this process."""
        if "machine" in table:
            return table
        here = {
            "results_version": str(RESULTS_VERSION),
            "processor": processor(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "mkl": mkl_setting(),
            "form": compiled.form(torch.device("cpu")),
            "threads": "1",
        }
        seen = {name: BETWEEN.join(sorted(values)) for name, values in self.seen.items()}
        return without(table).assign(**(seen or here))
