"""Results in words."""

import math

import pandas
from IPython.display import Markdown

from kanbefair.report import outcomes
from kanbefair.report.decision import EQUIVALENT, UNDECIDED
from kanbefair.report.statistics import DATASETS_TO_GENERALISE, PAIR
from kanbefair.training.outcome import AT_CHANCE, DIVERGED, FAILED

EQUAL = {
    "parameters": "equal parameters",
    "live_parameters": "equal parameters (embedding counted)",
    "flops": "equal FLOPs (paper's formula)",
    "flops_shared": "equal FLOPs (bases shared)",
    "flops_local": "equal FLOPs (non-zero bases only)",
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
LOOKUP = ", the embedding's lookup free,"
"""What is said of the FLOPs of texts."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
AGAIN = (
    "{domain}, the paper's own datasets trained again by its protocol (last epoch, no validation part, chosen and scored on "
    "the test part), with all tries and with as many for KAN as for MLP:"
)
"""What stands above the verdicts on re-runs of a domain."""


def sentences(verdict: pandas.DataFrame, again: pandas.DataFrame | None = None) -> Markdown:
    """Verdicts in words: a list with a line per row of a table of `statistics.verdict`.

    A line names the datasets, the range of budgets, the label with the mean gain, what the interval is over, the gain on each
    dataset or on how many KAN is ahead, the gain at the top of the range, and the tries of KAN and of MLP. A line with an
    interval over seeds begins with the datasets and not with the domain: it speaks of them alone. Where there is no interval,
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
    seeds = row["interval_over"] == "seed"
    named = datasets_in_words(row)
    what = f"{named} ({row['domain']})" if seeds else f"{row['domain']} ({named})"
    what += f", {budgets_in_words(row)}"
    over = f"{row['units']} {row['interval_over']}{'' if row['units'] == 1 else 's'}"
    within = f"{row['within_KAN']} and {row['within_MLP']} of them within the range"
    tries = " ".join([f"{row['tries_KAN']} and {row['tries_MLP']} tries, {within}.", *happened(row)])
    if math.isnan(row["gain"]):
        return f"{what}: **no verdict**, there is nothing to compare; {tries}"
    if row["units"] < 2 or not math.isfinite(row["high"] - row["low"]):
        return f"{what}: **no verdict**, {_gain(row)}; no interval from {over}; {tries}"
    if seeds:
        over += ", of these datasets only"
    said = [_decision(row), f"95 % interval over {over}", *_each(row), *_top(row), tries]
    return f"{what}: {'; '.join(said)}"


def _each(row: dict[str, object]) -> list[str]:
    """The gain on each of a few datasets, or on how many KAN is ahead."""
    names, gains = row["names"].split(), [float(gain) for gain in str(row["gains"]).split()]
    if len(names) == 1:
        return []
    if len(names) < DATASETS_TO_GENERALISE:
        return [f"on {name} {_short(gain, row['metric'])}" for name, gain in zip(names, gains, strict=True)]
    return [f"KAN better on {sum(gain > 0 for gain in gains)} of {len(gains)}"]


def _top(row: dict[str, object]) -> list[str]:
    """The gain at the top of the range, where there is a range."""
    if row["budget_low"] == row["budget_high"] or math.isnan(row["top"]):
        return []
    low, high = (short_gain(row[end], row["metric"]) for end in ("top_low", "top_high"))
    return [f"at the top of the range {_short(row['top'], row['metric'])} [{low}, {high}]"]


def _short(gain: float, metric: str) -> str:
    return f"MLP's error {short_gain(gain, metric)} KAN's" if metric == "mae" else f"KAN − MLP {short_gain(gain, metric)}"


def short_gain(gain: float, metric: str) -> str:
    """A gain of KAN over MLP: points with their sign, or how many times the MLP's error is KAN's."""
    return f"{_times(gain)}×" if metric == "mae" else f"{gain:+.2f}"


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


def trained(matched: pandas.DataFrame) -> Markdown:
    """How well the runs that are compared (`statistics.matched`, of accuracies) know the rows that they were trained on: a line
    per dataset and model with the range of training and test accuracies over the matched budgets."""
    lines = []
    for dataset, own in matched.groupby("dataset", sort=False):
        for model in PAIR:
            known, told = (_range(own[column]) for column in (f"train_{model}", model))
            lines.append(f"- {dataset}, {model}: {known} in training, {told} in the test, at the matched budgets.")
    return Markdown("\n".join(lines))


def _range(values: pandas.Series) -> str:
    low, high = (f"{value:.1f}" for value in (values.min(), values.max()))
    return f"{low} %" if low == high else f"{low} % to {high} %"


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


def budgets_in_words(row: dict[str, object]) -> str:
    """The kind of budget and the range that was compared; times are in seconds."""
    form = "{:.2g} s" if row["budget"].endswith("_seconds") else "{:,.0f}"
    kind = EQUAL[row["budget"]] + (LOOKUP if row["domain"] == "text" and row["budget"].startswith("flops") else "")
    if math.isnan(row["budget_low"]):
        return kind
    low = form.format(row["budget_low"])
    high = form.format(row["budget_high"])
    return kind + (f" of {low}" if low == high else f" from {low} to {high}")


def _decision(row: dict[str, object]) -> str:
    """The label with the mean gain and its interval, those of a model that is ahead seen from its side."""
    label = row["label"]
    if label == EQUIVALENT:
        return f"**equivalent** within {_margin(row)}, {_gain(row)} {_interval(row, '+.2f')}"
    if label == UNDECIDED:
        return f"**undecided**, {_gain(row)} {_interval(row, '+.2f')}, margin {_margin(row)}"
    if label == "MLP":
        row = row | {"gain": -row["gain"], "low": -row["high"], "high": -row["low"]}
    if row["metric"] == "mae":
        other = {"KAN": "MLP", "MLP": "KAN"}[label]
        return f"**{label}** ahead, {other}'s error is {_times(row['gain'])} times {label}'s {_interval(row)}"
    return f"**{label}** ahead by {row['gain']:.2f} points {_interval(row)}"


def _margin(row: dict[str, object]) -> str:
    return f"{_times(row['margin'])} times" if row["metric"] == "mae" else f"{row['margin']:.3g} points"


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
