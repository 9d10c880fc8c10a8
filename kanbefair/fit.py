"""Trains a stack of runs that share a task and a shape, and returns a record per run."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy
import torch
from torch import Generator, Tensor

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.models import Network, build, count
from kanbefair.models.counting import COUNTS, live_parameters
from kanbefair.optim import StackAdam, StackOptimizer, StackSGD
from kanbefair.provenance import provenance
from kanbefair.specs import RunSpec
from kanbefair.step import Step, run_losses

LBFGS = {"history_size": 10, "line_search_fn": "strong_wolfe", "max_iter": 20}
EVALUATION_ROWS = {"cpu": (128, 512, 2**14), "cuda": (128, 2**16, 2**20)}
"""Rows that are evaluated at once: at least, at most, and so many that a run has so many values in its widest layer. On the CPU
a stack of 64 runs then stays in the cache."""
BEST_ON = {"selected": "valid", "best": "test"}
"""The part that each kind of best epoch is best on."""
FAIR_ORDER_SEED = 2**32
"""Under `fair` the batches are drawn from this plus the run's seed, whatever the model: runs of a seed are paired."""


def _generator(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def _draw(generator: Generator) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator))


class Stream:
    """The random numbers of one run: initial values first, then a permutation of the training rows per epoch.

    `published` draws both from one generator just as the paper's program does with its data loaders; its KAN starts from
    seed 0 whatever the run's seed (protocol.md: Training). `fair` has a generator for each, from the run's seed.
    """

    def __init__(self, spec: RunSpec):
        self.published = spec.protocol == "published"
        self.seed = 0 if self.published and spec.model == "KAN" else spec.seed
        self.initial = _generator(self.seed)
        self.batches = self.initial if self.published else _generator(FAIR_ORDER_SEED + self.seed)

    def permutation(self, rows: int) -> Tensor:
        """The order of the training rows in the next epoch."""
        if not self.published:
            return torch.randperm(rows, generator=self.batches)
        _draw(self.batches)
        return torch.randperm(rows, generator=_generator(_draw(self.batches)))

    def after_evaluation(self) -> None:
        """Skip what the paper's evaluation pass over the train and the test loader draws."""
        if self.published:
            for _ in range(3):
                _draw(self.batches)


@torch.no_grad()
def evaluate(network: Network, task: Task, part: str, block: int) -> dict[str, Tensor]:
    """Metrics (S,) of each run on a part: accuracy in percent ("metric") and cross entropy ("loss"), or mean absolute
    ("metric") and root mean square error ("rmse"). `block` rows are evaluated at once."""
    x, y = task.part(part)
    network.eval()
    total = torch.zeros(2, network.runs, dtype=torch.float64, device=x.device)
    for rows, target in zip(x.split(block), y.split(block, dim=y.dim() - 2 if y.dim() > 2 else 0), strict=True):
        logits = network(task.inputs(rows))
        if task.metric == "accuracy":
            total[0] += (logits.argmax(-1) == target).sum(-1)
            total[1] += run_losses(logits, target, "cross_entropy").double() * len(target)
        else:
            error = (logits - target).flatten(1)
            total[0] += error.abs().sum(-1, dtype=torch.float64) / logits.shape[-1]
            total[1] += error.square().sum(-1, dtype=torch.float64) / logits.shape[-1]
    first, second = (total / len(x)).cpu()
    if task.metric == "accuracy":
        return {"metric": 100 * first, "loss": second}
    return {"metric": first, "rmse": torch.from_numpy(numpy.sqrt(second.numpy()))}


