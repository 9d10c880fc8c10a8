"""What a sweep will cost, before it is run: a few short probes, and a line through them."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy
import pandas
import torch

from kanbefair import fit
from kanbefair.data import Task
from kanbefair.specs import RunSpec
from kanbefair.sweep import Store, plan, stack_values, task_of, worker_count

PROBES = 6
PROBE_BATCHES = 8


def _steps(stack: Sequence[RunSpec], task: Task) -> int:
    return stack[0].epochs * -(-len(task.x_train) // stack[0].batch_size)


def _probe(stack: Sequence[RunSpec], task: Task, device: str) -> float:
    """Seconds per training step of a stack, evaluation included, from one short epoch after a warm-up."""
    rows = PROBE_BATCHES * stack[0].batch_size
    share = rows / len(task.x_train)
    parts = {
        f"{kind}_{part}": task.part(part)[kind == "y"][: max(1, round(share * len(task.part(part)[0])))]
        for part in task.parts for kind in "xy"
    }  # fmt: skip
    small = replace(task, **parts)
    specs = [replace(spec, epochs=1) for spec in stack]
    fit.train(specs, small, device=device)
    start = time.perf_counter()
    fit.train(specs, small, device=device)
    return (time.perf_counter() - start) / _steps(specs, small)


def estimate(
    specs: Sequence[RunSpec], *, runs: str, data_dir: str = "", device: str = "cpu", workers: int | None = None
) -> pandas.DataFrame:
    """One row: runs asked for, runs still missing, stacks, and the estimated hours on this machine and device.

    Seconds per step are taken to grow linearly with the numbers a stack holds per step; the line goes through `PROBES`
    stacks from the smallest to the largest. Nothing is said of machines that are not at hand: call it there.
    """
    missing = Store(runs).missing(specs)
    workers = worker_count(workers, device)
    stacks = plan(missing, data_dir, workers)
    counts = {"runs": len(specs), "missing": len(missing), "stacks": len(stacks)}
    row = counts | {"device": device, "workers": workers, "hours": 0.0}
    if not stacks:
        return pandas.DataFrame([row])
    tasks = [task_of(stack[0], data_dir) for stack in stacks]
    sizes = numpy.array([stack_values(stack, task) for stack, task in zip(stacks, tasks, strict=True)], dtype=float)
    chosen = numpy.unique(numpy.argsort(sizes)[numpy.linspace(0, len(stacks) - 1, PROBES).round().astype(int)])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = numpy.array([_probe(stacks[i], tasks[i], device) for i in chosen])
    torch.set_num_threads(threads)
    line = numpy.polynomial.Polynomial.fit(sizes[chosen], seconds, 1 if len(set(sizes[chosen])) > 1 else 0)
    steps = numpy.array([_steps(stack, task) for stack, task in zip(stacks, tasks, strict=True)])
    row["hours"] = float((steps * line(sizes).clip(seconds.min())).sum() / min(workers, len(stacks)) / 3600)
    return pandas.DataFrame([row])
