"""Trains what is missing of a list of specs, on worker processes, with a progress bar."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas
from loky import cpu_count
from tqdm.auto import tqdm

from kanbefair import training
from kanbefair.devices import check_device
from kanbefair.errors import INTERRUPTED, InputError
from kanbefair.folders import data_folder, writable
from kanbefair.measure import one_thread
from kanbefair.models import compiled
from kanbefair.specs import RunSpec
from kanbefair.sweep import failed, memory, registered
from kanbefair.sweep.failed import RunsFailed
from kanbefair.sweep.identity import Identity, identify
from kanbefair.sweep.pool import carry_out, in_words
from kanbefair.sweep.stacks import forget, plan, stack_task, task_of, too_large
from kanbefair.sweep.store import Found, Row, Store, row_of, table_of
from kanbefair.training.checkpoint import SUFFIX, Checkpoint, begun

CHECKPOINTS = "checkpoints"
"""The folder within a store for what stacks in training keep of themselves (`training.checkpoint`)."""
WORKERS_PER_CORE = 16
"""More processes than that are taken for a mistake."""


class Interrupted(KeyboardInterrupt):
    """A sweep was interrupted. A notebook shows it as one line."""

    def _render_traceback_(self) -> list[str]:
        return [INTERRUPTED]


class InterruptedScript(SystemExit, Interrupted):
    """A sweep was interrupted outside of a notebook: the script ends, after one line, if it does not catch this."""


@dataclass(frozen=True)
class Job:
    """A stack for a worker: its runs, where their records and data lie, what a user has registered, where to tell progress."""

    stack: list[Identity]
    runs: str
    data_dir: str
    device: str
    own: dict[str, dict[str, object]]
    progress: str


def _train(job: Job) -> None:
    """Train a stack and write its records."""
    registered.restore(job.own)
    specs = [identity.spec for identity in job.stack]
    store = Store(job.runs)

    def count() -> None:
        with open(job.progress, "ab") as file:
            file.write(b"." * len(specs))

    names = [identity.record for identity in job.stack]
    checkpoint = Checkpoint(store.folder / CHECKPOINTS / f"{names[0]}{SUFFIX}", names, device=job.device)
    task = stack_task(specs, job.data_dir)
    for data, spec in {own.data: own.spec for own in job.stack}.items():
        if task_of(spec, job.data_dir).digest != data:
            raise InputError(f"the data of {spec.dataset} have changed since the sweep began; start it anew")
    try:
        records = training.train(specs, task, device=job.device, on_epoch=count, checkpoint=checkpoint)
    except InputError as error:  # a network's own: it stops no other
        raise RuntimeError(str(error)) from error
    for identity, record in zip(job.stack, records, strict=True):
        store.write(identity, record)
    checkpoint.delete()


def run(
    specs: Sequence[RunSpec],
    *,
    runs: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    device: str = "cpu",
    workers: int | None = None,
    label: str = "training",
    progress: bool = True,
) -> pandas.DataFrame:
    """Train what has no record in the folder `runs`, and return the table of all `specs`, one row per run, in order.

    Args:
        specs: the runs; those that can share a stack train together, each kind by its own loop (`training.train`).
        runs: the folder of records.
        data_dir: the folder with real datasets (default: `KANBEFAIR_DATA`, else the user's cache).
        device: "cpu" or "cuda".
        workers: processes, with one thread each, that train a stack at a time (default: one per core; one on a GPU).
        label: what the progress bar says.
        progress: whether there is one.

    Datasets are loaded, and all records read and checked, before anything is trained. A record that cannot be used is set
    aside, and its run trained again. Interrupt it when you like: what is finished is kept, and the next call goes on from
    there.

    Raises `InputError` for an unknown or missing dataset, device or folder, and, when all others are done, `RunsFailed` if
    some runs failed: for lack of memory, because of an error, or because a worker died twice.
    """
    if not isinstance(specs, Sequence) or not all(isinstance(spec, RunSpec) for spec in specs):
        raise InputError(f"specs is {_short(specs)}; it must be a list of runs, such as grid returns")
    if not isinstance(runs, str | os.PathLike) or not str(runs):
        raise InputError(f"runs is {runs!r}; it must name the folder of records")
    try:
        return _run(specs, Store(runs), _folder(data_dir), device, worker_count(workers, check_device(device)), label, progress)
    except KeyboardInterrupt:
        if _in_notebook():
            raise Interrupted from None
        print(INTERRUPTED, file=sys.stderr)
        raise InterruptedScript(128 + signal.SIGINT) from None


def _short(value: object) -> str:
    return repr(value) if value is None else f"a {type(value).__name__}"


def _run(
    specs: Sequence[RunSpec], store: Store, folder: str, device: str, workers: int, label: str, progress: bool
) -> pandas.DataFrame:
    """As `run`, of what has been checked."""
    forget()
    wanted = identify(specs, folder)
    found = store.look(wanted)
    lacking = _without_row(wanted, found)
    failures: dict[str, Row] = {}
    if lacking:
        writable(store.folder)
        store.set_aside(found.damaged)
        store.tidy()

        def fail(identity: Identity, why: str) -> None:
            failures[identity.record] = row_of(failed.row(identity, task_of(identity.spec, folder), why))

        epochs = sum(own.spec.total_epochs for own in lacking)
        with _bar(epochs, f"{label}: {len(lacking)} runs", progress) as bar:
            _train_all(lacking, store, folder, device, workers, fail, bar)
        found.rows |= store.look(lacking).rows
    table = table_of(found.rows.get(own.record) or failures[own.record] for own in wanted)
    if failures:
        raise RunsFailed(table)
    return table


def missing(specs: Sequence[RunSpec], *, runs: str | os.PathLike, data_dir: str | os.PathLike | None = None) -> list[Identity]:
    """Those of the runs, each once, that have no usable record in the folder `runs`. Raises `InputError` as `run` does."""
    forget()
    wanted = identify(specs, _folder(data_dir))
    return _without_row(wanted, Store(runs).look(wanted))


def _in_notebook() -> bool:
    """Whether IPython runs this."""
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None


def _without_row(wanted: Sequence[Identity], found: Found) -> list[Identity]:
    return list({own.record: own for own in wanted if own.record not in found.rows}.values())


def _folder(data_dir: str | os.PathLike | None) -> str:
    if data_dir is not None and not isinstance(data_dir, str | os.PathLike):
        raise InputError(f"data_dir is {data_dir!r}; it must name a folder")
    return str(data_folder(data_dir)) if data_dir else ""


def _train_all(
    missing: Sequence[Identity],
    store: Store,
    data_dir: str,
    device: str,
    workers: int,
    fail: Callable[[Identity, str], None],
    bar: tqdm,
) -> None:
    """Train runs stack by stack. `fail` is told of what fails."""
    compiled.prepare()
    with tempfile.TemporaryDirectory(prefix="kanbefair-") as told:
        file = Path(told, "progress")
        file.touch()

        def job(stack: list[Identity]) -> Job:
            own = registered.entries(one.spec for one in stack if one.code)
            return Job(stack, str(store.folder), data_dir, device, own, str(file))

        def fail_all(job: Job, why: str) -> None:
            for own in job.stack:
                fail(own, why)

        for stacks, processes in _rounds(missing, store, data_dir, workers, fail):
            execute = _in_process if min(processes, len(stacks)) == 1 else carry_out
            for _ in execute(_train, [job(stack) for stack in stacks], processes, fail_all):
                bar.update(min(file.stat().st_size, bar.total) - bar.n)  # what is tried again counts twice


def _rounds(
    missing: Sequence[Identity], store: Store, data_dir: str, workers: int, fail: Callable[[Identity, str], None]
) -> list[tuple[list[list[Identity]], int]]:
    """Stacks and the number of processes to train them on: first those that fit into memory beside others, those that were
    begun before all, then those that fit only alone. `fail` is told of runs that do not fit at all."""
    waiting = {own.spec.key: own for own in missing}
    free = memory.at_hand()
    for key, why in too_large([own.spec for own in missing], data_dir, free).items():
        fail(waiting.pop(key), why)
    large = too_large([own.spec for own in waiting.values()], data_dir, free / workers)
    alone = [waiting.pop(key).spec for key in large]
    begun_before = _begun(waiting, store)
    for stack in begun_before:
        for own in stack:
            del waiting[own.spec.key]

    def planned(specs: Sequence[RunSpec], processes: int) -> list[list[Identity]]:
        of = {own.spec.key: own for own in missing}
        return [[of[spec.key] for spec in stack] for stack in plan(specs, data_dir, processes, memory=free / processes)]

    rest = planned([own.spec for own in waiting.values()], workers)
    return [([*begun_before, *rest], workers), (planned(alone, 1), 1)]


def _begun(waiting: dict[str, Identity], store: Store) -> list[list[Identity]]:
    """The stacks of which there is a checkpoint and every run still waits. Of finished runs the checkpoint is deleted."""
    by_record = {own.record: own for own in waiting.values()}
    found = []
    for path, names in begun(store.folder / CHECKPOINTS):
        if all(name in by_record for name in names):
            found.append([by_record.pop(name) for name in names])
        elif any(os.path.exists(store.path(name)) for name in names):
            path.unlink(missing_ok=True)
    return found


def _bar(total: int, label: str, show: bool) -> tqdm:
    return tqdm(total=total, desc=label, unit="epoch", leave=False, disable=not show, smoothing=0.05)


def worker_count(workers: int | None, device: str) -> int:
    """The number of worker processes that `workers` (None or 0: choose) means on `device`.

    Raises `InputError` if it is no number, below 0, or far above the number of cores.
    """
    most = WORKERS_PER_CORE * cpu_count()
    if workers is not None and (type(workers) is not int or not 0 <= workers <= most):
        raise InputError(f"workers is {workers!r}; give 0 for one per core, or a number up to {most} on this machine")
    return workers or (1 if device.startswith("cuda") else cpu_count())


def _in_process(
    work: Callable[[Job], None], jobs: Sequence[Job], workers: int, failed: Callable[[Job, str], None]
) -> Iterator[None]:
    """As `carry_out`, in this process, one after the other."""
    with one_thread():
        for job in jobs:
            try:
                work(job)
            except InputError:
                raise
            except (Exception, SystemExit) as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                failed(job, in_words(error))
            yield
