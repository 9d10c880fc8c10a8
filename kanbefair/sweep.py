"""Runs what is missing of a list of specs: the store of records, the plan of stacks, the workers, the progress bar."""

import json
import math
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import pandas
import torch
from tqdm.auto import tqdm

from kanbefair.data import Task, dataset, load
from kanbefair.data.task import together
from kanbefair.errors import InputError
from kanbefair.folders import data_folder, writable
from kanbefair.models import build, compiled
from kanbefair.specs import RunSpec
from kanbefair.training import fit

Trainer = Callable[..., list[dict]]
"""Like `fit.train`: (specs, task, device=…, on_epoch=…) to records."""

UNTABLED = ("curves", "train_seconds", "run_seconds")
"""Entries of a record that tables leave out: times differ from one run to the next."""
STACK_RUNS = 64
STACK_VALUES = 2**25
"""A stack is at most so many runs, and at most so many numbers at once in its widest layer."""
SEED_INPUTS, SEED_RUNS = 256, 8
"""From so many inputs on, and so many runs of each seed, stacks hold one seed each: all their runs then see the same batches,
and what the first layer makes of the inputs alone is worked out once."""


class Store:
    """One JSON file per run, named by the key of its spec; a file is there as a whole or not at all."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = writable(Path(folder))

    def path(self, key: str) -> Path:
        """Where the record of `key` lies."""
        return self.folder / key[:2] / f"{key}.json"

    def read(self, key: str) -> dict | None:
        """The record of `key`, or None if there is none."""
        try:
            return json.loads(self.path(key).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            raise InputError(f"{self.path(key)} is damaged; delete it and run again") from None

    def write(self, record: dict) -> None:
        """Store a record under its key, replacing an older one."""
        path = self.path(record["key"])
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps(_plain(record)))
        os.replace(fresh, path)

    def missing(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """The specs, each once, that have no record yet."""
        once = {spec.key: spec for spec in specs}
        return [spec for key, spec in once.items() if not self.path(key).exists()]


def _plain(value: object) -> object:
    """`value` with NaN and infinities as None, which JSON can hold, and curves to seven digits."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [
            float(f"{entry:.7g}") if isinstance(entry, float) and math.isfinite(entry) else _plain(entry) for entry in value
        ]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@lru_cache(maxsize=4)
def _task(name: str, protocol: str, seed: int, data_dir: str) -> Task:
    return load(name, data_dir or None, protocol=protocol, seed=seed)


def task_of(spec: RunSpec, data_dir: str) -> Task:
    """The task of a run, loaded once per process; symbolic functions are drawn from the seed under `published`."""
    drawn = spec.protocol == "published" and dataset(spec.dataset).domain == "symbolic"
    return _task(spec.dataset, spec.protocol, spec.seed if drawn else 0, data_dir)


def stack_task(stack: Sequence[RunSpec], data_dir: str) -> Task:
    """The task that the runs of a stack train on, each with its own targets where their datasets differ."""
    tasks = {name: task_of(next(spec for spec in stack if spec.dataset == name), data_dir) for name in _datasets(stack)}
    return together([tasks[spec.dataset] for spec in stack])


def _datasets(specs: Sequence[RunSpec]) -> list[str]:
    return list(dict.fromkeys(spec.dataset for spec in specs))


def _families(specs: Sequence[RunSpec], data_dir: str) -> list[list[str]]:
    """The datasets of specs with equal stack keys in families that can share a stack: symbolic functions of the same points."""
    families: list[list[str]] = []
    for name in _datasets(specs):
        spec = next(spec for spec in specs if spec.dataset == name)
        if dataset(name).domain == "symbolic" and spec.optimizer != "lbfgs":
            for family in families:
                if together([task_of(replace(spec, dataset=known), data_dir) for known in (family[0], name)]):
                    family.append(name)
                    break
            else:
                families.append([name])
        else:
            families.insert(0, [name])
    return families


