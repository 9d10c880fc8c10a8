"""Executes notebooks with papermill: `python -m kanbefair.execute --profile embedded [notebook …]`.

The executed copies go to `results/<profile>/notebooks/`, without what changes from one run to the next (time stamps,
progress bars), so that git shows a change only where a result changed. Two notebooks share the cores, so that one trains
while the other draws; those that measure times have the machine to themselves. A notebook that fails stops no other but the
verdict. An interrupted call leaves no process behind.
"""

import argparse
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

import nbformat
import papermill
import psutil
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm
from traitlets import default

from kanbefair.devices import check_device
from kanbefair.errors import InputError, choose, exit_status
from kanbefair.folders import PROJECT, named_folder
from kanbefair.report import seconds
from kanbefair.report.tables import HAPPENED, PROFILES, Outputs
from kanbefair.sweep import worker_count
from kanbefair.values import whole

NOTEBOOKS = PROJECT / "notebooks"
VOLATILE_TAG = "nbval-ignore-output"
"""Cells with this tag show progress: nbval does not compare what they print, and the kept copies do not show it."""
MEASURED_TAG = "measured"
"""Cells with this tag too show what was measured: the kept copies show it all the same."""
VERDICT = "00"
"""How the notebook begins that reads what the others found."""
WRITES = re.compile(r'section\.(?:train|write)\(\s*"(\w+)"')
"""How a cell names a table that it writes."""
PATIENCE = 1.0
"""Seconds that a process has to end when it is asked to."""


@dataclass(frozen=True)
class Executed:
    """What came of a notebook: the seconds it took, how many of its runs failed, and why it failed itself, if it did."""

    name: str
    seconds: float = 0.0
    failed: int = 0
    error: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.why or f'{self.seconds:.0f} s'}"

    @property
    def why(self) -> str:
        """What was bad about it; empty if nothing was."""
        runs = f"{self.failed} {'run' if self.failed == 1 else 'runs'} failed" if self.failed else ""
        return self.error or runs


class Kernel(AsyncKernelManager):
    """The kernel of this interpreter, whatever kernel a notebook names; it leaves none of the processes that it started."""

    @default("kernel_spec_manager")
    def _installed_ones_are_not_looked_for(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])

    async def cleanup_resources(self, restart: bool = False) -> None:
        await super().cleanup_resources(restart)
        if self.provisioner and self.provisioner.pid:
            end([self.provisioner.pid])


def end(kernels: Collection[int]) -> None:
    """End the processes with these numbers and all that they have started, by force where asking does not do."""
    started = [process for process in psutil.process_iter() if _leader(process) in kernels]
    for process in started:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(started, PATIENCE)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _leader(process: psutil.Process) -> int | None:
    """The number of the kernel that `process` comes from: a kernel leads a session, which lasts though parents have ended.

    Where there are no sessions (Windows) that is the nearest of its parents that this process has started.
    """
    with suppress(OSError, psutil.Error):
        if hasattr(os, "getsid"):
            return os.getsid(process.pid)
        family = [process, *process.parents()]
        return next((child.pid for child in family if child.ppid() == os.getpid()), None)
    return None


def names() -> list[str]:
    """All notebooks; the verdict, which reads what the others found, comes last. `InputError` outside a checkout."""
    found = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    if not found:
        raise InputError(f"there are no notebooks in '{NOTEBOOKS}'; call this from a clone of the project")
    return sorted(found, key=lambda name: (name.startswith(VERDICT), name))


def measures(name: str) -> bool:
    """Whether a notebook measures times, and so wants the machine to itself."""
    return any(MEASURED_TAG in cell.metadata.get("tags", []) for cell in _cells(name))


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
            outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            cell.outputs = [o for o in outputs if not ignored or HAPPENED in o.get("data", {})]
    return notebook


def _only(metadata: nbformat.NotebookNode, *names: str) -> nbformat.NotebookNode:
    return nbformat.NotebookNode({name: value for name, value in metadata.items() if name in names})


def tables(name: str) -> set[str]:
    """The tables that a notebook writes, by what its cells say."""
    return {table for cell in _cells(name) for table in WRITES.findall(cell.source)}


def _cells(name: str) -> list[nbformat.NotebookNode]:
    path = NOTEBOOKS / f"{name}.ipynb"
    try:
        return nbformat.read(path, as_version=4).cells
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        why = _sentence(type(error).__name__, str(error))
        raise InputError(f"'{path}' is no notebook ({why}); mend or remove it") from None


