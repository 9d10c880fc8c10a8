"""Writes the numbers of README.md and the pages docs/tables.md and docs/practitioner.md: `python -m kanbefair.readme`."""

import argparse
import re
import sys
from collections.abc import Sequence

import pandas

from kanbefair.errors import InputError, exit_status
from kanbefair.folders import PROJECT, replaced
from kanbefair.report import columns, sentences
from kanbefair.report.tables import Outputs
from kanbefair.studies import ablation, continual, counting, domains, fairness, released, speed  # noqa: F401 (their tables)
from kanbefair.studies.fairness import answer, practitioner
from kanbefair.studies.fairness import findings as fair
from kanbefair.studies.released import findings, reruns, rounding


def verdict_block(verdict: pandas.DataFrame, again: pandas.DataFrame) -> str:
    """The verdicts as a Markdown list; below the tabular ones what the paper's own tables say (`again`)."""
    return sentences(verdict, again[again["domain"] == "tabular"]).data


def fairness_block(by_domain: pandas.DataFrame, by_dataset: pandas.DataFrame) -> str:
    """The fair study's figure, if it is there, and its labels as a Markdown list, from its tables (`findings.labels`)."""
    figure = "figures/extended/fairness_verdict.png"
    shown = f"![Who is ahead, by how much, in which domain]({figure})\n\n" if (PROJECT / figure).is_file() else ""
    return shown + answer.sentences(by_domain, by_dataset).data


def agreement_block(agreement: pandas.DataFrame, duplicates: pandas.DataFrame) -> str:
    """How near our re-runs come to the released rows, and the authors' duplicates to each other: a Markdown table.

    Both arguments are tables of `findings.agreement`; there is a line per domain and model.
    """
    both = agreement.merge(duplicates, on=["domain", "model"], how="left", suffixes=("", " twice"))
    lines = [
        "| domain | model | rows re-run | agree | released twice | agree |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for _, row in both.iterrows():
        shares = ("exact", "within 0.5 points") if row["domain"] != "symbolic" else ("within 0.2 %", "within 5 %")
        ours, theirs = (_shares(row, shares, suffix) for suffix in ("", " twice"))
        twice = "–" if pandas.isna(row["rows twice"]) else f"{row['rows twice']:.0f} pairs"
        lines.append(f"| {row['domain']} | {row['model']} | {row['rows']} | {ours} | {twice} | {theirs} |")
    return "\n".join(lines)


def reruns_block(retrained: pandas.DataFrame, agreement: pandas.DataFrame) -> str:
    """How many of the configurations were trained again, in what time, and how many released rows they were compared with."""
    names = retrained["dataset"].unique()
    grid = {spec.key for domain in reruns.DOMAINS for spec in reruns.specs(domain, names)}
    known = len(grid | set(reruns.keyed(retrained)["key"]))
    hours = retrained["run_seconds"].sum() / 3600
    return (
        f"{len(retrained):,} of {known:,} configurations on {len(names)} datasets were trained again, in {hours:.1f} hours of "
        f"one core. They were compared with {agreement['rows'].sum():,} released rows:"
    )


def rounding_block(table: pandas.DataFrame) -> str:
    """How many MLP rows of accuracies come back to the digit, and how many of ours do in two orders of operations."""
    same = rounding.agreement(table).sum(numeric_only=True)
    return (
        f"Of {same['rows']:.0f} MLP rows of accuracies {same['ours = released']:.0f} come back to the digit. They were trained "
        f"once more with the sums of matrix products in another order and nothing else changed: then "
        f"{same['other = released']:.0f} come back, and {same['ours = other']:.0f} are the same as in our first run."
    )


def _shares(row: pandas.Series, names: tuple[str, ...], suffix: str) -> str:
    """The shares `names` of a row, those that it has, with a suffix to their columns; a dash if it has none."""
    found = [(name, row.get(name + suffix)) for name in names]
    return ", ".join(f"{value:.0f} % {name}" for name, value in found if not pandas.isna(value)) or "–"


def updated(text: str, blocks: dict[str, str]) -> str:
    """`text` with what stands between `<!-- NAME:start … -->` and `<!-- NAME:end -->` replaced by each named block."""
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- {name}:start[^\n]*-->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        text = pattern.sub(lambda found, block=block: f"{found[1]}{block}\n{found[2]}", text)
    return text


def blocks() -> dict[str, str]:
    """All blocks of the README, by name, from the committed tables."""
    tables = Outputs("embedded")
    agreement = reruns.read("agreement")
    return {
        "fairness": fairness_block(*fair.labels()),
        "verdict": verdict_block(tables.read("verdict"), tables.read("published_reruns_verdict")),
        "reruns": reruns_block(reruns.read("reruns"), agreement),
        "agreement": agreement_block(agreement, reruns.read("duplicates")),
        "exceptions": findings.exceptions_in_words(reruns.read("exceptions")),
        "rounding": rounding_block(reruns.read("rounding")),
    }


def update() -> None:
    """Update README.md in place and write the pages in docs/; `InputError` outside a clone."""
    readme = PROJECT / "README.md"
    if not readme.is_file():
        raise InputError(f"'{readme}' does not exist; call this from a clone of the project")
    docs = PROJECT / "docs"
    pages = {
        readme: updated(readme.read_text(), blocks()),
        docs / "tables.md": columns.markdown(),
        docs / "practitioner.md": practitioner.page(fair.read(), *fair.labels()),
    }
    for page, text in pages.items():
        with replaced(page) as fresh:
            fresh.write_text(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    argparse.ArgumentParser(prog="python -m kanbefair.readme", description=__doc__.splitlines()[0]).parse_args(argv)
    return exit_status(update)


if __name__ == "__main__":
    sys.exit(main())
