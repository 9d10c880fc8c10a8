"""What a sweep will cost, before it is run: a few short probes, and a line through them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy
import pandas
import torch

from kanbefair.data import Task
from kanbefair.data.task import targets_at
from kanbefair.errors import InputError
from kanbefair.measure import clock, one_thread
from kanbefair.specs import RunSpec
from kanbefair.sweep import missing, plan, stack_task, stack_values, worker_count
from kanbefair.training import fit, loop_of

PROBES = 6
PROBE_BATCHES, PROBE_EPOCHS = 8, 3


def steps(stack: Sequence[RunSpec], task: Task) -> int:
    """Training steps of the whole run of a stack."""
    return stack[0].epochs * -(-len(task.x_train) // stack[0].batch_size)


def cut(task: Task, rows: int) -> Task:
    """`task` with its first `rows` training rows and the same share of its other parts."""
    share = min(1.0, rows / len(task.x_train))
    kept = {part: torch.arange(max(1, round(share * len(task.part(part)[0])))) for part in task.parts}
    x = {f"x_{part}": task.part(part)[0][own] for part, own in kept.items()}
    return replace(task, **x, **{f"y_{part}": targets_at(task.part(part)[1], own) for part, own in kept.items()})


def epoch_seconds(
    stack: Sequence[RunSpec], task: Task, device: str, epochs: int, train_curve: bool = False
) -> tuple[list[float], float, float]:
    """Seconds (`measure.clock`) of each of `epochs` epochs of a stack, evaluation included; of the evaluation after the last
    one; and of all else that a run does once, such as drawing initial values. A first epoch, a warm-up, counts as that.
    `train_curve` as in `fit.train`. Raises `InputError` for runs that are not plain ones."""
    if loop_of(stack[0]) is not fit.train:
        raise InputError(f"the cost of a {type(stack[0]).__name__} cannot be probed; only that of plain runs can")
    now = clock(device)
    ends = []
    start = now()
    specs = [replace(spec, epochs=epochs + 1) for spec in stack]
    marks = {"on_epoch": lambda: ends.append(now()), "on_end": lambda network: ends.append(now())}
    fit.train(specs, task, device=device, train_curve=train_curve, **marks)
    last = ends.pop() - ends[-1]
    return list(numpy.diff(ends)), last, now() - start - (ends[-1] - ends[0]) - last


def probe(stack: Sequence[RunSpec], task: Task, device: str, batches: int = PROBE_BATCHES, train_curve: bool = False) -> float:
    """Seconds (`measure.clock`) per training step of a whole run of a stack, evaluation and what is done once included, from
    epochs of `batches` batches with the same share of the evaluation. `train_curve` as in `fit.train`."""
    small = cut(task, batches * stack[0].batch_size)
    epochs, last, once = epoch_seconds(stack, small, device, PROBE_EPOCHS, train_curve)
    whole = steps(stack, task) / steps(stack, small)
    return (whole * (stack[0].epochs * float(numpy.median(epochs)) + last) + once) / steps(stack, task)


def of_stacks(
    stacks: Sequence[Sequence[RunSpec]], data_dir: str = "", device: str = "cpu", probes: int = PROBES
) -> pandas.DataFrame:
    """One row per stack: its runs, training steps, and seconds per step.

    Seconds per step are taken to grow linearly with the numbers a stack holds per step; the line goes through `probes`
    stacks from the smallest to the largest.
    """
    tasks = [stack_task(stack, data_dir) for stack in stacks]
    sizes = numpy.array([stack_values(stack, task) for stack, task in zip(stacks, tasks, strict=True)], dtype=float)
    chosen = numpy.unique(numpy.argsort(sizes)[numpy.linspace(0, len(stacks) - 1, probes).round().astype(int)])
    with one_thread():
        seconds = numpy.array([probe(stacks[i], tasks[i], device) for i in chosen])
    line = numpy.polynomial.Polynomial.fit(sizes[chosen], seconds, 1 if len(set(sizes[chosen])) > 1 else 0)
    return pandas.DataFrame(
        {
            "runs": [len(stack) for stack in stacks],
            "steps": [steps(stack, task) for stack, task in zip(stacks, tasks, strict=True)],
            "step_seconds": line(sizes).clip(seconds.min()),
        }
    )


def estimate(
    specs: Sequence[RunSpec], *, runs: str, data_dir: str = "", device: str = "cpu", workers: int | None = None
) -> pandas.DataFrame:
    """One row: runs asked for, runs still missing, stacks, and the estimated hours on this machine and device (`of_stacks`).

    Nothing is said of machines that are not at hand: call it there.
    """
    wanting = [own.spec for own in missing(specs, runs=runs, data_dir=data_dir)]
    workers = worker_count(workers, device)
    stacks = plan(wanting, data_dir, workers)
    counts = {"runs": len(specs), "missing": len(wanting), "stacks": len(stacks)}
    row = counts | {"device": device, "workers": workers, "hours": 0.0}
    if stacks:
        table = of_stacks(stacks, data_dir, device)
        row["hours"] = float((table["steps"] * table["step_seconds"]).sum() / min(workers, len(stacks)) / 3600)
    return pandas.DataFrame([row])
