"""The study of continual learning in words: does KAN forget more, when, why, and does a remedy help it more?"""

import math

import pandas
from IPython.display import Markdown

from kanbefair.report import decision
from kanbefair.studies.continual.claims import COMPARISONS, NOTICED, REACHED
from kanbefair.studies.continual.pairs import DIFFERENCE, PLACE, naive


def answer(
    claim: pandas.DataFrame,
    table: pandas.DataFrame,
    gain: pandas.DataFrame,
    peaks: pandas.DataFrame,
    test_rows: float = math.inf,
) -> Markdown:
    """The answers to four questions, from the tables `claims`, `summary`, `remedies` and the `summary` of the peaks.

    `test_rows` are the fewest of the datasets of the streams (`decision.margin`)."""
    parts = {
        "Does KAN forget more?": _who(claim),
        "When?": _when(naive(table)),
        "Why?": _why(naive(table), peaks),
        "Does a remedy help KAN more than MLP?": _remedy(gain, decision.margin("accuracy", test_rows)),
    }
    return Markdown("\n\n".join(f"### {title}\n" + "\n".join([lines[0], "", *lines[1:]]) for title, lines in parts.items()))


def _who(claim: pandas.DataFrame) -> list[str]:
    equal = claim[claim["comparison"] == REACHED.name]
    overall = equal[equal["interval_over"] == "source"] if (equal["interval_over"] == "source").any() else equal
    first = [
        "KAN minus MLP (relu) in the average after the last task, each having learned at least up to the same level, "
        f"over {row['on']}: "
        f"{_interval(row, 'effect')} points: **{row['verdict']}**{_remark(row)}."
        for _, row in overall.iterrows()
    ] or ["At no learning rates that were tried did both learn up to the same level."]
    lines = [
        " ".join(first) + " The average holds the task learned last, too, and at a level one network may have learned more "
        "than the other: how much stands below (`just learned at these levels`). `forgetting` and `average` compare the two at "
        "the learning rate that validation chooses for each: a network that has learned less can also forget less."
    ]
    for comparison in COMPARISONS:
        own = claim[claim["comparison"] == comparison.name]
        said = [f"{row['on']} {_interval(row, 'effect')} ({row['verdict']}{_remark(row)})" for _, row in own.iterrows()]
        if said:
            lines.append(f"- {comparison.measure}, points, KAN minus MLP: {'; '.join(said)}.")
    return lines


def _when(summary: pandas.DataFrame) -> list[str]:
    lines = [
        "Accuracy in percent, just after a task was learned → after the last task. Naive training, at the learning rate that "
        "validation chooses:"
    ]
    for names, own in summary.groupby(PLACE, sort=False):
        said = [
            f"{row['network']} {row['learned']:.0f} → {row['average']:.0f}{_chance(row, ' ({})')}" for _, row in own.iterrows()
        ]
        lines.append(f"- {', '.join(names)}: {', '.join(said)}.")
    return lines


def _why(summary: pandas.DataFrame, peaks: pandas.DataFrame) -> list[str]:
    kan = summary[summary["network"] == "KAN"]["overlap"]
    shared = "" if kan.isna().all() else f"share {kan.min():.2f} to {kan.max():.2f} of their knots (0: none, 1: all alike)"
    lines = [
        f"On the streams above a KAN's tasks {shared or 'have no score'}. "
        "On the peaks, error just after a peak was learned → after the last peak, trained with LBFGS. A network keeps what "
        f"it has learned if the 95 % interval of the error's growth stays below {NOTICED}:"
    ]
    for dataset, own in peaks[peaks["method"] == "LBFGS"].groupby("dataset", sort=False):
        said = []
        for _, row in own.iterrows():
            knots = "" if math.isnan(row["overlap"]) else f", knots shared {row['overlap']:.2f}"
            forgets = "**keeps**" if row["forgetting_high"] < NOTICED else "forgets"
            said.append(
                f"{row['network']} {forgets} ({row['learned']:.1g} → {row['average']:.1g}{knots}{_chance(row, ', {}')})"
            )
        lines.append(f"- {dataset}: {'; '.join(said)}.")
    return lines


def _remedy(gain: pandas.DataFrame, least: float) -> list[str]:
    lines = ["Points that a strategy adds to the average for KAN beyond what it adds for MLP (relu):"]
    for names, own in gain[gain["network"] == DIFFERENCE].groupby(PLACE, sort=False):
        said = []
        for _, row in own.iterrows():
            ends = [(row[f"{kind}low"], row[f"{kind}high"]) for kind in ("", "narrow_")]
            more = decision.label("more for KAN", "less for KAN", row["gain"], *ends, least)
            said.append(f"{row['strategy']} {_interval(row, 'gain')} ({more})")
        lines.append(f"- {', '.join(names)}: {'; '.join(said)}.")
    return lines


def _remark(row: pandas.Series) -> str:
    """What the table of claims remarks on, behind a verdict."""
    return f", but {row['remark']}" if isinstance(row["remark"], str) else ""


def _chance(row: pandas.Series, form: str) -> str:
    """How many of the runs behind a row of the summary are at chance, if there are any."""
    return form.format(f"{row['at_chance']} of {row['seeds']} runs at chance") if row["at_chance"] else ""


def _interval(row: pandas.Series, name: str) -> str:
    return f"{row[name]:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"