def execute(name: str, parameters: dict[str, object]) -> Executed:
    """Execute one notebook with `parameters` (they name the profile and where to write), with a kernel of this interpreter.

    The table `notebook_seconds` keeps the seconds it took. Where a cell fails, the partly executed copy is kept for inspection.
    Raises `InputError` for an unknown profile or a folder that cannot be written.
    """
    outputs = Outputs(parameters["profile"], parameters.get("out", ""))
    target = outputs.results / "notebooks" / f"{name}.ipynb"
    start = time.perf_counter()
    try:
        target.parent.mkdir(exist_ok=True)
        papermill.execute_notebook(
            NOTEBOOKS / f"{name}.ipynb",
            target,
            parameters=parameters,
            kernel_name=NATIVE_KERNEL_NAME,
            language="python",
            kernel_manager_class=Kernel,
            extra_arguments=["--log-level=ERROR"],
            progress_bar=False,
            request_save_on_cell_execute=False,
        )
        taken = time.perf_counter() - start
        notebook = nbformat.read(target, as_version=4)
        seconds.keep(outputs, name, notebook.cells, taken, parameters.get("workers", 0))
        nbformat.write(clean(notebook, os.path.relpath(PROJECT, target.parent)), target)
    except PapermillExecutionError as error:
        why = f"{_sentence(error.ename, error.evalue)} (see {target})"
    except DeadKernelError:
        why = "its kernel has died; that happens where memory is short"
    except Exception as error:
        why = _sentence(type(error).__name__, str(error))
    else:
        return Executed(name, taken, seconds.said(notebook.cells, "failed"))
    finally:
        ensure_event_loop().close()  # of this thread; papermill leaves it open
    return Executed(name, time.perf_counter() - start, error=why)


def _sentence(kind: str, message: str) -> str:
    """An error in one line."""
    return ": ".join([kind, *message.strip().splitlines()[:1]])


def execute_all(names: Sequence[str], parameters: dict[str, object], at_once: int) -> list[Executed]:
    """Execute notebooks, the longest (by the kept times) first, `at_once` of them at a time with an equal share of the workers.

    Then come, one by one, those that measure and the verdict; without the verdict if another failed. Returns what came of
    each, in the order in which they ended. Interrupt it when you like: all its processes end, what they have finished is kept.

    Raises `InputError` for an unknown profile, device or number of workers, and a folder that cannot be written.
    """
    kept = seconds.kept(Outputs(parameters["profile"], parameters.get("out", "")))
    after = [name for name in names if name.startswith(VERDICT) or measures(name)]
    first = sorted((name for name in names if name not in after), key=lambda name: -kept.get(name, {"seconds": 0})["seconds"])
    workers = worker_count(parameters["workers"], parameters["device"])
    at_once = max(1, min(at_once, len(first), workers))
    executed: list[Executed] = []
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # an error is told once, at the end
    with tqdm(total=len(names), unit="notebook") as bar:

        def done(one: Executed) -> None:
            executed.append(one)
            bar.write(str(one))
            bar.update()

        _side_by_side(first, parameters | {"workers": workers // at_once}, at_once, done)
        for name in after:
            bad = [one.name for one in executed if one.error]
            if bad and name.startswith(VERDICT):
                done(Executed(name, error=f"it is left out, for it reads what {', '.join(bad)} should have written"))
            else:
                _side_by_side([name], parameters | {"workers": workers}, 1, done)
    return executed


def _side_by_side(
    names: Sequence[str], parameters: dict[str, object], at_once: int, done: Callable[[Executed], object]
) -> None:
    """Execute notebooks in threads, so that this one can be interrupted, and call `done` with what came of each."""
    others = psutil.Process().children()
    pool = ThreadPoolExecutor(at_once)
    threads = []
    try:
        for name in names:
            threads.append(pool.submit(execute, name, parameters))
        pending = set(threads)
        while pending:
            ended, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for thread in ended:
                done(thread.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(thread.done() for thread in threads):
            end([child.pid for child in psutil.Process().children() if child not in others])
            time.sleep(0.1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 1 if a notebook or a run failed, 2 for bad input, 130 after Ctrl-C."""
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
    bad: list[Executed] = []

    def work() -> None:
        given["out"] = str(named_folder("--out", args.out) or "")
        at_once = whole("at-once", args.at_once, least=0) or (1 if check_device(args.device).startswith("cuda") else 2)
        executed = execute_all([choose("notebook", name, names()) for name in args.notebooks] or names(), given, at_once)
        bad.extend(one for one in executed if one.why)
        if bad:
            print(f"error: of {len(executed)} notebooks {len(bad)} failed:", *bad, sep="\n  ", file=sys.stderr)

    return exit_status(work) or int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
