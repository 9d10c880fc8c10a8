"""Executes notebooks with papermill: `python -m kanbefair.execute --profile embedded [notebook …]`.

The executed copies go to `results/<profile>/notebooks/`, without what changes from one run to the next (time stamps,
progress bars), so that git shows a change only where a result changed.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import nbformat
import pandas
import papermill
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from kanbefair.errors import InputError, choose
from kanbefair.outputs import PROFILES, PROJECT, Outputs

NOTEBOOKS = PROJECT / "notebooks"
VOLATILE_TAG = "nbval-ignore-output"
"""Cells with this tag show progress: nbval does not compare what they print, and the kept copies do not show it."""
MEASURED_TAG = "measured"
"""Cells with this tag too show what was measured: the kept copies show it all the same."""


def names() -> list[str]:
    """All notebooks; the verdict, which reads what the others found, comes last."""
    found = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    return sorted(found, key=lambda name: (name.startswith("00"), name))


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out what differs between two runs that find the same."""
    for entry in ("papermill", "widgets"):
        notebook.metadata.pop(entry, None)
    for cell in notebook.cells:
        for entry in ("papermill", "execution"):
            cell.metadata.pop(entry, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            ignored = VOLATILE_TAG in tags and MEASURED_TAG not in tags
            cell.outputs = [] if ignored else [o for o in cell.outputs if o.get("name") != "stderr"]
    return notebook


def execute(name: str, parameters: dict[str, object]) -> float:
    """Execute one notebook with `parameters` (they name the profile and where to write); returns the seconds it took.

    The table `notebook_seconds` keeps them. Raises `InputError` with the failing cell's error; the partly executed copy is
    kept for inspection.
    """
    outputs = Outputs(parameters["profile"], parameters.get("out", ""))
    target = outputs.results / "notebooks" / f"{choose('notebook', name, names())}.ipynb"
    target.parent.mkdir(exist_ok=True)
    before = _records(outputs)
    start = time.perf_counter()
    try:
        papermill.execute_notebook(NOTEBOOKS / f"{name}.ipynb", target, parameters=parameters, progress_bar=False)
    except PapermillExecutionError as error:
        raise InputError(f"notebook {name} failed: {error.ename}: {error.evalue} (see {target})") from None
    seconds = time.perf_counter() - start
    nbformat.write(clean(nbformat.read(target, as_version=4)), target)
    _keep_seconds(outputs, name, seconds, _records(outputs) - before)
    return seconds


def _records(outputs: Outputs) -> int:
    return sum(1 for _ in outputs.runs.glob("*/*.json"))


def _keep_seconds(outputs: Outputs, name: str, seconds: float, trained: int) -> None:
    """Put a notebook's row into the table `notebook_seconds`: what it took this time, and how many runs it trained."""
    row = {"notebook": name, "seconds": round(seconds, 1), "trained_runs": trained}
    row |= {"cores": len(os.sched_getaffinity(0)), "date": date.today().isoformat()}
    rows = [row]
    if (outputs.results / "notebook_seconds.csv").is_file():
        rows += [other for other in outputs.read("notebook_seconds").to_dict("records") if other["notebook"] != name]
    outputs.write("notebook_seconds", pandas.DataFrame(rows).sort_values("notebook"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.execute", description=__doc__.splitlines()[0])
    p.add_argument("notebooks", nargs="*", help="names such as 03_symbolic (default: all)")
    p.add_argument("--profile", default="embedded", help=", ".join(PROFILES))
    p.add_argument("--data-dir", default=os.environ.get("KANBEFAIR_DATA", ""), help="folder with the real datasets")
    p.add_argument("--device", default="cpu")
    p.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    p.add_argument("--out", default="", help="folder to write to (default: this project)")
    args = p.parse_args(argv)
    given = {"profile": args.profile, "data_dir": args.data_dir, "device": args.device, "workers": args.workers}
    given["out"] = str(Path(args.out).resolve()) if args.out else ""
    try:
        bar = tqdm(args.notebooks or names(), unit="notebook")
        for name in bar:
            bar.set_description(name)
            bar.write(f"{name}: {execute(name, given):.0f} s")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
