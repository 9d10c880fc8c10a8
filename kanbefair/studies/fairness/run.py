"""The fair study on real data: `python -m kanbefair.studies.fairness.run [part …] --data-dir DIR`.

A part is a domain, with KAN and MLP under both kinds of budget, or "splines:<domain>", with the MLPs of B-splines under equal
values. Each is tried, chosen, frozen and judged dataset by dataset, and its rows of the committed tables in `results/extended/`
take the place of those that were there. A run whose key and results version are in these tables, or that has a record in
`results/runs`, is not trained again. What a part will cost is shown first.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kanbefair.data import load
from kanbefair.data.available import available
from kanbefair.errors import choose, exit_status
from kanbefair.folders import PROJECT
from kanbefair.studies.fairness import design, sizes
from kanbefair.studies.fairness.datasets import DATASETS, DOMAINS, Entry
from kanbefair.studies.fairness.design import PAIR, SPLINES
from kanbefair.studies.fairness.runner import Part, Runner
from kanbefair.sweep import cost
from kanbefair.values import names

PARTS = {
    part.name: part
    for part in (
        *(Part(domain, domain, PAIR, tuple(sizes.KINDS)) for domain in DOMAINS),
        *(Part(f"splines:{domain}", domain, SPLINES, ("values",)) for domain in DOMAINS),
    )
}


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
    parser.add_argument("parts", nargs="*", default=list(DOMAINS), help=f"{', '.join(PARTS)} (default: all domains)")
    parser.add_argument("--data-dir", default="", help="folder with the real datasets")
    parser.add_argument("--datasets", default="", help="these datasets of the parts alone")
    parser.add_argument("--workers", type=int, default=0, help="processes that train (default: one per core)")
    parser.add_argument("--no-cost", action="store_true", help="do not estimate the cost first")
    parser.add_argument("--out", default=str(PROJECT), help="folder whose results/extended and results/runs are used")
    return exit_status(lambda: run(parser.parse_args(argv)))


def run(args: argparse.Namespace) -> None:
    """Run the parts that the command line names."""
    parts = [PARTS[choose("part", name, PARTS)] for name in args.parts]
    only = names("--datasets", args.datasets)
    results = Path(args.out) / "results"
    runner = Runner(args.data_dir, results / "extended", results / "runs", args.workers)
    for part in parts:
        wanted = [name for name, entry in DATASETS.items() if entry.domain == part.domain and (not only or name in only)]
        there = available(wanted, args.data_dir or None, "fair")
        if absent := [name for name in wanted if name not in there]:
            print(f"{part.name}: not here, left out: {', '.join(absent)}", flush=True)
        entries = [DATASETS[name] for name in there]
        if not args.no_cost:
            show_cost(runner, part, entries)
        together = part.domain == "symbolic"  # functions of the same points train in the same stacks
        for group in [entries] if together else [[entry] for entry in entries]:
            runner.group(group, part)


if __name__ == "__main__":
    sys.exit(main())
