"""The loop of a run over a stream: one network meets the tasks one after the other, under a strategy against forgetting."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy
import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.models import Network
from kanbefair.training.checkpoint import Checkpoint
from kanbefair.training.continual import streams
from kanbefair.training.continual.grid_update import update_grids
from kanbefair.training.continual.knots import knot_use, overlap
from kanbefair.training.continual.metrics import summary
from kanbefair.training.continual.spec import ContinualSpec
from kanbefair.training.continual.strategies import STRATEGIES, Ended
from kanbefair.training.continual.task_rows import TaskRows
from kanbefair.training.evaluation import evaluate, evaluation_block
from kanbefair.training.outcome import FIGURE, constant_answer, outcome
from kanbefair.training.records import common_fields
from kanbefair.training.stack import TrainingStack, stacked

PICTURE_POINTS = 201
"""Points on [-1, 1] at which a network of one input is drawn."""
USE_ROWS = 1000
"""Rows of a task from which the knots in use are told."""


@stacked
def train(
    specs: Sequence[ContinualSpec],
    task: Task,
    *,
    device: str | torch.device = "cpu",
    on_epoch: Callable[[], None] = lambda: None,
    checkpoint: Checkpoint | None = None,
) -> list[dict]:
    """Train runs that share a stack key over their stream, and return their records, in order.

    Args:
        specs: the runs.
        task: the dataset that the stream is cut from.
        device: where to train.
        on_epoch: called after every epoch.
        checkpoint: not used, as a strategy of one's own may know more than can be kept: a stream begins anew.

    A record holds the spec, R of the test part as `test_1_2` (after task 1, on task 2) and so on, the `metrics.summary` of R of
    the validation and of the test part as `valid_average` and so on, the mean `overlap` of the knots that two tasks use, and,
    for one input, what the network says on [-1, 1] after each task. A run whose loss is not finite, or that answers NaN to
    any task, has NaN from that task on.

    `outcome` is "diverged", or "at chance" if the run is no better than a constant answer to each task, on the test part of
    each when it has just been trained on, in the mean over the tasks of the accuracy or the root mean square error, else "done"
    (`outcome.outcome`).

    Raises `InputError` if the runs do not share a stack, the stream does not fit the dataset, or the buffer is larger than the
    history.
    """
    first = specs[0]
    first.check_task(task)
    parts = [part.to(device) for part in first.tasks_of(task)]
    rows = {spec.seed: TaskRows(spec, [len(part.x_train) for part in parts]) for spec in specs}
    stack = TrainingStack(specs, streams.joined(parts), rows, device)
    network = stack.network
    strategy = STRATEGIES[first.strategy](network, specs)
    measured, uses, pictures = [], [], []
    finite = torch.ones(len(specs), dtype=torch.bool)
    for number, part in enumerate(parts):
        for own in rows.values():
            own.enter(number, strategy.rows(number, own))
        strategy.begin(number)
        if first.grid_update:
            update_grids(network, part.inputs(part.x_train))
        stack.train_with(strategy.optimizer)
        for _ in range(first.epochs):
            finite &= stack.epoch().isfinite()
            on_epoch()
        measured.append(_measure(network, parts, finite))
        finite &= ~measured[-1]["test_metric"][:, 0].isnan()
        uses.append(knot_use(network, part.inputs(part.x_train[:USE_ROWS])))
        pictures.append(_picture(network, device))
        if number < len(parts) - 1:
            strategy.end(Ended(number, stack.task, stack.orders, uses[-1]))
    common = [common_fields(network, run, task, device) for run in range(len(specs))]
    chance = float(torch.stack([constant_answer(part, "test") for part in parts]).mean())
    return _records(specs, task.metric, chance, measured, uses, pictures, common)


def _measure(network: Network, parts: Sequence[Task], finite: Tensor) -> dict[str, Tensor]:
    """A row of R per part of the data and figure, as "<part>_<figure>", (S, T): NaN for a run that is not `finite` or has no
    metric somewhere."""
    block = evaluation_block(network, parts[0])
    rows: dict[str, list[Tensor]] = defaultdict(list)
    for part in parts[0].parts:
        if part != "train":
            for own in parts:
                for name, values in evaluate(network, own, part, block).items():
                    rows[f"{part}_{name}"].append(values)
    found = {name: torch.stack(values, dim=1) for name, values in rows.items()}
    lost = ~finite | torch.cat([values for name, values in found.items() if name.endswith("_metric")], dim=1).isnan().any(1)
    return {name: values.masked_fill(lost.unsqueeze(1), math.nan) for name, values in found.items()}


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
    chance: float,
    measured: Sequence[dict[str, Tensor]],
    uses: Sequence[dict[str, Tensor]],
    pictures: Sequence[Tensor | None],
    common: Sequence[dict[str, object]],
) -> list[dict]:
    knots = torch.stack([overlap(a, b, len(specs)) for a, b in itertools.combinations(uses, 2)]).mean(0).tolist()
    matrices = {name: torch.stack([row[name] for row in measured], dim=1).numpy() for name in measured[0]}
    parts = [name.removesuffix("_metric") for name in matrices if name.endswith("_metric")]
    tasks = range(len(measured))
    records = []
    for run, spec in enumerate(specs):
        diverged = math.isnan(matrices["test_metric"][run, -1, 0])
        learned = numpy.diag(matrices[f"test_{FIGURE[metric]}"][run]).mean()
        happened = outcome(metric, diverged, [(learned, chance)])
        record = spec.as_dict() | {"key": spec.key, "stream_name": spec.stream_name, "outcome": happened}
        for part in parts:
            whole = summary(matrices[f"{part}_metric"][run], metric)
            record |= {f"{part}_{name}": _digits(value) for name, value in whole.items()}
        record |= {f"test_{t + 1}_{i + 1}": _digits(matrices["test_metric"][run, t, i]) for t in tasks for i in tasks}
        record |= {"overlap": _digits(knots[run]), "metric": metric} | common[run]
        if pictures[0] is not None:
            record["curves"] = {"picture": [picture[run].tolist() for picture in pictures]}
        records.append(record)
    return records
