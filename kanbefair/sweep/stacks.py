"""Which runs train together: the plan of stacks, and the task of each."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache

import torch

from kanbefair.data import Task, dataset, load
from kanbefair.data.task import together
from kanbefair.errors import InputError, reason
from kanbefair.models import build
from kanbefair.models.networks import shape_of
from kanbefair.specs import RunSpec
from kanbefair.sweep.memory import needed

STACK_RUNS = 64
"""A stack is at most so many runs."""
STACK_VALUES = 2**25
"""It holds at most so many numbers at once in its widest layer."""
SEED_INPUTS = 256
"""From so many inputs on, and so many runs of each seed (`SEED_RUNS`), stacks hold one seed each.

All their runs then see the same batches, and what the first layer makes of the inputs alone is worked out once.
"""
SEED_RUNS = 8


Data = tuple[str, str, int, int, int | None, str]
"""What decides the data of a run: dataset, protocol, the seed that they are drawn from, division, rows, and the data folder."""


@lru_cache(maxsize=4)
def _task(data: Data) -> Task:
    name, protocol, seed, division, rows, data_dir = data
    task = load(name, data_dir or None, protocol=protocol, seed=seed, division=division)
    return task if rows is None else some_rows(task, rows)


def some_rows(task: Task, rows: int) -> Task:
    """`task` with so many of its training rows, the first of a random order that is the same at every call: fewer rows are part
    of more. Raises `InputError` if there are not so many."""
    there = len(task.x_train)
    if rows > there:
        raise InputError(f"rows is {rows}, but {task.name} has {there:,} training rows; take at most so many")
    numbers = torch.randperm(there, generator=torch.Generator().manual_seed(0))[:rows].sort().values
    return replace(task, x_train=task.x_train[numbers], y_train=task.y_train[numbers])


@cache
def _digest(data: Data) -> str:
    return _task(data).digest


def forget() -> None:
    """Load every task anew when it is next asked for: files, or what is registered, may have changed."""
    _task.cache_clear()
    _digest.cache_clear()


def _drawn_from(spec: RunSpec) -> int:
    """The seed that the data of a run are drawn from: that of symbolic functions under `published`; 0: from none."""
    return spec.seed if spec.protocol == "published" and dataset(spec.dataset).domain == "symbolic" else 0


def _data(spec: RunSpec, data_dir: str) -> Data:
    return spec.dataset, spec.protocol, _drawn_from(spec), spec.division or 0, spec.rows, data_dir


def task_of(spec: RunSpec, data_dir: str) -> Task:
    """The task of a run, loaded once per process and sweep."""
    return _task(_data(spec, data_dir))


def digest_of(spec: RunSpec, data_dir: str) -> str:
    """The digest of the task of a run (`Task.digest`)."""
    return _digest(_data(spec, data_dir))


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
    try:
        with torch.device("meta"):
            values = build(stack[:1], task).values_per_row()
    except Exception:  # a user's own network may need real numbers; what is wrong with it shows when it is trained
        shape = shape_of(stack[0], task)
        values = max(shape.widths) * (1 if shape.grid is None else shape.grid + shape.order)
    return values * min(stack[0].batch_size, len(task.x_train)) * len(stack)


def too_large(specs: Sequence[RunSpec], data_dir: str, free: float) -> dict[str, str]:
    """Which of the runs cannot fit into `free` bytes, or be counted at all, by key, and why in words."""
    known: dict[tuple, float | str] = {}
    found = {}
    for spec in specs:
        size = spec.model, spec.widths, spec.grid, spec.order, spec.embedding, spec.options
        sizes = (*_data(spec, data_dir), *size, spec.batch_size, spec.optimizer)
        if sizes not in known:
            task = task_of(spec, data_dir)
            try:
                known[sizes] = needed(spec, task)
            except Exception as error:  # of a user's own network
                known[sizes] = f"its layers cannot be counted ({reason(error)})"
        if isinstance(known[sizes], str):
            found[spec.key] = known[sizes]
        elif known[sizes] > free:
            found[spec.key] = f"it needs about {known[sizes] / 1e9:,.3g} GB of memory; {free / 1e9:.3g} GB are left here"
    return found


def plan(specs: Sequence[RunSpec], data_dir: str = "", workers: int = 1, memory: float = math.inf) -> list[list[RunSpec]]:
    """Group specs into stacks, the costliest first, none of which needs more than `memory` bytes unless a single run does.

    Runs of a stack are alike in all that `RunSpec.stack_key` names. They are on one dataset or on symbolic functions of the
    same points, and on one seed where that pays (`SEED_RUNS`). A group is cut where it would be too wide for memory or leave
    a worker idle. Raises `InputError` for a run that does not fit its dataset.
    """
    groups = _groups(specs, data_dir)
    stacks = []
    for group in groups:
        task = task_of(group[0], data_dir)
        group[0].check_task(task)
        values = stack_values(group[:1], task)
        most = max(1, int(min(STACK_RUNS, STACK_VALUES // values, memory / needed(group[0], task))))
        parts = max(math.ceil(len(group) / most), min(len(group), math.ceil(workers / len(groups))))
        size = math.ceil(len(group) / parts)
        cost = group[0].epochs * math.ceil(len(task.x_train) / group[0].batch_size) * values
        stacks += [(cost * len(group) / parts, group[start : start + size]) for start in range(0, len(group), size)]
    return [stack for _, stack in sorted(stacks, key=lambda pair: -pair[0])]


def _groups(specs: Sequence[RunSpec], data_dir: str) -> list[list[RunSpec]]:
    """Specs that can train together. Runs of one grid range stand side by side: layers evaluate once what neighbours share."""
    alike: dict[tuple, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        alike[spec.stack_key()].append(spec)
    groups = []
    for group in alike.values():
        inputs = task_of(group[0], data_dir).input_size
        for family in _families(group, data_dir):
            own = [spec for spec in group if spec.dataset in family]
            groups += [sorted(part, key=lambda spec: spec.grid_range or ()) for part in _by_seed(own, inputs)]
    return groups
