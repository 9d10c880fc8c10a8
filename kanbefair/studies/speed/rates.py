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
"""Of a float32."""


def stack_of(cell: Cell, batches: str, protocol: str = "fair") -> list[RunSpec]:
    """The first stack that a sweep (`stacks.plan`) makes of the runs of a cell.

    `batches` is "own" for runs that differ in their seed, and so in their batches, or "shared" for runs of one seed that
    differ in their learning rate.
    """
    varied = {"seed": list(range(cell.wanted))} if batches == "own" else {"lr": [1e-3 + 1e-6 * i for i in range(cell.wanted)]}
    return sweep.plan(grid(protocol=protocol, **cell.fields, **varied))[0]


class _Calls(TorchDispatchMode):
    """Counts the calls of each PyTorch operator."""

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
    """The least work of one whole run of a stack: `flops`, of the non-zero bases alone, and `bytes` of memory traffic.

    Arithmetic: a training row costs three forward passes (two for the first layer, whose inputs need no gradient), a row
    that is evaluated costs one. Memory traffic, in float32: each row is read, twice in training. Each training step moves 9
    values per parameter: one is read in the forward pass, its gradient is written, and Adam reads four and writes three.

    `train_curve` as in `fit.train`.
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
    """Runs an hour of `workers` workers, from probes of `batches` batches: a row per cell and way of training.

    A cell is trained under `fair` with own batches and with shared ones, and under `published` without and with the training
    curve that the authors' program draws. `arithmetic`, `memory` and `calls` are the shares of the machine's `limits`
    (`measure.limits`) that the work takes at the least: floating-point operations, memory traffic, and calls of operators.
    """
    with one_thread():
        where = machine(device)
        return pandas.DataFrame(
            [
                {"run": cell.name} | way | _rate(cell, way, limits, device, workers, batches) | where
                for cell in cells
                for way in _ways(cell)
            ]
        )


def _ways(cell: Cell) -> list[dict[str, object]]:
    """The ways in which a cell is trained: kind of batches, protocol, and whether with the training curve."""
    kinds = ("own", "shared") if cell.wanted > 1 else ("own",)
    fair = [{"batches": kind, "protocol": "fair", "train_curve": False} for kind in kinds]
    published = [{"batches": kinds[-1], "protocol": "published", "train_curve": curve} for curve in (False, True)]
    return fair + published


def _rate(
    cell: Cell, way: dict[str, object], limits: dict[str, float], device: str, workers: int, batches: int
) -> dict[str, object]:
    """The columns of `measure` for a cell that is trained in one of its `_ways`."""
    stack = stack_of(cell, way["batches"], way["protocol"])
    task = sweep.stack_task(stack, "")
    steps = cost.steps(stack, task)
    least = work(stack, task, way["train_curve"])
    seconds = cost.probe(stack, task, device, batches, way["train_curve"]) * steps / len(stack)
    calls = calls_per_step(stack, task, device)
    return {
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
    }
