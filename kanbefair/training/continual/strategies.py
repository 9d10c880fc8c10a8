"""What a strategy against forgetting does: which earlier rows are trained on again, and which parameters are held back.

`continual` names the strategies; here are their parts. A run's spec (`spec.ContinualSpec`) is read for `strategy`,
`buffer`, `strength` and `seed` only.
"""

import math
from collections.abc import Sequence

import numpy
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from kanbefair.data import Task
from kanbefair.models import Network
from kanbefair.models.spline_layers import KANLinear, SplineActivation
from kanbefair.specs import RunSpec
from kanbefair.training.optimizers import make_optimizer
from kanbefair.training.randomness import RandomStream

FISHER_ROWS = 64
MEMORY_SEED = 2**33
FISHER_SEED = 2**34
SPLINES = (KANLinear, SplineActivation)


class Rehearsal:
    """The rows of one run among those of all tasks (`sizes` rows each): those of the current task, and those of earlier
    tasks that the strategy keeps. Takes the place of `randomness.RandomStream`."""

    def __init__(self, spec: RunSpec, sizes: Sequence[int]):
        self.spec, self.source = spec, RandomStream(spec)
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

    The pull is that of the sum over tasks of ½·strength·Ω·(θ − θ*)²; `weight` is ΣΩ and `target` ΣΩθ*, flat vectors
    like the optimiser's.
    """

    def __init__(self, network: Network, specs: Sequence[RunSpec]):
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
    """The share of the rows x at which each basis of each spline layer is not zero: name of the layer's coefficients
    to a tensor (S, inputs, G+K). Spline layers that share their input with all runs give (1, inputs, G+K)."""
    use, hooks = {}, []
    for name, module in network.named_modules():
        if isinstance(module, SPLINES):

            def note(module: nn.Module, inputs: tuple[Tensor], name: str = f"{name}.coefficients") -> None:
                share = module.grid.use(inputs[0])
                use[name] = share if share.dim() == 3 else share.unsqueeze(0)

            hooks.append(module.register_forward_pre_hook(note))
    network.eval()
    network(x)
    for hook in hooks:
        hook.remove()
    return use


def shares(network: Network, use: dict[str, Tensor]) -> list[Tensor]:
    """Per parameter the share of rows at which it was in use, shaped to broadcast: 1 where it is no spline's."""
    found = []
    for name, p in network.named_parameters():
        share = use.get(name, p.new_ones(()))
        found.append(share.reshape(*share.shape, *[1] * (p.dim() - share.dim())) if share.dim() else share)
    return found


def overlap(first: dict[str, Tensor], second: dict[str, Tensor], runs: int) -> Tensor:
    """How far two tasks use the same knots, (S,): 0 none, 1 all in the same measure. NaN without splines."""
    if not first:
        return torch.full((runs,), math.nan)
    shared = sum(torch.minimum(first[name], second[name]).sum((1, 2)).expand(runs) for name in first)
    return shared / sum(torch.maximum(first[name], second[name]).sum((1, 2)).expand(runs) for name in first)


@torch.no_grad()
def update_grids(network: Network, x: Tensor) -> None:
    """Lay the grid of every spline layer over the range of its inputs at the rows x, and fit the splines to their
    former values there (least squares, minimum norm): pykan's grid update with a uniform grid, one range for all its
    inputs."""
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


def importances(
    optimizer: Anchored,
    specs: Sequence[RunSpec],
    whole: Task,
    use: dict[str, Tensor],
    number: int,
    rows: Sequence[Rehearsal],
) -> Tensor:
    """Importances of task `number` (0 …), which ends here, under the strategy of the stack; flat."""
    if specs[0].strategy == "knots":
        return optimizer.flat(shares(optimizer.network, use))
    generators = [Generator().manual_seed(FISHER_SEED + 1000 * spec.seed + number) for spec in specs]
    device = whole.x_train.device
    picked = [
        own.own[number][torch.randint(len(own.own[number]), (FISHER_ROWS,), generator=g)]
        for own, g in zip(rows, generators, strict=True)
    ]
    draws = torch.stack([torch.rand(FISHER_ROWS, generator=g) for g in generators])
    return fisher(optimizer, whole, torch.stack(picked).to(device), draws.to(device))
