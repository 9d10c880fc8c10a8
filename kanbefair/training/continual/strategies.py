"""Strategies against forgetting. Each is a class; adding one is one class with `@strategy("name")` above it.

The loop asks a strategy three times a task: which rows of earlier tasks are trained on again (`rows`), what is done when a
task begins (`begin`), and what when it has ended (`end`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from kanbefair.data import Task
from kanbefair.errors import InputError, check_name, choose
from kanbefair.models import Network
from kanbefair.specs import RunSpec
from kanbefair.training.continual.anchored import Anchored, fisher
from kanbefair.training.continual.knots import shares
from kanbefair.training.continual.task_rows import TaskRows
from kanbefair.training.optimizers import Optimizer, make_optimizer

FISHER_ROWS = 64
"""Rows of a task from which its Fisher information is estimated."""
FISHER_SEED = 2**34
"""They are drawn from this plus 1000 times the run's seed plus the task's number."""


@dataclass(frozen=True)
class Ended:
    """A task that has ended: its `number` (0 …), the `data` of all tasks, the rows of each run, and the knots in use.

    `use` is what `knots.knot_use` says of the task's rows.
    """

    number: int
    data: Task
    rows: Sequence[TaskRows]
    use: dict[str, Tensor]


class Strategy:
    """What is done against forgetting in a stack of runs; this one does nothing.

    Args:
        network: the stack's network; `self.optimizer` trains it.
        specs: the stack's runs, which differ in what `ContinualSpec.stack_key` leaves free.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    """The fields of a spec that the strategy takes."""

    @classmethod
    def check(cls, spec: RunSpec) -> None:
        """Raise `InputError` if the strategy cannot be taken with the values of `spec`."""

    @classmethod
    def check_history(cls, spec: RunSpec, rows: int) -> None:
        """Raise `InputError` if the tasks before the last, of so many `rows`, are too small for `spec`."""

    def __init__(self, network: Network, specs: Sequence[RunSpec]):
        self.network = network
        self.specs = specs
        self.optimizer = self.new_optimizer()

    def new_optimizer(self) -> Optimizer:
        """A new optimiser of the stack's network."""
        return make_optimizer(self.network, self.specs)

    def rows(self, task: int, rows: TaskRows) -> Tensor:
        """The rows of earlier tasks that a run trains on again in task number `task` (0 …)."""
        return rows.before(0)

    def begin(self, task: int) -> None:
        """A task begins: forget the optimiser's memory if the runs have it so."""
        if task and self.specs[0].optimizer_state == "reset":
            self.optimizer = self.new_optimizer()

    def end(self, ended: Ended) -> None:
        """A task has ended and another follows."""


FIELDS = ("buffer", "strength")
"""The fields of a spec that strategies may need."""
STRATEGIES: dict[str, type[Strategy]] = {}
"""Every registered strategy."""


def strategy(name: str) -> Callable[[type[Strategy]], type[Strategy]]:
    """Register a class as the strategy that specs call `name`.

    It takes the place of an earlier one of the same name. Raises `InputError` if it needs a field that specs do not have,
    and for a name that a strategy of this package has (`check_name`).
    """

    def add(kind: type[Strategy]) -> type[Strategy]:
        check_name("strategy", name, STRATEGIES.get(name), kind)
        for field in kind.needs:
            choose("field of a strategy", field, FIELDS)
        STRATEGIES[name] = kind
        return kind

    return add


@strategy("naive")
class Naive(Strategy):
    """Nothing is done; the paper's only strategy (docs/protocol.md: Datasets, Continual)."""


@strategy("joint")
class Joint(Strategy):
    """All rows of earlier tasks are trained on again beside the new ones: the upper bound."""

    def rows(self, task: int, rows: TaskRows) -> Tensor:
        """All of them."""
        return rows.before(task)


@strategy("replay")
class Replay(Strategy):
    """`buffer` rows of earlier tasks, as many of each, are trained on again. With all rows this is `joint`."""

    needs = ("buffer",)

    @classmethod
    def check_history(cls, spec: RunSpec, rows: int) -> None:
        """The buffer is no larger than the history."""
        if spec.buffer > rows:
            raise InputError(
                f"buffer is {spec.buffer} rows, but the tasks before the last have only {rows}; "
                f"make it smaller or use strategy 'joint'"
            )

    def rows(self, task: int, rows: TaskRows) -> Tensor:
        """The first that were kept."""
        return rows.before(task)[: self.specs[0].buffer]


class Pull(Strategy):
    """For each earlier task ½·strength·Σ Ω·(θ − θ*)² is added to the loss.

    θ* are the parameters at the task's end, Ω their `importance`.
    """

    needs = ("strength",)

    @classmethod
    def check(cls, spec: RunSpec) -> None:
        """The optimiser takes a gradient that is pulled on."""
        if spec.optimizer == "lbfgs":
            raise InputError(f"strategy '{spec.strategy}' pulls on the gradient, which lbfgs cannot take; use adam or sgd")

    def new_optimizer(self) -> Anchored:
        """An optimiser that is held back."""
        return Anchored(self.network, self.specs)

    def begin(self, task: int) -> None:
        """Forget the optimiser's memory, but not the pull, if the runs have it so."""
        if task and self.specs[0].optimizer_state == "reset":
            self.optimizer.restart()

    def end(self, ended: Ended) -> None:
        """Hold the parameters where they are."""
        self.optimizer.hold(self.importance(ended))

    def importance(self, ended: Ended) -> Tensor:
        """How much each parameter matters for a task that has ended: Ω, flat as the optimiser's vectors are."""
        raise NotImplementedError


@strategy("ewc")
class EWC(Pull):
    """Elastic weight consolidation: Ω is the diagonal Fisher information (Kirkpatrick et al., arXiv 1612.00796, eq. 3)."""

    def importance(self, ended: Ended) -> Tensor:
        """Fisher information at `FISHER_ROWS` rows that each run draws by itself."""
        seeds = [FISHER_SEED + 1000 * spec.seed + ended.number for spec in self.specs]
        generators = [Generator().manual_seed(seed) for seed in seeds]
        picked = []
        for run, generator in zip(ended.rows, generators, strict=True):
            own = run.own[ended.number]
            picked.append(own[torch.randint(len(own), (FISHER_ROWS,), generator=generator)])
        draws = torch.stack([torch.rand(FISHER_ROWS, generator=generator) for generator in generators])
        device = ended.data.x_train.device
        return fisher(self.optimizer, ended.data, torch.stack(picked).to(device), draws.to(device))


@strategy("knots")
class Knots(Pull):
    """Ω is the share of the task's rows at which a parameter was in use: a pull that knows of locality.

    For a spline's coefficient these are the rows at which its basis is not zero; for all others the share is 1. For a
    network without splines this is a pull of equal strength on all parameters.
    """

    def importance(self, ended: Ended) -> Tensor:
        """The shares."""
        return self.optimizer.flat(shares(self.network, ended.use))
