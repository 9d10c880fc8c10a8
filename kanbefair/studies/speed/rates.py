"""How many whole runs an hour a sweep trains here, and what bounds the rate.

Rates come from probes (`cost.probe`): a share of an epoch with the same share of the evaluation that follows it, scaled to the
whole run. They are those of one worker with one thread, times the number of workers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pandas
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kanbefair import models, sweep
from kanbefair.data import Task
from kanbefair.measure import machine, one_thread
from kanbefair.specs import RunSpec, grid
from kanbefair.studies.speed.design import Cell
from kanbefair.sweep import cost
from kanbefair.training import fit

BYTES = 4


def stack_of(cell: Cell, batches: str, protocol: str = "fair") -> list[RunSpec]:
    """A stack as `stacks.plan` makes it of the runs of a cell. Their batches are each run's `own` (seeds differ) or `shared`
    (one seed, learning rates differ)."""
    varied = {"seed": list(range(cell.wanted))} if batches == "own" else {"lr": [1e-3 + 1e-6 * i for i in range(cell.wanted)]}
    return sweep.plan(grid(protocol=protocol, **cell.fields, **varied))[0]


class _Calls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count[function] += 1
        return function(*args, **(kwargs or {}))


def calls_per_step(stack: Sequence[RunSpec], task: Task, device: str) -> float:
    """PyTorch operators that one training step of a stack calls, backward pass and optimiser included."""
    counts = []
    for batches in (2, 4):
        with _Calls() as calls:
            small = replace(cost.cut(task, stack[0].batch_size), **_train_rows(task, batches * stack[0].batch_size))
            fit.train([replace(spec, epochs=1) for spec in stack], small, device=device)
        counts.append(calls.count.total())
    return (counts[1] - counts[0]) / 2


def _train_rows(task: Task, rows: int) -> dict[str, torch.Tensor]:
    return {"x_train": task.x_train[:rows], "y_train": task.y_train[:rows]}


def work(stack: Sequence[RunSpec], task: Task, train_curve: bool = False) -> dict[str, float]:
    """The least work of one whole run of a stack: `flops`, with only the non-zero bases, and `bytes` of memory traffic.
    `train_curve` as in `fit.train`.

    Arithmetic: a training row costs three forward passes (two for the first layer, whose inputs need no gradient), a row
    that is evaluated one. Traffic of float32: each row that is read, twice in training; per training step and parameter
    9 values: read in the forward pass, its gradient written, and Adam reads four and writes three.
    """
    with torch.device("meta"):
        shape = models.build(stack[:1], task).shape()
    whole = models.count(shape)
    later = models.count(replace(shape, widths=shape.widths[1:]))
    epochs, trained = stack[0].epochs, len(task.x_train)
    others = sum(len(task.part(part)[0]) for part in task.parts if part != "train")
    seen = epochs * others + (epochs if train_curve else 2) * trained
    steps = cost.steps(stack, task)
    flops = epochs * trained * (2 * whole.flops_local + later.flops_local) + seen * whole.flops_local
    rows = (2 * epochs * trained + seen) * task.input_size
    return {"flops": flops, "bytes": BYTES * (rows + steps * 9 * whole.live_parameters)}


def measure(cells: Sequence[Cell], limits: dict[str, float], *, device: str, workers: int, batches: int) -> pandas.DataFrame:
    """One row per cell and kind of batches, and under `published` without and with the training curve that the authors' program
    draws: runs an hour, and the shares of the machine's `limits` (`measure.limits`) that the work takes: arithmetic, memory
    traffic, and calls of operators at their least price. Probes are of `batches` batches."""
    rows = []
    with one_thread():
        where = machine(device)
        for cell in cells:
            kinds = ("own", "shared") if cell.wanted > 1 else ("own",)
            published = [(kinds[-1], "published", train_curve) for train_curve in (False, True)]
            for kind, protocol, train_curve in [*((kind, "fair", False) for kind in kinds), *published]:
                stack = stack_of(cell, kind, protocol)
                task = sweep.stack_task(stack, "")
                steps, least = cost.steps(stack, task), work(stack, task, train_curve)
                seconds = cost.probe(stack, task, device, batches, train_curve) * steps / len(stack)
                calls = calls_per_step(stack, task, device)
                rows.append(
                    {
                        "run": cell.name,
                        "batches": kind,
                        "protocol": protocol,
                        "train_curve": train_curve,
                        "stack": len(stack),
                        "workers": workers,
                        "run_seconds": seconds,
                        "runs_an_hour": workers * 3600 / seconds,
                        "original": cell.original,
                        "gflops": 1e-9 * least["flops"] / seconds,
                        "gbytes": 1e-9 * least["bytes"] / seconds,
                        "calls_per_step": calls,
                        "arithmetic": 1e-9 * least["flops"] / seconds / limits["gflops"],
                        "memory": 1e-9 * least["bytes"] / seconds / limits["gbytes"],
                        "calls": calls * limits["call_seconds"] * steps / len(stack) / seconds,
                        **where,
                    }
                )
    return pandas.DataFrame(rows)
