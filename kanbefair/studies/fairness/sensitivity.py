"""The labels of a pair under each choice of `variations`, beside its labels as decided on the same datasets."""

from collections.abc import Iterator

import pandas

from kanbefair.studies.fairness import sizes
from kanbefair.studies.fairness.datasets import CONFIRMATORY
from kanbefair.studies.fairness.design import PAIR
from kanbefair.studies.fairness.inference import domains
from kanbefair.studies.fairness.variations import VARIATIONS, Changed, Seen, Sized

LEAST = 4
"""Fewest sources for a label: of the third of the datasets, two confirmatory domains have four."""
NOT_RUN = "not run yet"
TOO_FEW = "too few sources"
"""Instead of a label: with no rows, and with rows of fewer sources than `LEAST`."""
PLACE = ["domain", "budget_kind"]
COLUMNS = [
    *("variation", "value", *PLACE, "metric", "estimate", "low", "high", "margin", "sources", "datasets", "label"),
    *("main_estimate", "main_label"),
]


def main_kind(kind: str) -> str:
    """The kind of budget of the study that a kind stands beside: values or flops."""
    return kind.split("_")[0]


def labels(
    final: pandas.DataFrame, tries: pandas.DataFrame, varied: pandas.DataFrame, pair: tuple[str, str] = PAIR
) -> pandas.DataFrame:
    """A row a choice, value, confirmatory domain and kind of budget (`COLUMNS`).

    `low` and `high` are the ends of Holm's interval, which the label takes; the correction is over the domains and kinds of a
    value. `main_estimate` and `main_label` are of the runs as decided, on the same datasets.

    Args:
        final, tries: the frozen runs and the tries of the study.
        varied: the rows of `fairness_sensitivity`. Any of the three may be empty.
        pair: the families.
    """
    rows = []
    for variation in VARIATIONS.values():
        for value in variation.choices:
            runs = _runs(variation, value, final, tries, varied)
            rows += [{"variation": variation.name, "value": value} | row for row in _rows(variation, value, runs, final, pair)]
    return pandas.DataFrame(rows, columns=COLUMNS)


def matrix(table: pandas.DataFrame, column: str = "label") -> pandas.DataFrame:
    """What the figure draws: a row a choice and its value, a column a domain and kind of budget, in a cell the label (or
    another column); None where it is not asked for."""
    wide = table.pivot_table(column, ["variation", "value"], PLACE, aggfunc="first")
    rows = table[["variation", "value"]].drop_duplicates().itertuples(index=False, name=None)
    found = wide.reindex(list(rows)).reindex(columns=[(domain, kind) for domain in CONFIRMATORY for kind in sizes.KINDS])
    return found.astype(object).where(found.notna(), None)


def _runs(
    variation: Seen | Changed | Sized, value: str, final: pandas.DataFrame, tries: pandas.DataFrame, varied: pandas.DataFrame
) -> pandas.DataFrame:
    """The runs that a value of a choice is judged by; their budgets are named as the study's."""
    if isinstance(variation, Seen):
        return variation.scores(final, tries, value) if len(final) and len(tries) else final
    if varied.empty:
        return varied
    own = varied[(varied["variation"] == variation.name) & (varied["value"] == value)]
    return own.assign(budget_kind=own["budget_kind"].map(main_kind))


def _tests(runs: pandas.DataFrame, pair: tuple[str, str]) -> dict[tuple[str, str], pandas.Series]:
    """The tests of a pair by domain and kind of budget; none where a family has no runs."""
    if runs.empty or not set(pair) <= set(runs["family"]):
        return {}
    return {(row["domain"], row["budget_kind"]): row for _, row in domains(runs, pair, LEAST).iterrows()}


def _rows(
    variation: Seen | Changed | Sized, value: str, runs: pandas.DataFrame, final: pandas.DataFrame, pair: tuple[str, str]
) -> Iterator[dict[str, object]]:
    kinds = list(map(main_kind, variation.budgets[value][0])) if isinstance(variation, Sized) else list(sizes.KINDS)
    tests, main, there = _tests(runs, pair), {}, set()
    if len(runs):
        there = set(runs[PLACE].drop_duplicates().itertuples(index=False, name=None))
        same = final["dataset"].isin(runs["dataset"]) & final["budget_kind"].isin(runs["budget_kind"])
        main = _tests(final[same], pair)
    for domain in CONFIRMATORY:
        for kind in kinds:
            row = {"domain": domain, "budget_kind": kind, "label": TOO_FEW if (domain, kind) in there else NOT_RUN}
            if (domain, kind) in tests:
                own = tests[domain, kind]
                row |= {name: own[name] for name in ("metric", "estimate", "margin", "sources", "datasets", "label")}
                row |= {"low": own["holm_low"], "high": own["holm_high"]}
            if (domain, kind) in main:
                row |= {f"main_{name}": main[domain, kind][name] for name in ("estimate", "label")}
            yield row