def evaluation_block(network: Network, task: Task) -> int:
    """How many rows to evaluate at once. It hangs on the network's shape alone, so that no result hangs on the stack."""
    least, most, values = EVALUATION_ROWS[task.x_train.device.type]
    return max(least, min(most, values // max(network.widths[1:])))


class Best:
    """The epoch (S,) at which each run of a stack is best on `part` so far, equal accuracies told apart by the loss; 0 while
    none has a metric. Given a network's tensors (S, …), it keeps what they were after that epoch."""

    def __init__(self, part: str, runs: int, live: Sequence[Tensor] = ()):
        self.part, self.live = part, live
        self.kept = [values.clone() for values in live]
        self.epoch = torch.zeros(runs, dtype=torch.int64)
        self.metric, self.loss = torch.full((2, runs), math.inf, dtype=torch.float64)

    def see(self, epoch: int, found: dict[str, Tensor]) -> None:
        """Take in the figures (S,) of an epoch: "<part>_metric" and, of an accuracy, "<part>_loss"."""
        metric, loss = (found.get(f"{self.part}_{name}") for name in ("metric", "loss"))
        if metric is None:
            return
        metric, loss = (metric, torch.zeros_like(metric)) if loss is None else (-metric, loss)
        better = (metric < self.metric) | ((metric == self.metric) & (loss < self.loss))
        self.metric, self.loss = torch.where(better, metric, self.metric), torch.where(better, loss, self.loss)
        self.epoch[better] = epoch
        if better.any():
            for live, kept in zip(self.live, self.kept, strict=True):
                torch.where(better.to(live.device).view(-1, *[1] * (live.dim() - 1)), live, kept, out=kept)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """For a while the network is again what it was after each run's best epoch."""
        last = [values.clone() for values in self.live]
        for live, kept in zip(self.live, self.kept, strict=True):
            live.copy_(kept)
        yield
        for live, values in zip(self.live, last, strict=True):
            live.copy_(values)


def make_optimizer(network: Network, specs: Sequence[RunSpec]) -> StackOptimizer | torch.optim.LBFGS:
    """A new optimiser of the kind that the runs share, each with its learning rate."""
    if specs[0].optimizer == "lbfgs":
        return torch.optim.LBFGS(network.parameters(), lr=specs[0].lr, **LBFGS)
    lr = torch.tensor([spec.lr for spec in specs])
    return {"adam": StackAdam, "sgd": StackSGD}[specs[0].optimizer](network, lr)


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
    by_seed = {spec.seed: Stream(spec) for spec in specs}
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


def train_epoch(step: Step, streams: Sequence[Stream], batch_size: int) -> Tensor:
    """One pass over the training rows, run s in the order that `streams[s]` gives (runs may share a stream); returns the mean
    loss (S,) of the batches, which is not finite if that of a batch was not."""
    step.network.train()
    rows = len(step.x)
    orders = {stream: stream.permutation(rows) for stream in dict.fromkeys(streams)}
    order = orders[streams[0]] if len(orders) == 1 else torch.stack([orders[stream] for stream in streams])
    for batch in order.to(step.x.device).split(batch_size, dim=-1):
        step(batch)
    return step.mean_losses().cpu()


def common_fields(network: Network, run: int, task: Task, device: str | torch.device) -> dict[str, object]:
    """What every record says of run number `run`: task, counts, device and versions."""
    counts = count(network.shape(run))
    fields = {name: getattr(counts, name) for name in COUNTS}
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else str(device)
    return {
        "domain": task.domain,
        "metric": task.metric,
        "input_size": task.input_size,
        "output_size": task.output_size,
        "train_rows": len(task.x_train),
        **fields,
        "live_parameters": live_parameters(network, run),
        "device": name,
        **provenance(),
    }


def _record(spec: RunSpec, curves: dict[str, list[float]], diverged: float, epochs: dict[str, int]) -> dict:
    record = spec.as_dict() | {"key": spec.key, "diverged": None if math.isinf(diverged) else int(diverged)}
    for moment, epoch in epochs.items():
        if moment != "last":
            record[f"epoch_{moment}"] = epoch or None
        for name, curve in curves.items():
            record[f"{name}_{moment}"] = curve[epoch - 1] if epoch else math.nan
    return record | {"curves": curves}
