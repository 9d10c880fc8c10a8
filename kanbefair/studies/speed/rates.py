"""How many whole runs an hour a sweep trains here, what bounds them, what the released grid would take, and what time a run
of a section takes.

Rates come from probes (`cost.probe`): shares of an epoch with the same share of the evaluation that follows it, scaled to the
whole run. They are of one worker with one thread, times the number of workers.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

import numpy
import pandas
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kanbefair import models, sweep
from kanbefair.data import Task
from kanbefair.measure import machine, one_thread
from kanbefair.report import statistics
from kanbefair.specs import RunSpec, grid
from kanbefair.studies.domains import design
from kanbefair.studies.speed.design import Cell
from kanbefair.sweep import cost
from kanbefair.training import fit

BUDGETS = (*statistics.BUDGETS, "stack_seconds", "alone_seconds")
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


def released_grid() -> pandas.DataFrame:
    """The grid behind the 21,030 released rows: per dataset and model the rows, their epochs, and the dataset's sizes."""
    return pandas.read_csv(files("kanbefair.studies.speed") / "released_grid.csv")


KINDS = {
    "grey images": ("vision", "Random_grey_1024_171_784_10"),
    "colour images": ("vision", "Random_colour_1024_205_2352_10"),
    "tables": ("tabular", "Random_numbers_1024_256_16_2"),
    "formulas": ("symbolic", "Random_numbers_1024_1024_2_0"),
}
"""Stand-ins that the cost of the released grid is measured on: one for datasets of about equal inputs."""


def kind_of(row: dict) -> str:
    """Which of `KINDS` stands for a dataset of the released grid."""
    if row["domain"] == "vision":
        return "colour images" if row["inputs"] > 1000 else "grey images"
    return {"tabular": "tables", "symbolic": "formulas"}[row["domain"]]


def grid_cost(*, device: str, workers: int, probes: int = 3) -> pandas.DataFrame:
    """Estimated hours of every released row, as the authors ran it, on this machine: `released_grid` with `hours`, from
    `probes` stacks of the paper's settings per stand-in and model (`cost.of_stacks`)."""
    seconds = {}
    for kind, (domain, name) in KINDS.items():
        specs = design.specs(domain, "paper", [name])
        for model in ("KAN", "MLP"):
            stacks = sweep.plan([spec for spec in specs if spec.model == model])
            table = cost.of_stacks(stacks, device=device, probes=probes)
            seconds[kind, model] = table["step_seconds"].sum() / table["runs"].sum()
    grid = released_grid()
    rows = grid.to_dict("records")
    grid["stand_in"] = [kind_of(row) for row in rows]
    steps = grid["epochs"] * -(-grid["train_rows"] // 128)
    step = [seconds[kind_of(row), row["model"]] for row in rows]
    with one_thread():
        return grid.assign(workers=workers, hours=grid["rows"] * steps * step / workers / 3600, **machine(device))


def run_seconds(specs: Sequence[RunSpec], *, data_dir: str, device: str, batches: int, repeats: int) -> pandas.DataFrame:
    """Measured seconds of each run, evaluations included: `stack_seconds`, its share of a stack as a sweep makes it, and
    `alone_seconds`, trained by itself. Medians of epochs of up to `batches` batches, `repeats` in each of two turns, scaled
    to the whole run."""
    stacks = sweep.plan(specs, data_dir)
    times: dict[tuple[int, int], list[float]] = defaultdict(list)
    with one_thread():
        for _ in range(2):
            for number, stack in enumerate(stacks):
                for size in {1, len(stack)}:
                    task = sweep.stack_task(stack[:size], data_dir)
                    small = cost.cut(task, batches * stack[0].batch_size)
                    share = cost.steps(stack[:1], small) / cost.steps(stack[:1], task)
                    whole = stack[0].epochs / share / size
                    epochs, *_ = cost.epoch_seconds(stack[:size], small, device, repeats)
                    times[number, size] += [whole * value for value in epochs]
    rows = []
    for number, stack in enumerate(stacks):
        own = {
            "stack": len(stack),
            "stack_seconds": numpy.median(times[number, len(stack)]),
            "alone_seconds": numpy.median(times[number, 1]),
        }
        rows += [{"key": spec.key} | own for spec in stack]
    return pandas.DataFrame(rows)


def timed(runs: pandas.DataFrame, specs: Sequence[RunSpec], **how: object) -> pandas.DataFrame:
    """`runs` (the table of a section whose specs these are) with the columns of `run_seconds`, measured on the first dataset;
    only datasets of its sizes are kept. `how` goes to `run_seconds`."""
    first = specs[0].dataset
    twins = {spec.key: replace(spec, dataset=first).key for spec in specs}
    sizes = ["input_size", "output_size", "train_rows"]
    like = runs.loc[runs["dataset"] == first, sizes].iloc[0]
    kept = runs[(runs[sizes] == like).all(axis=1)].assign(twin=lambda table: table["key"].map(twins))
    seconds = run_seconds([spec for spec in specs if spec.dataset == first], **how)
    return kept.merge(seconds.rename(columns={"key": "twin"}), on="twin").drop(columns="twin")
