"""The loop of a plain run: epochs over one training part, what is held out evaluated after each."""

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.models import Network
from kanbefair.specs import RunSpec
from kanbefair.training.checkpoint import Checkpoint
from kanbefair.training.evaluation import evaluate, evaluation_block
from kanbefair.training.history import History, best_epochs
from kanbefair.training.optimizers import make_optimizer
from kanbefair.training.outcome import FIGURE, constant_answer, outcome
from kanbefair.training.randomness import RandomStream
from kanbefair.training.records import common_fields
from kanbefair.training.stack import TrainingStack, stacked


@stacked
def train(
    specs: Sequence[RunSpec],
    task: Task,
    *,
    device: str | torch.device = "cpu",
    evaluation_rows: int | None = None,
    train_curve: bool = False,
    on_epoch: Callable[[], None] = lambda: None,
    on_end: Callable[[Network], None] = lambda network: None,
    on_reported: Callable[[Network], None] = lambda network: None,
    checkpoint: Checkpoint | None = None,
) -> list[dict]:
    """Train runs that share a stack key and return their records, in order.

    Args:
        specs: the runs.
        task: what they train on; one with targets for each run where their datasets differ.
        device: where to train.
        evaluation_rows: rows that are evaluated at once (default: as many as fit the cache).
        train_curve: evaluate the training part after every epoch, as the paper's program does. Otherwise only the states
            that a protocol reports are evaluated on it: the last, and the best one. Their figures are the same.
        on_epoch: called after every epoch, and at once for each that a checkpoint holds.
        on_end: shown the trained network.
        on_reported: shown the network as it was after each run's epoch that the protocol reports.
        checkpoint: keeps what there is every few minutes, and says what was kept before. Whoever gives it deletes it when the
            records are safe. They are, but for seconds, the same to the bit as without.

    A record holds the spec, the counts, the metric of each part at the `last` epoch, at the epoch that is best on validation
    (`selected`, under `fair`) and at the one that is best on the test part (`best`), the whole curves, the run's share of the
    stack's seconds in training (`train_seconds`) and in all (`run_seconds`), and versions. `batch_loss` is the mean loss of an
    epoch's batches. From the epoch on in which its loss is not finite, or its answers are none, a run counts as diverged:
    `diverged` is that epoch, and its metrics are NaN (`history.History`, `evaluation.evaluate`).

    Of a `blind` run the test part is not read: there are no figures of it, and no `best` epoch.

    `outcome` is "diverged", or "at chance" if the run is no better than a constant answer, in accuracy or in root mean square
    error, neither on the training nor on the test part (where blind, the validation part), at the epoch that the protocol
    reports (`selected` under `fair`, `best` under `published`), else "done" (`outcome.outcome`).

    Raises `InputError` if the runs do not share a stack, or the loss does not fit the task.
    """
    specs[0].check_task(task)
    streams = {spec.seed: RandomStream(spec) for spec in specs}
    stack = TrainingStack(specs, task, streams, device)
    stack.train_with(make_optimizer(stack.network, specs))
    block = evaluation_rows or evaluation_block(stack.network, stack.task)
    parts = [part for part in task.parts if part != "test" or not specs[0].blind]
    watched = [part for part in parts if part != "train" or train_curve]
    state = [values.detach() for values in stack.network.state_dict().values()]
    bests, reported = best_epochs(parts, len(specs), state, specs[0].selection or "metric")
    history = History(len(specs), bests)
    training, before = 0.0, 0.0
    begun = time.perf_counter()
    kept = checkpoint.read() if checkpoint else None
    if kept:
        stack.restore(kept["stack"])
        history.restore(kept["history"])
        training, before = kept["train_seconds"], kept["run_seconds"]
        for _ in range(history.epoch):
            on_epoch()
    for _ in range(history.epoch, specs[0].epochs):
        start = time.perf_counter()
        losses = stack.epoch(history.epoch)
        training += time.perf_counter() - start
        history.see({"batch_loss": losses} | _figures(stack, watched, block))
        for stream in streams.values():
            stream.after_evaluation()
        if checkpoint and checkpoint.due():
            seconds = {"train_seconds": training, "run_seconds": before + time.perf_counter() - begun}
            checkpoint.write({"stack": stack.state(), "history": history.state()} | seconds)
        on_epoch()
    on_train = {} if train_curve else {"last": _figures(stack, ["train"], block)}
    with bests[reported].restored():
        on_reported(stack.network)
        if not train_curve:
            on_train[reported] = _figures(stack, ["train"], block)
    on_end(stack.network)
    whole = before + time.perf_counter() - begun
    share = {"train_seconds": training / len(specs), "run_seconds": whole / len(specs)}
    common = [common_fields(stack.network, run, task, device) | share for run in range(len(specs))]
    judged = ("train", "valid" if specs[0].blind else "test")
    chance = {part: constant_answer(task, part).expand(len(specs)).tolist() for part in judged}
    curves = history.curves()
    records = []
    for run, spec in enumerate(specs):
        figures = _run_figures(run, history, curves[run], on_train)
        diverged = history.diverged_at(run)
        compared = [(figures[f"{part}_{FIGURE[task.metric]}_{reported}"], values[run]) for part, values in chance.items()]
        happened = {"outcome": outcome(task.metric, diverged is not None, compared), "diverged": diverged}
        records.append(spec.as_dict() | {"key": spec.key} | happened | figures | common[run])
    return records


def _figures(stack: TrainingStack, parts: Sequence[str], block: int) -> dict[str, Tensor]:
    """The metrics (S,) of each part, as "<part>_<metric>"."""
    return {
        f"{part}_{name}": values for part in parts for name, values in evaluate(stack.network, stack.task, part, block).items()
    }


def _run_figures(
    run: int, history: History, curves: dict[str, list[float]], on_train: dict[str, dict[str, Tensor]]
) -> dict[str, object]:
    """What a record holds of the figures of run number `run`; `on_train` are the training part's at some of the epochs."""
    figures: dict[str, object] = {}
    moments = history.moments(run)
    for moment, epoch in moments.items():
        if moment != "last":
            figures[f"epoch_{moment}"] = epoch or None
        for name, curve in curves.items():
            figures[f"{name}_{moment}"] = curve[epoch - 1] if epoch else math.nan
    figures["curves"] = curves
    for moment, found in on_train.items():
        for name, values in found.items():
            figures[f"{name}_{moment}"] = float(values[run]) if moments[moment] else math.nan
    return figures
