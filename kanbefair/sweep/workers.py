"""Trains what is missing of a list of specs, on worker processes, with a progress bar."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from multiprocessing import get_context

import pandas
import torch
from tqdm.auto import tqdm

from kanbefair import training
from kanbefair.errors import InputError
from kanbefair.folders import data_folder
from kanbefair.models import compiled
from kanbefair.specs import RunSpec
from kanbefair.sweep.stacks import plan, stack_task
from kanbefair.sweep.store import Store, table

_epochs_done = None


def _start_worker(counter: object, parent: int | None = None) -> None:
    """Set up the process that trains; given a `parent`, it ends when that process has ended, however that came."""
    global _epochs_done
    _epochs_done = counter
    torch.set_num_threads(1)
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(1)


def _run_stack(stack: Sequence[RunSpec], folder: str, data_dir: str, device: str) -> None:
    store = Store(folder)

    def count() -> None:
        with _epochs_done.get_lock():
            _epochs_done.value += len(stack)

    for record in training.train(stack, stack_task(stack, data_dir), device=device, on_epoch=count):
        store.write(record)


def _progress(total: int, label: str, show: bool) -> tqdm:
    return tqdm(total=total, desc=label, unit="epoch", leave=False, disable=not show, smoothing=0.05)


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

    Datasets are loaded and checked before anything is trained. Interrupt it when you like: what is finished is kept, and the
    next call goes on from there. Raises `InputError` for an unknown or missing dataset, device or folder.
    """
    store = Store(runs)
    missing = store.missing(specs)
    workers = worker_count(workers, check_device(device))
    if missing:
        folder = str(data_folder(data_dir)) if data_dir else ""
        compiled.prepare()
        stacks = plan(missing, folder, workers)
        arguments = [(stack, str(store.folder), folder, device) for stack in stacks]
        counter = get_context("spawn").Value("q", 0)
        total = sum(spec.total_epochs for spec in missing)
        execute = _in_process if min(workers, len(stacks)) == 1 else _in_pool
        with _progress(total, f"{label}: {len(missing)} runs in {len(stacks)} stacks", progress) as bar:
            for _ in execute(arguments, counter, workers):
                bar.update(counter.value - bar.n)
    return table([store.read(spec.key) for spec in specs])


def check_device(device: str) -> str:
    """`device` if PyTorch can use it here, else `InputError`."""
    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda"):
        raise InputError(f"unknown device '{device}'; use cpu or cuda")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device '{device}' is not there: PyTorch sees no GPU; use device cpu")
    return device


def worker_count(workers: int | None, device: str) -> int:
    """The number of worker processes that `workers` (None or 0: choose) means on `device`."""
    if workers is not None and workers < 0:
        raise InputError(f"workers is {workers}; give 0 for one per core, or a number above 0")
    return workers or (1 if device.startswith("cuda") else len(os.sched_getaffinity(0)))


def _in_process(arguments: Sequence[tuple], counter: object, workers: int) -> Iterator[None]:
    threads = torch.get_num_threads()
    _start_worker(counter)
    try:
        for entry in arguments:
            _run_stack(*entry)
            yield
    finally:
        torch.set_num_threads(threads)


def _in_pool(arguments: Sequence[tuple], counter: object, workers: int) -> Iterator[None]:
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(counter, os.getpid())) as pool:
        pending = {pool.submit(_run_stack, *entry) for entry in arguments}
        try:
            while pending:
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                yield
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
