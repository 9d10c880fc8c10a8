"""Continual learning: one network meets the tasks of a stream one after the other, under a strategy against forgetting.

Strategies (`STRATEGIES`), what is done when a new task begins:

- `naive`: nothing; the paper's only one (protocol.md: Datasets, Continual).
- `joint`: all rows of earlier tasks are trained on again beside the new ones: the upper bound.
- `replay`: `buffer` rows of earlier tasks, as many of each, are trained on again. With all rows this is `joint`.
- `ewc`: ½·strength·F·(θ − θ*)² is added to the loss for each earlier task, θ* being the parameters at its end and F its
  diagonal Fisher information (Kirkpatrick et al., arXiv 1612.00796, equation 3).
- `knots`: the same with, in the place of F, the share of the task's rows at which a parameter was in use: for a spline's
  coefficient those at which its basis is not zero, for all others 1. For a network without splines this is a pull of
  equal strength on all parameters.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kanbefair import streams
from kanbefair.data import Task
from kanbefair.data.peaks import CENTRES
from kanbefair.errors import InputError, choose
from kanbefair.fit import Stream, evaluate, make_optimizer, shared_fields, train_epoch
from kanbefair.layers import KANLinear, SplineActivation
from kanbefair.local_basis import LocalBasis
from kanbefair.models import Network, build
from kanbefair.specs import RunSpec

STRATEGIES: dict[str, tuple[str, ...]] = {
    "naive": (), "joint": (), "replay": ("buffer",), "ewc": ("strength",), "knots": ("strength",),
}  # fmt: skip
"""Every strategy and the field that it needs."""

STATES = ("carried", "reset")
FISHER_ROWS = 100
MEMORY_SEED = 2**33
FISHER_SEED = 2**34
PICTURE_POINTS = 201
SPLINES = (KANLinear, SplineActivation)


@dataclass(frozen=True, kw_only=True)
class ContinualSpec(RunSpec):
    """One run over a stream; `epochs` are passes over each task's rows, and `widths` may be empty.

    `groups` are the classes of each task (stream `classes`), `tasks` the number of tasks (`permuted`); `buffer` (rows)
    belongs to `replay`, `strength` to `ewc` and `knots`. `optimizer_state` says whether the optimiser's memory is
    carried from task to task or reset; with `grid_update` the grids of all splines are laid anew over the range of each
    new task's rows, and the splines fitted to what they were there. Raises `InputError` for a value that is not allowed.
    """

    least_hidden = 0

    stream: str
    groups: tuple[tuple[int, ...], ...] | None = None
    tasks: int | None = None
    strategy: str = "naive"
    buffer: int | None = None
    strength: float | None = None
    optimizer_state: str = "carried"
    grid_update: bool = False

    def _check(self) -> None:
        super()._check()
        choose("stream", self.stream, streams.STREAMS)
        choose("optimizer state", self.optimizer_state, STATES)
        needed = {"classes": ("groups",), "permuted": ("tasks",)}.get(self.stream, ())
        needed += STRATEGIES[choose("strategy", self.strategy, STRATEGIES)]
        for name in ("groups", "tasks", "buffer", "strength"):
            if (getattr(self, name) is None) == (name in needed):
                verb = "needs" if name in needed else "does not take"
                raise InputError(f"stream '{self.stream}' with strategy '{self.strategy}' {verb} '{name}'")
        if self.groups is not None:
            self._set("groups", tuple(tuple(int(label) for label in group) for group in self.groups))
            if () in self.groups:
                raise InputError(f"task {self.groups.index(()) + 1} of the stream has no classes; leave it out")
        if self.stream == "peaks" and self.dataset not in CENTRES:
            raise InputError(f"a stream of peaks is cut from {' or '.join(CENTRES)}, not from {self.dataset}")
        if self.count < 2:
            raise InputError(f"the stream has {self.count} task; a stream needs at least 2")
        if self.buffer is not None and self.buffer < 1:
            raise InputError(f"buffer is {self.buffer}; it must be at least 1 row (strategy 'naive' keeps none)")
        if self.strength is not None and not (math.isfinite(self.strength) and self.strength >= 0):
            raise InputError(f"strength is {self.strength!r}; it must be 0 or a number above")
        if self.strength is not None and self.optimizer == "lbfgs":
            raise InputError(f"strategy '{self.strategy}' adds to the gradient, which lbfgs does not see; use adam or sgd")
        if self.grid_update and self.grid is None:
            raise InputError(f"grid_update needs a network of splines; {self.model} has no grid")

    @property
    def count(self) -> int:
        """Number of tasks."""
        return {"classes": len(self.groups or ()), "permuted": self.tasks, "peaks": len(CENTRES.get(self.dataset, ()))}[
            self.stream
        ]

    @property
    def total_epochs(self) -> int:
        """Passes over a task's rows in the whole stream."""
        return self.epochs * self.count

    def stack_key(self) -> tuple:
        """As for any run; strengths may differ within a stack, too."""
        shared = self if self.strength is None else replace(self, strength=1.0)
        return super(ContinualSpec, shared).stack_key()

    def tasks_of(self, task: Task) -> list[Task]:
        """The stream's tasks, cut from the dataset; `InputError` if it cannot be cut so."""
        if self.stream == "classes":
            return streams.class_tasks(task, self.groups)
        return streams.permuted_tasks(task, self.tasks) if self.stream == "permuted" else streams.peak_tasks(task)

    def check_task(self, task: Task) -> None:
        """Raise `InputError` if the stream cannot be cut from the dataset or the buffer is larger than the history."""
        tasks = self.tasks_of(task)
        history = sum(len(own.x_train) for own in tasks[:-1])
        if self.buffer is not None and self.buffer > history:
            raise InputError(
                f"buffer is {self.buffer} rows, but the tasks before the last have only {history}; "
                f"make it smaller or use strategy 'joint'"
            )


