"""Continual learning: one network meets the tasks of a stream one after the other, under a strategy against forgetting.

Strategies (`STRATEGIES`), what is done when a new task begins:

- `naive`: nothing; the paper's only one (protocol.md: Datasets, Continual).
- `joint`: all rows of earlier tasks are trained on again beside the new ones: the upper bound.
- `replay`: `buffer` rows of earlier tasks, as many of each, are trained on again. With all rows this is `joint`.
- `ewc`: for each earlier task ½·strength·Σ F·(θ − θ*)² is added to the loss, θ* being the parameters at its end and F
  its diagonal Fisher information (Kirkpatrick et al., arXiv 1612.00796, equation 3).
- `knots`: the same with, in the place of F, the share of the task's rows at which a parameter was in use: for a
  spline's coefficient those at which its basis is not zero, for all others 1. For a network without splines this is a
  pull of equal strength on all parameters.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy
import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.models import Network, build
from kanbefair.training.continual import streams
from kanbefair.training.continual.spec import ContinualSpec
from kanbefair.training.continual.strategies import Anchored, Rehearsal, importances, knot_use, overlap, update_grids
from kanbefair.training.evaluation import evaluate, evaluation_block
from kanbefair.training.fit import train_epoch
from kanbefair.training.optimizers import make_optimizer
from kanbefair.training.records import common_fields
from kanbefair.training.step import Step

PICTURE_POINTS = 201
"""Points on [-1, 1] at which a network of one input is drawn."""
USE_ROWS = 1000


def summary(matrix: numpy.ndarray, metric: str) -> dict[str, float]:
    """What an accuracy matrix R says; R[t, i] is the metric on task i after training on tasks 0 … t, shape (T, T).

    - `average`: mean over i of R[T−1, i].
    - `learned`: mean over i of R[i, i], how well each task is known when it has just been trained on.
    - `backward`: backward transfer, Σ_{i<T−1} (R[T−1, i] − R[i, i]) / (T−1) (Lopez-Paz and Ranzato, arXiv 1706.08840);
      `backward_paper`: the same sum over T, as the paper has it.
    - `forgetting`: mean over i < T−1 of max_{t<T−1} R[t, i] − R[T−1, i] (Chaudhry et al., arXiv 1801.10112).

    For errors (metric "mae") the signs of transfer and forgetting are turned, so that forgetting is bad when positive
    in either case.
    """
    r = numpy.asarray(matrix, dtype=float)
    sign, tasks = (1.0 if metric == "accuracy" else -1.0), len(r)
    scores, last = sign * r, sign * r[-1]
    lost = (last - numpy.diag(scores))[:-1].sum()
    return {
        "average": r[-1].mean(),
        "learned": numpy.diag(r).mean(),
        "backward": lost / (tasks - 1),
        "backward_paper": lost / tasks,
        "forgetting": (scores[:-1, :-1].max(0) - last[:-1]).mean(),
    }


def train(
    specs: Sequence[ContinualSpec],
    task: Task,
    *,
    device: str | torch.device = "cpu",
    on_epoch: Callable[[], None] = lambda: None,
) -> list[dict]:
    """Train runs that share a stack key over their stream, and return their records, in order.

    A record holds the spec, R of the test part as `test_1_2` (after task 1, on task 2) and so on, the `summary` of R of
    the validation and of the test part as `valid_average` and so on, the mean `overlap` of the knots that two tasks
    use, and, for one input, what the network says on [-1, 1] after each task. A run whose loss is not finite has NaN
    from that task on. Raises `InputError` if the runs do not share a stack, the stream does not fit the dataset, or
    the buffer is larger than the history.
    """
    if len({spec.stack_key() for spec in specs}) != 1:
        raise InputError("these runs do not share a stack key; train each group of equal stack_key() by itself")
    first = specs[0]
    if first.optimizer == "lbfgs" and len(specs) > 1:
        return [record for spec in specs for record in train([spec], task, device=device, on_epoch=on_epoch)]
    first.check_task(task)
    parts = [part.to(device) for part in first.tasks_of(task)]
    sizes = [len(part.x_train) for part in parts]
    whole = streams.joined(parts)
    loss = first.loss or ("cross_entropy" if whole.metric == "accuracy" else "mse")
    by_seed = {spec.seed: Rehearsal(spec, sizes) for spec in specs}
    rows = [by_seed[spec.seed] for spec in specs]
    network = build(specs, whole)
    network.reset([own.initial for own in rows])
    network.to(device)
    optimizer = Anchored(network, specs) if first.strength is not None else make_optimizer(network, specs)
    measured, uses, pictures = [], [], []
    finite = torch.ones(len(specs), dtype=torch.bool)
    for number, part in enumerate(parts):
        for own in by_seed.values():
            own.enter(number)
        if number and first.optimizer_state == "reset":
            if first.strength is not None:
                optimizer.restart()
            else:
                optimizer = make_optimizer(network, specs)
        if first.grid_update:
            update_grids(network, part.inputs(part.x_train))
        step = Step(network, optimizer, whole, loss)
        for _ in range(first.epochs):
            finite &= train_epoch(step, rows, first.batch_size).isfinite()
            on_epoch()
        measured.append(_measure(network, parts, finite))
        uses.append(knot_use(network, part.inputs(part.x_train[:USE_ROWS])))
        pictures.append(_picture(network, device))
        if first.strength is not None and number < len(parts) - 1:
            optimizer.hold(importances(optimizer, specs, whole, uses[-1], number, rows))
    common = [common_fields(network, run, task, device) for run in range(len(specs))]
    return _records(specs, whole.metric, measured, uses, pictures, common)


def _measure(network: Network, parts: Sequence[Task], finite: Tensor) -> dict[str, Tensor]:
    """A row of R per part of the data, (S, T)."""
    block = evaluation_block(network, parts[0])
    return {
        part: torch.stack(
            [evaluate(network, own, part, block)["metric"].masked_fill(~finite, math.nan) for own in parts], dim=1
        )
        for part in parts[0].parts
        if part != "train"
    }


@torch.no_grad()
def _picture(network: Network, device: str | torch.device) -> Tensor | None:
    if network.widths[0] != 1 or network.widths[-1] != 1:
        return None
    network.eval()
    return network(torch.linspace(-1, 1, PICTURE_POINTS, device=device).unsqueeze(1)).squeeze(-1).cpu()


def _digits(value: float) -> float:
    """Six digits, which keeps tables small."""
    return float(f"{value:.6g}")


def _records(
    specs: Sequence[ContinualSpec],
    metric: str,
    measured: Sequence[dict[str, Tensor]],
    uses: Sequence[dict[str, Tensor]],
    pictures: Sequence[Tensor | None],
    common: Sequence[dict[str, object]],
) -> list[dict]:
    knots = torch.stack([overlap(a, b, len(specs)) for a, b in itertools.combinations(uses, 2)]).mean(0).tolist()
    matrices = {part: torch.stack([row[part] for row in measured], dim=1).numpy() for part in measured[0]}
    tasks = range(len(measured))
    records = []
    for run, spec in enumerate(specs):
        record = spec.as_dict() | {"key": spec.key, "stream_name": spec.stream_name}
        if spec.groups is not None:
            record["groups"] = " | ".join(" ".join(map(str, group)) for group in spec.groups)
        for part, matrix in matrices.items():
            record |= {f"{part}_{name}": _digits(value) for name, value in summary(matrix[run], metric).items()}
        record |= {f"test_{t + 1}_{i + 1}": _digits(matrices["test"][run, t, i]) for t in tasks for i in tasks}
        record |= {"overlap": _digits(knots[run]), "metric": metric} | common[run]
        if pictures[0] is not None:
            record["curves"] = {"picture": [picture[run].tolist() for picture in pictures]}
        records.append(record)
    return records