def _by_seed(group: list[RunSpec], inputs: int) -> list[list[RunSpec]]:
    seeds: dict[int, list[RunSpec]] = defaultdict(list)
    for spec in group:
        seeds[spec.seed].append(spec)
    apart = inputs >= SEED_INPUTS and min(map(len, seeds.values())) >= SEED_RUNS
    return list(seeds.values()) if apart else [group]


def stack_values(stack: Sequence[RunSpec], task: Task) -> int:
    """About how many numbers a stack holds at once in its widest layer for a batch."""
    with torch.device("meta"):
        values = build(stack[:1], task).values_per_row()
    return values * min(stack[0].batch_size, len(task.x_train)) * len(stack)


def plan(specs: Sequence[RunSpec], data_dir: str = "", workers: int = 1) -> list[list[RunSpec]]:
    """Group specs into stacks, the costliest first; runs of a stack are alike in all that `RunSpec.stack_key` names, and on
    one dataset or on symbolic functions of the same points, and on one seed where that pays (`SEED_RUNS`). Runs of one grid
    range stand together: layers evaluate once what neighbours share.

    A group is cut where it would be too wide for memory or leave a worker idle.
    """
    alike: dict[tuple, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        alike[spec.stack_key()].append(spec)
    groups = [
        sorted(own, key=lambda spec: spec.grid_range or ())
        for group in alike.values()
        for family in _families(group, data_dir)
        for own in _by_seed([spec for spec in group if spec.dataset in family], task_of(group[0], data_dir).input_size)
    ]
    stacks = []
    for group in groups:
        task = task_of(group[0], data_dir)
        group[0].check_task(task)
        values = stack_values(group[:1], task)
        most = max(1, min(STACK_RUNS, STACK_VALUES // values))
        parts = max(math.ceil(len(group) / most), min(len(group), math.ceil(workers / len(groups))))
        size = math.ceil(len(group) / parts)
        cost = group[0].epochs * math.ceil(len(task.x_train) / group[0].batch_size) * values
        stacks += [(cost * len(group) / parts, group[start : start + size]) for start in range(0, len(group), size)]
    return [stack for _, stack in sorted(stacks, key=lambda pair: -pair[0])]


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


def _run_stack(stack: Sequence[RunSpec], folder: str, data_dir: str, device: str, train: Trainer) -> None:
    store = Store(folder)

    def count() -> None:
        with _epochs_done.get_lock():
            _epochs_done.value += len(stack)

    for record in train(stack, stack_task(stack, data_dir), device=device, on_epoch=count):
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
    train: Trainer = fit.train,
) -> pandas.DataFrame:
    """Train what has no record in the folder `runs`, and return the table of all `specs`, one row per run, in order.

    `workers` processes with one thread each train a stack at a time (default: one per core; one on a GPU). Datasets are
    loaded and checked before anything is trained; `train` (a function of a module) turns a stack and its task into
    records. Interrupt it when you like: what is finished is kept, and the next
    call goes on from there. Raises `InputError` for an unknown or missing dataset, device or folder.
    """
    store = Store(runs)
    missing = store.missing(specs)
    workers = worker_count(workers, check_device(device))
    if missing:
        folder = str(data_folder(data_dir)) if data_dir else ""
        compiled.prepare()
        stacks = plan(missing, folder, workers)
        arguments = [(stack, str(store.folder), folder, device, train) for stack in stacks]
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


def table(records: Sequence[dict]) -> pandas.DataFrame:
    """Records as a tidy table: a row per run, a column per field, curves and times left out, widths as "10_10"."""
    rows = []
    for record in records:
        row = {name: value for name, value in record.items() if name not in UNTABLED}
        row |= {name: "_".join(map(str, value)) for name, value in row.items() if isinstance(value, list | tuple)}
        rows.append(row)
    return pandas.DataFrame(rows)
