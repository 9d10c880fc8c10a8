"""The page for practitioners, docs/practitioner.md: given a domain, rows and a budget, what to use, and how sure that is."""

import math
from collections.abc import Iterable

import pandas

from kanbefair.report.decision import EQUIVALENT, UNDECIDED
from kanbefair.studies.fairness.answer import KINDS, run_so_far
from kanbefair.studies.fairness.datasets import CONFIRMATORY, DOMAINS
from kanbefair.studies.fairness.design import PAIR
from kanbefair.studies.fairness.findings import Study, by_level, planned

ROWS = {"below 1,000": 0, "1,000 to 10,000": 1_000, "over 10,000": 10_000}
"""Groups of datasets by their training rows: the fewest of each."""
USE = {EQUIVALENT: "either", UNDECIDED: "not known"}
"""What a label advises, if it names no family."""

AT = {kind: words.removeprefix("equal ") for kind, words in KINDS.items()}
DOMAIN_HEAD = ("domain", "at equal", "use", "difference, 95 % interval", "how sure", "sources")

INTRODUCTION = """# KAN or MLP: what to use

Written by `python -m kanbefair.readme` from the tables of the fair study (`results/extended/fairness_*.csv`), by
[the rule](decision_rule.md) that was stated before it. It compares networks of one to three hidden layers with equally many
values trained, or equally many FLOPs executed, 24 tries each. It says nothing of trees, of larger networks, or of time. A
difference is KAN's result less the MLP's: points of accuracy, or how many times KAN's error the MLP's is; above 0, or above 1×,
KAN is better. *Not known* is no advice: take what is simpler, or try both."""


def page(study: Study, domains: pandas.DataFrame, datasets: pandas.DataFrame) -> str:
    """The page as Markdown, from the study and its tables `fairness_domains` and `fairness_by_dataset`."""
    domains, datasets = (table[(table["first"] == PAIR[0]) & (table["second"] == PAIR[1])] for table in (domains, datasets))
    parts = [
        INTRODUCTION,
        "## By domain",
        _markdown(
            ("domain", "at equal", "use", "difference, 95 % interval", "how sure", "sources"), _domain_rows(domains, datasets)
        ),
        "*How sure*: the probabilities of the Bayesian signed-rank test that KAN is better by more than the margin, "
        "neither, or the MLP. The label decides, not these.",
        "## By dataset",
        "Each line speaks of one dataset alone. A reader whose data are like it may take it as a hint.",
        _markdown(("dataset", "domain", "training rows", *KINDS.values()), _dataset_rows(study, domains, datasets)),
        "## By rows",
        "How many datasets of a domain have which label, by their training rows. These are counts, not tests.",
        _markdown(
            ("domain", "training rows", "at equal", "datasets", *PAIR, EQUIVALENT, UNDECIDED, "median difference"),
            _size_rows(study, datasets),
        ),
        "## By budget",
        "The mean difference over sources at each of the three levels alone, and what budgets these are.",
        _markdown(("domain", "at equal", "sources", "lowest", "middle", "highest"), _level_rows(study)),
        "## What is missing",
        run_so_far(study).data,
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(head: Iterable[str], rows: list[tuple]) -> str:
    """A table of Markdown; a sentence if it has no rows."""
    head = list(head)
    if not rows:
        return "Nothing yet."
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def difference(metric: str, value: float) -> str:
    """A difference as the page gives it."""
    return f"{value:+.2f}" if metric == "accuracy" else f"{10**value:.3g}×"


def _between(row: dict[str, object], low: str, high: str) -> str:
    if not math.isfinite(row[high] - row[low]):
        return difference(row["metric"], row["estimate"])
    ends = ", ".join(difference(row["metric"], row[end]) for end in (low, high))
    return f"{difference(row['metric'], row['estimate'])} [{ends}]"


def _domain_rows(domains: pandas.DataFrame, datasets: pandas.DataFrame) -> list[tuple]:
    rows = []
    for domain in DOMAINS:
        own = domains[domains["domain"] == domain]
        for row in own.to_dict("records"):
            sure = (f"{100 * row[f'probability_{name}']:.0f} %" for name in ("first", "equivalent", "second"))
            use = USE.get(row["label"], row["label"])
            between = _between(row, "holm_low", "holm_high")
            sources = f"{row['sources']} of {row['planned']}"
            rows.append((domain, AT[row["budget_kind"]], use, between, ", ".join(sure), sources))
        if own.empty:
            there = datasets.loc[datasets["domain"] == domain, "source"].nunique()
            why = "not known yet: not all sources are in" if domain in CONFIRMATORY else "see the datasets"
            rows.append((domain, "–", why, "–", "–", f"{there} of {planned(domain)}"))
    return rows


def _dataset_rows(study: Study, domains: pandas.DataFrame, datasets: pandas.DataFrame) -> list[tuple]:
    """The datasets of what does not speak as a domain."""
    alone = datasets[~datasets["domain"].isin(domains["domain"])]
    rows = study.datasets.set_index("dataset")["train_rows"] if len(study.datasets) else {}
    lines = []
    for dataset, own in alone.groupby("dataset", sort=False):
        said = {
            row["budget_kind"]: f"{USE.get(row['label'], row['label'])}, {_between(row, 'low', 'high')}"
            for row in own.to_dict("records")
        }
        number = f"{rows[dataset]:,}" if dataset in rows else "–"
        lines.append((dataset, own["domain"].iloc[0], number, *(said.get(kind, "–") for kind in KINDS)))
    return lines


def _size_rows(study: Study, datasets: pandas.DataFrame) -> list[tuple]:
    if study.datasets.empty or datasets.empty:
        return []
    known = datasets.merge(study.datasets[["dataset", "train_rows"]], on="dataset")
    known["rows"] = pandas.cut(known["train_rows"], [*ROWS.values(), math.inf], right=False, labels=list(ROWS))
    lines = []
    for (domain, rows, kind), own in known.groupby(["domain", "rows", "budget_kind"], observed=True):
        counts = [int((own["label"] == label).sum()) for label in (*PAIR, EQUIVALENT, UNDECIDED)]
        middle = difference(own["metric"].iloc[0], own["estimate"].median())
        lines.append((domain, rows, AT[kind], len(own), *counts, middle))
    return sorted(lines, key=lambda line: (DOMAINS.index(line[0]), list(ROWS).index(line[1]), list(AT.values()).index(line[2])))


def _level_rows(study: Study) -> list[tuple]:
    table = by_level(study.final)
    targets = study.final.groupby(["domain", "budget_kind", "level"])["target"].agg(["min", "max"])
    lines = []
    for (domain, kind, metric), own in table.groupby(["domain", "budget_kind", "metric"]):
        cells = []
        for row in own.sort_values("level").itertuples():
            low, high = targets.loc[domain, kind, row.level]
            range_ = f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
            cells.append(f"{difference(metric, row.estimate)} ({range_})")
        lines.append((domain, AT[kind], own["sources"].max(), *cells))
    return sorted(lines, key=lambda line: (DOMAINS.index(line[0]), list(AT.values()).index(line[1])))
