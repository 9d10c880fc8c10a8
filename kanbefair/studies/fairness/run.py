"""The fair study on real data: `python -m kanbefair.studies.fairness.run [part …] --data-dir DIR`.

A part is a domain, with KAN and MLP under both kinds of budget, or "splines:<domain>", with the MLPs of B-splines under equal
values. Each is tried, chosen, frozen and judged dataset by dataset, and its rows of the committed tables in `results/extended/`
take the place of those that were there. A run whose key and results version are in these tables, or that has a record in
`results/runs`, is not trained again. What a part will cost is shown first.

"sensitivity:<choice>" runs one of `variations` on the third of the datasets; "labels" trains nothing and writes the labels
under all choices, and the claims, anew from the tables that are there.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas

from kanbefair.data import load
from kanbefair.data.available import available
from kanbefair.errors import choose, exit_status
from kanbefair.folders import PROJECT
from kanbefair.studies.fairness import claims, design, sensitivity, sensitivity_runs, sizes
from kanbefair.studies.fairness.committed import Tables
from kanbefair.studies.fairness.datasets import DATASETS, DOMAINS, Entry
from kanbefair.studies.fairness.design import PAIR, SPLINES
from kanbefair.studies.fairness.runner import Part, Runner
from kanbefair.studies.fairness.variations import TO_RUN
from kanbefair.sweep import cost
from kanbefair.values import names

PARTS = {
    part.name: part
    for part in (
        *(Part(domain, domain, PAIR, tuple(sizes.KINDS)) for domain in DOMAINS),
        *(Part(f"splines:{domain}", domain, SPLINES, ("values",)) for domain in DOMAINS),
    )
}
ALL = PARTS | {f"sensitivity:{name}": own for name, own in TO_RUN.items()} | {"labels": None}
"""All parts; "labels" trains nothing."""


def show_cost(runner: Runner, part: Part, entries: Sequence[Entry]) -> None:
    """Print what is left to train of a part's tries, and about how long all of it will take."""
    hours, runs, frozen = 0.0, 0, 0
    for entry in entries:
        task = load(entry.name, runner.data_dir or None)
        cells = design.cells(entry, task, part.families, part.kinds, runner.tables.doubled(entry.name))
        specs = [own.spec for cell in cells for own in cell.tries]
        known = runner.tables.tries({spec.key for spec in specs})
        lacking = list({spec.key: spec for spec in specs if spec.key not in known}.values())
        runs += len(specs)
        frozen += len(cells) * entry.divisions * len(design.SEEDS)
        if lacking:
            own = cost.estimate(lacking, runs=runner.runs, data_dir=runner.data_dir, workers=runner.workers or None)
            hours += own["hours"].iloc[0] * (1 + entry.divisions * len(design.SEEDS) / len(cells[0].tries))
    print(
        f"{part.name}: {len(entries)} datasets, {runs:,} tries, {frozen:,} frozen runs; what is left takes about "
        f"{hours:.2f} hours here, and more where epochs double",
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m kanbefair.studies.fairness.run", description=__doc__, allow_abbrev=False)
    parser.add_argument("parts", nargs="*", default=list(DOMAINS), help=f"{', '.join(ALL)} (default: all domains)")
    parser.add_argument("--data-dir", default="", help="folder with the real datasets")
    parser.add_argument("--datasets", default="", help="these datasets of the parts alone")
    parser.add_argument("--workers", type=int, default=0, help="processes that train (default: one per core)")
    parser.add_argument("--no-cost", action="store_true", help="do not estimate the cost first")
    parser.add_argument("--out", default=str(PROJECT), help="folder whose results/extended and results/runs are used")
    return exit_status(lambda: run(parser.parse_args(argv)))


def run(args: argparse.Namespace) -> None:
    """Run the parts that the command line names."""
    parts = [choose("part", name, ALL) for name in args.parts]
    only = names("--datasets", args.datasets)
    results = Path(args.out) / "results"
    runner = Runner(args.data_dir, results / "extended", results / "runs", args.workers)
    for name in parts:
        part = ALL[name]
        if part is None:
            write_labels(runner.tables, results / "embedded")
            continue
        varied = not isinstance(part, Part)
        wanted = [entry for entry in DATASETS.values() if (entry.third if varied else entry.domain == part.domain)]
        entries = here(name, [entry for entry in wanted if not only or entry.name in only], args.data_dir)
        if not args.no_cost:
            (sensitivity_runs.show_cost if varied else show_cost)(runner, part, entries)
        for together in groups(entries):
            sensitivity_runs.group(runner, part, together) if varied else runner.group(together, part)


def here(part: str, entries: Sequence[Entry], data_dir: str) -> list[Entry]:
    """The entries whose data are there; the others are named."""
    there = available([entry.name for entry in entries], data_dir or None, "fair")
    if absent := [entry.name for entry in entries if entry.name not in there]:
        print(f"{part}: not here, left out: {', '.join(absent)}", flush=True)
    return [DATASETS[name] for name in there]


def groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries that train together: functions of the same points share stacks."""
    found: dict[object, list[Entry]] = {}
    for entry in entries:
        points = load(entry.name).x_train.numpy().tobytes() if entry.domain == "symbolic" else entry.name
        found.setdefault(points, []).append(entry)
    return list(found.values())


def write_labels(tables: Tables, embedded: Path) -> None:
    """Write the labels under all choices and the claims, from what is there; streams of tasks are in the folder `embedded`."""
    final, tries, varied, pairs = (tables.read(f"fairness_{name}") for name in ("final", "tries", "sensitivity", "pairs"))
    streams = embedded / "continual_runs.csv"
    tables.write("fairness_sensitivity_labels", sensitivity.labels(final, tries, varied))
    tables.write(
        "claims", claims.claims(final, pairs, pandas.read_csv(streams, low_memory=False) if streams.is_file() else None)
    )


if __name__ == "__main__":
    sys.exit(main())
