"""Trains a stack of runs that share a task and a shape, and returns a record per run."""

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.models import Network, build
from kanbefair.specs import RunSpec
from kanbefair.training.best_epoch import BEST_ON, Best
from kanbefair.training.evaluation import evaluate, evaluation_block
from kanbefair.training.optimizers import make_optimizer
from kanbefair.training.randomness import RandomStream
from kanbefair.training.records import _record, common_fields
from kanbefair.training.step import Step


def train(
    specs: Sequence[RunSpec],
    task: Task,
    *,
    device: str | torch.device = "cpu",
    evaluation_rows: int | None = None,
    train_curve: bool = False,
    on_epoch: Callable[[], None] = lambda: None,
    on_end: Callable[[Network], None] = lambda network: None,
) -> list[dict]:
    """Train runs that share a stack key and return their records, in order.

    After every epoch validation and test part are evaluated, `evaluation_rows` at a time (default: as many as fit the cache).
    A record holds the spec, the counts, the metric of each part at the `last` epoch, at the epoch that is best on validation
    (`selected`, under `fair`) and at the one that is best on the test part (`best`), the whole curves, the run's share of the
    stack's seconds in training (`train_seconds`) and in all (`run_seconds`), and versions. From the epoch on in which its loss
    is not finite, a run counts as diverged: `diverged` is that epoch and its metrics are NaN.

    The paper's program evaluates the training part after every epoch, too, and so does `train_curve`. Otherwise only the states
    that a protocol reports are evaluated on it: the last, and the best one, by validation or, under `published`, by the test
    part; their figures are the same. The mean loss of an epoch's batches, `batch_loss`, is a curve that costs nothing.

    `on_end` is shown the trained network. Raises `InputError` if the runs do not share a stack, or the loss does not fit the
    task.
    """
    if len({spec.stack_key() for spec in specs}) != 1:
        raise InputError("these runs do not share a stack key; train each group of equal RunSpec.stack_key() by itself")
    if len(task.y_train) != len(specs) if task.y_train.dim() > 2 else len({spec.dataset for spec in specs}) > 1:
        raise InputError("runs on several datasets need a task with targets for each of them (data.task.together)")
    if specs[0].optimizer == "lbfgs" and len(specs) > 1:
        how = {"device": device, "evaluation_rows": evaluation_rows, "train_curve": train_curve}
        return [record for spec in specs for record in train([spec], task, **how, on_epoch=on_epoch, on_end=on_end)]
    specs[0].check_task(task)
    loss = specs[0].loss or ("cross_entropy" if task.metric == "accuracy" else "mse")
    by_seed = {spec.seed: RandomStream(spec) for spec in specs}
    streams = [by_seed[spec.seed] for spec in specs]
    network = build(specs, task)
    network.reset([stream.initial for stream in streams])
    network.to(device)
    task = task.to(device)
    step = Step(network, make_optimizer(network, specs), task, loss)
    block = evaluation_rows or evaluation_block(network, task)
    every_epoch = [part for part in task.parts if part != "train" or train_curve]
    state = [] if train_curve else [values.detach() for values in network.state_dict().values()]
    reported = "selected" if "valid" in task.parts else "best"
    bests = {name: Best(part, len(specs), state if name == reported else []) for name, part in BEST_ON.items()}
    curves: dict[str, list[Tensor]] = {}
    diverged = torch.full((len(specs),), math.inf)
    seconds, begun = 0.0, time.perf_counter()
    for epoch in range(1, specs[0].epochs + 1):
        start = time.perf_counter()
        found = {"batch_loss": train_epoch(step, streams, specs[0].batch_size)}
        seconds += time.perf_counter() - start
        diverged = torch.where(found["batch_loss"].isfinite(), diverged, diverged.clamp(max=epoch))
        for part in every_epoch:
            found |= {f"{part}_{name}": values for name, values in evaluate(network, task, part, block).items()}
        found = {name: values.double().masked_fill(diverged <= epoch, math.nan) for name, values in found.items()}
        for name, values in found.items():
            curves.setdefault(name, []).append(values)
        for best in bests.values():
            best.see(epoch, found)
        for stream in by_seed.values():
            stream.after_evaluation()
        on_epoch()
    epochs = {"last": torch.where(diverged.isinf(), specs[0].epochs, 0)} | {name: best.epoch for name, best in bests.items()}
    seen = {}
    if not train_curve:
        seen["last"] = evaluate(network, task, "train", block)
        with bests[reported].restored():
            seen[reported] = evaluate(network, task, "train", block)
    on_end(network)
    share = {"train_seconds": seconds / len(specs), "run_seconds": (time.perf_counter() - begun) / len(specs)}
    whole = {name: torch.stack(values, dim=1) for name, values in curves.items()}
    return [
        _record(
            spec,
            {name: curve[run].tolist() for name, curve in whole.items()},
            float(diverged[run]),
            {moment: int(epoch[run]) for moment, epoch in epochs.items()},
        )
        | {
            f"train_{name}_{moment}": float(values[run]) if epochs[moment][run] else math.nan
            for moment, found in seen.items()
            for name, values in found.items()
        }
        | common_fields(network, run, task, device)
        | share
        for run, spec in enumerate(specs)
    ]


def train_epoch(step: Step, streams: Sequence[RandomStream], batch_size: int) -> Tensor:
    """One pass over the training rows, run s in the order that `streams[s]` gives (runs may share a stream); returns the mean
    loss (S,) of the batches, which is not finite if that of a batch was not."""
    step.network.train()
    rows = len(step.x)
    orders = {stream: stream.permutation(rows) for stream in dict.fromkeys(streams)}
    order = orders[streams[0]] if len(orders) == 1 else torch.stack([orders[stream] for stream in streams])
    for batch in order.to(step.x.device).split(batch_size, dim=-1):
        step(batch)
    return step.mean_losses().cpu()