class Rehearsal:
    """The rows of one run among those of all tasks (`sizes` rows each): those of the current task, and those of earlier
    tasks that the strategy keeps. Takes the place of `fit.Stream`."""

    def __init__(self, spec: ContinualSpec, sizes: Sequence[int]):
        self.spec, self.source = spec, Stream(spec)
        self.seed, self.initial = self.source.seed, self.source.initial
        ends = numpy.cumsum(sizes).tolist()
        self.own = [torch.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        generator = Generator().manual_seed(MEMORY_SEED + self.seed)
        self.shuffled = [rows[torch.randperm(len(rows), generator=generator)] for rows in self.own]
        self.rows = self.own[0]

    def enter(self, number: int) -> None:
        """Begin task `number` (0 …)."""
        self.rows = torch.cat([self.own[number], self.kept(number)])

    def kept(self, number: int) -> Tensor:
        """Rows of the tasks before `number`, one of each in turn, as many as the strategy keeps."""
        if number == 0 or self.spec.strategy not in ("joint", "replay"):
            return self.own[0][:0]
        earlier = self.shuffled[:number]
        turn = torch.cat([torch.arange(len(rows)) for rows in earlier]).argsort(stable=True)
        return torch.cat(earlier)[turn][: self.spec.buffer]

    def permutation(self, rows: int) -> Tensor:
        """The rows of the next epoch, in their order; `rows`, the number of rows of all tasks, is not used."""
        return self.rows[self.source.permutation(len(self.rows))]


class Anchored:
    """An optimiser whose parameters are pulled to where they were at the end of earlier tasks.

    The pull is that of the sum over tasks of ½·strength·Ω·(θ − θ*)²; `weight` is ΣΩ and `target` ΣΩθ*, flat vectors like
    the optimiser's.
    """

    def __init__(self, network: Network, specs: Sequence[ContinualSpec]):
        self.network, self.specs = network, specs
        self.restart()
        self.weight, self.target = torch.zeros_like(self.inner.values), torch.zeros_like(self.inner.values)
        strengths = torch.tensor([spec.strength or 0.0 for spec in specs])
        self.strength = self.flat([strengths.reshape(-1, *[1] * (p.dim() - 1)) for p in network.parameters()])

    def restart(self) -> None:
        """Forget the optimiser's state."""
        self.inner = make_optimizer(self.network, self.specs)

    def flat(self, values: Sequence[Tensor]) -> Tensor:
        """One flat vector of a tensor per parameter, each broadcast to its parameter."""
        for p, value in zip(self.network.parameters(), values, strict=True):
            p.grad.copy_(value)
        return self.inner.gradient.clone()

    def hold(self, importance: Tensor) -> None:
        """Add a task that ends here, with its importances (flat)."""
        self.weight += importance
        self.target += importance * self.inner.values

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        self.inner.zero_grad()

    @torch.no_grad()
    def step(self) -> None:
        """Add the pull to the gradient, then let the optimiser step."""
        self.inner.gradient.add_(self.strength * (self.weight * self.inner.values - self.target))
        self.inner.step()


def fisher(anchored: Anchored, task: Task, rows: Tensor, draws: Tensor) -> Tensor:
    """Diagonal Fisher information of each run at its present parameters, flat: the mean square of the gradient of the
    log-likelihood of an answer that the network itself gives.

    `rows` (S, n) are rows of the task's training part, `draws` (S, n) numbers of U(0, 1) that pick the answers. For
    numbers as targets the likelihood is a Gaussian of variance 1.
    """
    total = torch.zeros_like(anchored.inner.values)
    anchored.network.eval()
    for own, draw in zip(rows.T, draws.T, strict=True):
        anchored.zero_grad()
        logits = anchored.network(task.inputs(task.x_train[own].unsqueeze(1))).squeeze(1)
        if task.metric == "accuracy":
            below = logits.detach().softmax(-1).cumsum(-1) < draw.unsqueeze(-1)
            answer = below.sum(-1).clamp(max=logits.shape[-1] - 1)
            F.cross_entropy(logits, answer, reduction="sum").backward()
        else:
            (logits * torch.where(draw < 0.5, -1.0, 1.0).unsqueeze(-1)).sum().backward()
        total += anchored.inner.gradient.square()
    anchored.zero_grad()
    return total / rows.shape[1]


@torch.no_grad()
def knot_use(network: Network, x: Tensor) -> dict[str, Tensor]:
    """The share of the rows x at which each basis of each spline layer is not zero: name of the layer's coefficients to a
    tensor (S, inputs, G+K). Spline layers that share their input with all runs give (1, inputs, G+K)."""
    use, hooks = {}, []
    for name, module in network.named_modules():
        if isinstance(module, SPLINES):

            def note(module: nn.Module, inputs: tuple[Tensor], name: str = f"{name}.coefficients") -> None:
                share = (module.grid.table(inputs[0]) > 0).float().mean(-3)
                use[name] = share if share.dim() == 3 else share.unsqueeze(0)

            hooks.append(module.register_forward_pre_hook(note))
    network.eval()
    network(x)
    for hook in hooks:
        hook.remove()
    return use


def importance(network: Network, use: dict[str, Tensor]) -> list[Tensor]:
    """Per parameter the share of rows at which it was in use, shaped to broadcast: 1 where it is no spline's."""
    shares = []
    for name, p in network.named_parameters():
        share = use.get(name, p.new_ones(()))
        shares.append(share.reshape(*share.shape, *[1] * (p.dim() - share.dim())) if share.dim() else share)
    return shares


def overlap(first: dict[str, Tensor], second: dict[str, Tensor], runs: int) -> Tensor:
    """How far two tasks use the same knots, (S,): 0 none, 1 all in the same measure. NaN without splines."""
    if not first:
        return torch.full((runs,), math.nan)
    shared = sum(torch.minimum(first[name], second[name]).sum((1, 2)).expand(runs) for name in first)
    return shared / sum(torch.maximum(first[name], second[name]).sum((1, 2)).expand(runs) for name in first)


@torch.no_grad()
def update_grids(network: Network, x: Tensor) -> None:
    """Lay the grid of every spline layer over the range of its inputs at the rows x, and fit the splines to their former
    values there (least squares, minimum norm): pykan's grid update with a uniform grid, one range for all its inputs."""
    x = x.expand(network.runs, *x.shape[-2:])
    for module in network.layers:
        if isinstance(module, SPLINES):
            c = module.coefficients.reshape(*module.coefficients.shape[:3], -1).double()
            before = module.grid.table(x).transpose(1, 2).double() @ c
            low, high = x.amin((1, 2)), x.amax((1, 2))
            margin = torch.where(high > low, 0.01 * (high - low), torch.ones_like(low))
            module.grid.low.copy_((low - margin).reshape(-1, 1, 1))
            module.grid.high.copy_((high + margin).reshape(-1, 1, 1))
            module.grid.same = False
            after = module.grid.table(x).transpose(1, 2).double()
            module.coefficients.copy_((torch.linalg.pinv(after) @ before).reshape(module.coefficients.shape))
        x = module(x)


def summary(matrix: numpy.ndarray, metric: str) -> dict[str, float]:
    """What an accuracy matrix R says; R[t, i] is the metric on task i after training on tasks 0 … t, shape (T, T).

    - `average`: mean over i of R[T−1, i].
    - `learned`: mean over i of R[i, i], how well each task is known when it has just been trained on.
    - `backward`: backward transfer, Σ_{i<T−1} (R[T−1, i] − R[i, i]) / (T−1) (Lopez-Paz and Ranzato, arXiv 1706.08840);
      `backward_paper`: the same sum over T, as the paper has it.
    - `forgetting`: mean over i < T−1 of max_{t<T−1} R[t, i] − R[T−1, i] (Chaudhry et al., arXiv 1801.10112).

    For errors (metric "mae") the signs of transfer and forgetting are turned, so that forgetting is bad when positive in
    either case.
    """
    r = numpy.asarray(matrix, dtype=float)
    sign, tasks = (1.0 if metric == "accuracy" else -1.0), len(r)
    scores, last = sign * r, sign * r[-1]
    lost = (last - numpy.diag(scores))[:-1].sum()
    return {
        "average": r[-1].mean(), "learned": numpy.diag(r).mean(), "backward": lost / (tasks - 1),
        "backward_paper": lost / tasks, "forgetting": (scores[:-1, :-1].max(0) - last[:-1]).mean(),
    }  # fmt: skip


def train(
    specs: Sequence[ContinualSpec],
    task: Task,
    *,
    device: str | torch.device = "cpu",
    on_epoch: Callable[[], None] = lambda: None,
) -> list[dict]:
    """Train runs that share a stack key over their stream, and return their records, in order.

    A record holds the spec, R of the validation and of the test part as `test_1_2` (after task 1, on task 2) and so on,
    their `summary` as `test_average` and so on, the mean `overlap` of the knots that two tasks use, and, for one input,
    what the network says on [-1, 1] after each task. A run whose loss is not finite has NaN from that task on. Raises
    `InputError` if the runs do not share a stack, the stream does not fit the dataset, or the buffer is larger than the
    history.
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
    rows = [Rehearsal(spec, sizes) for spec in specs]
    network = build(specs, whole)
    network.reset([own.initial for own in rows])
    network.to(device)
    optimizer = Anchored(network, specs) if first.strength is not None else make_optimizer(network, specs)
    measured, uses, pictures = [], [], []
    finite = torch.ones(len(specs), dtype=torch.bool)
    for number, part in enumerate(parts):
        for own in rows:
            own.enter(number)
        if number and first.optimizer_state == "reset":
            if first.strength is not None:
                optimizer.restart()
            else:
                optimizer = make_optimizer(network, specs)
        if first.grid_update:
            update_grids(network, part.inputs(part.x_train))
        for _ in range(first.epochs):
            finite &= train_epoch(network, optimizer, whole, rows, first.batch_size, _loss(first, whole))
            on_epoch()
        measured.append(_measure(network, parts, finite))
        uses.append(knot_use(network, part.inputs(part.x_train[:1000])))
        pictures.append(_picture(network, device))
        if first.strength is not None and number < len(parts) - 1:
            optimizer.hold(_importance(optimizer, specs, whole, uses[-1], number, rows))
    return _records(specs, whole, measured, uses, pictures, finite, shared_fields(network, task, device))


def _loss(spec: ContinualSpec, task: Task) -> str:
    return spec.loss or ("cross_entropy" if task.metric == "accuracy" else "mse")


def _importance(
    optimizer: Anchored, specs: Sequence, whole: Task, use: dict[str, Tensor], number: int, rows: Sequence[Rehearsal]
) -> Tensor:
    if specs[0].strategy == "knots":
        return optimizer.flat(importance(optimizer.network, use))
    generators = [Generator().manual_seed(FISHER_SEED + 1000 * spec.seed + number) for spec in specs]
    device = whole.x_train.device
    picked = [
        own.own[number][torch.randint(len(own.own[number]), (FISHER_ROWS,), generator=g)]
        for own, g in zip(rows, generators, strict=True)
    ]
    draws = torch.stack([torch.rand(FISHER_ROWS, generator=g) for g in generators])
    return fisher(optimizer, whole, torch.stack(picked).to(device), draws.to(device))


def _measure(network: Network, parts: Sequence[Task], finite: Tensor) -> dict[str, Tensor]:
    """A row of R per part of the data, (S, T)."""
    block = max(128, 2**20 // network.values_per_row())
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


def _records(specs, whole, measured, uses, pictures, finite, shared) -> list[dict]:
    pairs = [overlap(uses[i], uses[j], len(specs)) for j in range(len(uses)) for i in range(j)]
    knots = torch.stack(pairs).mean(0).tolist()
    records = []
    for run, spec in enumerate(specs):
        record = spec.as_dict() | {"key": spec.key, "diverged": not bool(finite[run]), "count": spec.count}
        if spec.groups is not None:
            record["groups"] = " | ".join(" ".join(map(str, group)) for group in spec.groups)
        for part in measured[0]:
            r = torch.stack([row[part][run] for row in measured]).numpy()
            record |= {f"{part}_{name}": value for name, value in summary(r, whole.metric).items()}
            record |= {f"{part}_{t + 1}_{i + 1}": float(r[t, i]) for t in range(len(r)) for i in range(len(r))}
        record |= {"overlap": knots[run]} | shared
        if pictures[0] is not None:
            record["curves"] = {"picture": [picture[run].tolist() for picture in pictures]}
        records.append(record)
    return records


__all__ = ["STRATEGIES", "ContinualSpec", "LocalBasis", "fisher", "summary", "train"]
