"""Executes notebooks with papermill: `python -m kanbefair.execute --profile embedded [notebook …]`.

The executed copies go to `results/<profile>/notebooks/`, without what changes from one run to the next (time stamps,
progress bars), so that git shows a change only where a result changed. Two notebooks share the cores, so that one trains
while the other draws; those that measure times have the machine to themselves.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from kanbefair.devices import check_device
from kanbefair.errors import InputError, choose, exit_status
from kanbefair.folders import PROJECT, named_folder
from kanbefair.report import seconds
from kanbefair.report.tables import PROFILES, Outputs
from kanbefair.sweep import worker_count
from kanbefair.values import whole

NOTEBOOKS = PROJECT / "notebooks"
VOLATILE_TAG = "nbval-ignore-output"
"""Cells with this tag show progress: nbval does not compare what they print, and the kept copies do not show it."""
MEASURED_TAG = "measured"
"""Cells with this tag too show what was measured: the kept copies show it all the same."""
VERDICT = "00"
"""How the notebook begins that reads what the others found."""


def names() -> list[str]:
    """All notebooks; the verdict, which reads what the others found, comes last. `InputError` outside a checkout."""
    found = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    if not found:
        raise InputError(f"there are no notebooks in '{NOTEBOOKS}'; call this from a clone of the project")
    return sorted(found, key=lambda name: (name.startswith(VERDICT), name))


def measures(name: str) -> bool:
    """Whether a notebook measures times, and so wants the machine to itself."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    return any(MEASURED_TAG in cell.metadata.get("tags", []) for cell in cells)


def clean(notebook: nbformat.NotebookNode, project: str) -> nbformat.NotebookNode:
    """Take out what differs between two runs that find the same, and let links to the project find it.

    `project` is the project's folder as seen from the executed copy.
    """
    notebook.metadata = _only(notebook.metadata, "kernelspec", "language_info")
    for cell in notebook.cells:
        cell.metadata = _only(cell.metadata, "tags")
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell.id = "injected-parameters"
            cell.source = re.sub(r"^workers = .*\n", "", cell.source, flags=re.MULTILINE)
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", f"]({project}/")
        if cell.cell_type == "code":
            ignored = VOLATILE_TAG in tags and MEASURED_TAG not in tags
            cell.outputs = [] if ignored else [o for o in cell.outputs if o.get("name") != "stderr"]
    return notebook


def _only(metadata: nbformat.NotebookNode, *names: str) -> nbformat.NotebookNode:
    return nbformat.NotebookNode({name: value for name, value in metadata.items() if name in names})


def execute(name: str, parameters: dict[str, object]) -> float:
    """Execute one notebook with `parameters` (they name the profile and where to write); returns the seconds it took.

    The table `notebook_seconds` keeps them. Raises `InputError` with the failing cell's error; the partly executed copy is
    kept for inspection.
    """
    outputs = Outputs(parameters["profile"], parameters.get("out", ""))
    target = outputs.results / "notebooks" / f"{name}.ipynb"
    target.parent.mkdir(exist_ok=True)
    start = time.perf_counter()
    try:
        papermill.execute_notebook(NOTEBOOKS / f"{name}.ipynb", target, parameters=parameters, progress_bar=False)
    except PapermillExecutionError as error:
        raise InputError(f"notebook {name} failed: {error.ename}: {error.evalue} (see {target})") from None
    taken = time.perf_counter() - start
    notebook = nbformat.read(target, as_version=4)
    seconds.keep(outputs, name, notebook.cells, taken, parameters.get("workers", 0))
    nbformat.write(clean(notebook, os.path.relpath(PROJECT, target.parent)), target)
    return taken


def execute_all(names: Sequence[str], parameters: dict[str, object], at_once: int) -> None:
    """Execute notebooks, the longest (by the kept times) first, `at_once` of them at a time with an equal share of the workers.

    Then come, one by one, those that measure and the verdict. Stops at the first `InputError`.
    """
    kept = seconds.kept(Outputs(parameters["profile"], parameters.get("out", "")))
    after = [name for name in names if name.startswith(VERDICT) or measures(name)]
    first = sorted((name for name in names if name not in after), key=lambda name: -kept.get(name, {"seconds": 0})["seconds"])
    workers = worker_count(parameters["workers"], parameters["device"])
    at_once = max(1, min(at_once, len(first), workers))
    with tqdm(total=len(names), unit="notebook") as bar, ThreadPoolExecutor(at_once) as pool:

        def done(name: str, taken: float) -> None:
            bar.write(f"{name}: {taken:.0f} s")
            bar.update()

        def shared(name: str) -> float:
            try:
                return execute(name, parameters | {"workers": workers // at_once})
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                ensure_event_loop().close()  # of this thread; papermill leaves it open

        running = {pool.submit(shared, name): name for name in first}
        try:
            for future in as_completed(running):
                if not future.cancelled():
                    done(running[future], future.result())
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        for name in after:
            done(name, execute(name, parameters | {"workers": workers}))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for bad input."""
    p = argparse.ArgumentParser(prog="python -m kanbefair.execute", description=__doc__.splitlines()[0])
    p.add_argument("notebooks", nargs="*", help="names such as 03_symbolic (default: all)")
    p.add_argument("--profile", default="embedded", help=", ".join(PROFILES))
    p.add_argument("--data-dir", default=os.environ.get("KANBEFAIR_DATA", ""), help="folder with the real datasets")
    p.add_argument("--device", default="cpu")
    p.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    p.add_argument("--at-once", type=int, default=0, help="notebooks executed at a time (default: 2; one on a GPU)")
    p.add_argument("--out", help="folder to write to (default: the clone, else the working directory)")
    args = p.parse_args(argv)
    given = {"profile": args.profile, "data_dir": args.data_dir, "device": args.device, "workers": args.workers}

    def work() -> None:
        given["out"] = str(named_folder("--out", args.out) or "")
        at_once = whole("at-once", args.at_once, least=0) or (1 if check_device(args.device).startswith("cuda") else 2)
        execute_all([choose("notebook", name, names()) for name in args.notebooks] or names(), given, at_once)

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
