"""Results in words."""

import math

import pandas
from IPython.display import Markdown

from kanbefair.report import outcomes
from kanbefair.report.statistics import DATASETS_TO_GENERALISE, PAIR
from kanbefair.training.outcome import AT_CHANCE, DIVERGED, FAILED

EQUAL = {
    "parameters": "equal parameters",
    "flops": "equal FLOPs",
    "stack_seconds": "equal time in a stack",
    "alone_seconds": "equal time alone",
}
"""Budgets in words."""
KINDS = {
    "symbolic": "functions",
    "tabular": "tables",
    "vision": "image sets",
    "text": "text sets",
    "audio": "audio sets",
}
"""What the datasets of a domain are called where there are too many to name."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
AGAIN = (
    "{domain}, the paper's own datasets trained again by its protocol (last epoch, no validation part, chosen and scored on "
    "the test part), with all tries and with as many for KAN as for MLP:"
)
"""What stands above the verdicts on re-runs of a domain."""


def sentences(verdict: pandas.DataFrame, again: pandas.DataFrame | None = None) -> Markdown:
    """Verdicts in words: a list with a line per row of a table of `statistics.verdict`.

    A line names the datasets, the range of budgets, who is ahead by how much, what the interval is over, and the tries of
    KAN and of MLP. Where the table has "tie", the line says that no difference is shown; where there is no interval, that
    there is no verdict. Behind it stands what happened to the runs, where that matters (`happened`).

    Args:
        verdict: the verdicts.
        again: verdicts on the paper's own datasets (`released.findings.verdicts`), if they are there. They stand below
            those of their domain.
    """
    lines = []
    for domain, own in verdict.groupby("domain", sort=False):
        lines += [f"- {_line(row)}" for row in own.to_dict("records")]
        others = [] if again is None else again[again["domain"] == domain].to_dict("records")
        if others:
            lines += [f"- {AGAIN.format(domain=domain)}", *(f"  - {_line(row)}" for row in others)]
    return Markdown("\n".join(lines))


def _line(row: dict[str, object]) -> str:
    what = f"{row['domain']} ({datasets_in_words(row)}), {_budgets(row)}"
    over = f"{row['units']} {row['interval_over']}{'' if row['units'] == 1 else 's'}"
    tries = " ".join([f"{row['tries_KAN']} and {row['tries_MLP']} tries.", *happened(row)])
    if math.isnan(row["gain"]):
        return f"{what}: **no verdict**, there is nothing to compare; {tries}"
    if row["units"] < 2 or not math.isfinite(row["high"] - row["low"]):
        return f"{what}: **no verdict**, {_gain(row)}; no interval from {over}; {tries}"
    if row["interval_over"] == "seed":
        over += ", which says nothing of other datasets"
    return f"{what}: {_decision(row)}; 95 % interval over {over}; {tries}"


def happened(row: dict[str, object]) -> list[str]:
    """What a reader of a verdict must know of the runs that are compared: on which datasets those of a model are all at
    chance, on which it has no score, and how many of all runs diverged, are at chance and failed. A sentence for each."""
    said = []
    for model in PAIR:
        if chance := _names(row, f"all_at_chance_{model}"):
            said.append(f"**{model} is at chance** at every size on {outcomes.names(chance)}: it has learned nothing there.")
        if none := _names(row, f"no_score_{model}"):
            said.append(f"{model} has no score on {outcomes.names(none)}: nothing is compared there.")
    numbers = {
        outcome: {model: row.get(f"{name}_{model}", 0) for model in PAIR}
        for outcome, name in ((DIVERGED, "diverged"), (AT_CHANCE, "at_chance"), (FAILED, "failed"))
    }
    if counted := outcomes.counted(numbers):
        said.append(f"{counted}.")
    return said


def notes(verdict: pandas.DataFrame) -> str:
    """What has happened to the runs behind verdicts, a line per domain, without marks: for figures."""
    lines: dict[str, list[str]] = {}
    for row in verdict.to_dict("records"):
        said = lines.setdefault(row["domain"], [])
        said += [sentence for sentence in happened(row) if sentence not in said]
    return "\n".join(f"{domain}: {' '.join(said)}" for domain, said in lines.items() if said).replace("*", "")


def _names(row: dict[str, object], column: str) -> list[str]:
    """The names in a cell; none where it is empty or the table has no such column."""
    value = row.get(column)
    return value.split() if isinstance(value, str) else []


def datasets_in_words(row: dict[str, object]) -> str:
    """The names of a few datasets, or how many there are of what kind."""
    names = row["names"].split()
    if len(names) < DATASETS_TO_GENERALISE:
        return ", ".join(names)
    number = NUMBERS[len(names)] if len(names) < len(NUMBERS) else len(names)
    return f"{number} {KINDS.get(row['domain'], 'datasets')}"


def _budgets(row: dict[str, object]) -> str:
    """The kind of budget and the range that was compared; times are in seconds."""
    form = "{:.2g} s" if row["budget"].endswith("_seconds") else "{:,.0f}"
    if math.isnan(row["budget_low"]):
        return EQUAL[row["budget"]]
    low = form.format(row["budget_low"])
    high = form.format(row["budget_high"])
    return EQUAL[row["budget"]] + (f" of {low}" if low == high else f" from {low} to {high}")


def _decision(row: dict[str, object]) -> str:
    """Who is ahead by how much, with the interval seen from the winner's side."""
    winner = row["winner"]
    if winner == "tie":
        return f"**no difference shown**, {_gain(row)} {_interval(row, '+.2f')}"
    if winner == "MLP":
        row = row | {"gain": -row["gain"], "low": -row["high"], "high": -row["low"]}
    if row["metric"] == "mae":
        loser = {"KAN": "MLP", "MLP": "KAN"}[winner]
        return f"**{winner}** ahead, {loser}'s error is {_times(row['gain'])} times {winner}'s {_interval(row)}"
    return f"**{winner}** ahead by {row['gain']:.2f} points {_interval(row)}"


def _gain(row: dict[str, object]) -> str:
    """The gain of KAN over MLP, whoever is ahead."""
    if row["metric"] == "mae":
        return f"MLP's error is {_times(row['gain'])} times KAN's"
    return f"KAN's accuracy minus MLP's is {row['gain']:+.2f} points"


def _interval(row: dict[str, object], points: str = ".2f") -> str:
    """The ends of the interval: ratios of errors, or points in the format `points`."""
    low, high = (_times(row[end]) if row["metric"] == "mae" else format(row[end], points) for end in ("low", "high"))
    return f"[{low}, {high}]"


def _times(logarithm: float) -> str:
    """A ratio of which the logarithm to the base 10 is given."""
    ratio = 10**logarithm
    return f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}"
