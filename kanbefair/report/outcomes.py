"""What happened to runs, in numbers and in words. Runs that do not say it, such as released ones, have no numbers."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import pandas

from kanbefair.training.outcome import AT_CHANCE, DIVERGED, FAILED

WORDS = {DIVERGED: ("diverged", "diverged"), AT_CHANCE: ("is at chance", "are at chance"), FAILED: ("failed", "failed")}
"""What is said of one run, and of several."""


def count(runs: pandas.DataFrame, outcome: str) -> float:
    """How many of the runs have an outcome, those that stand in several rows once; NaN if the runs do not say it."""
    if "outcome" not in runs:
        return math.nan
    return runs.loc[runs["outcome"] == outcome, "key"].nunique()


def words(runs: pandas.DataFrame, by: str = "model") -> str:
    """How many of the runs diverged, are at chance and failed, by the values of a column, and why the last did.

    Empty where there are none, such as "3 of 96 runs diverged (MLP 3); 1 failed (KAN 1: it needs about 40 GB of memory)".
    """
    if "outcome" not in runs:
        return ""
    found = {outcome: Counter(runs.loc[runs["outcome"] == outcome, by]) for outcome in WORDS}
    if found[FAILED] and "message" in runs:
        failed = runs[runs["outcome"] == FAILED]
        found[FAILED] = Counter(zip(failed[by], failed["message"], strict=True))
    return counted(found, len(runs))


def noted(runs: pandas.DataFrame, by: str = "model") -> str:
    """The same for a figure that marks runs at chance (`style.HOLLOW`): without messages."""
    said = words(runs.drop(columns="message", errors="ignore"), by)
    return f"{said}. Open marks: at chance." if count(runs, AT_CHANCE) > 0 else said


def counted(numbers: Mapping[str, Mapping[object, int]], of: int | None = None) -> str:
    """Numbers of runs by outcome and by model, or model and message, in words; `of` is the number of all runs."""
    parts = []
    for outcome, own in numbers.items():
        own = {who: number for who, number in own.items() if number > 0}
        total = int(sum(own.values()))
        if total:
            said = ", ".join(_named(who, number) for who, number in own.items())
            runs = "" if parts else f" of {of:,} runs" if of else " run" if total == 1 else " runs"
            parts.append(f"{total:,}{runs} {WORDS[outcome][total > 1]} ({said})")
    return "; ".join(parts)


def _named(who: object, number: int) -> str:
    """A model with its number of runs, and a message if there is one."""
    model, *message = who if isinstance(who, tuple) else (who,)
    return f"{model} {number:,.0f}" + "".join(f": {why}" for why in message)


def remark(who: str, runs: pandas.DataFrame, places: pandas.Series, lost: int) -> list[str]:
    """What a reader must know of the runs of `who` that are compared: of which of their `places` all are at chance, and how
    many others have no score (`lost`)."""
    chance = (runs["outcome"] == AT_CHANCE).groupby(places, sort=False).all()
    said = [f"{who} is at chance on {names(chance.index[chance])}"] if chance.any() else []
    if lost:
        said.append(f"{lost} {'run' if lost == 1 else 'runs'} of {who} {'has' if lost == 1 else 'have'} no score")
    return said


def names(datasets: Iterable[str]) -> str:
    """Names in words."""
    *most, last = datasets
    return f"{', '.join(most)} and {last}" if most else last
