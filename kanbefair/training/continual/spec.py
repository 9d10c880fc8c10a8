"""One run over a stream of tasks."""

from dataclasses import dataclass, replace
from functools import partial

from kanbefair.data import Task
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec, one_of
from kanbefair.training.continual.strategies import FIELDS, STRATEGIES
from kanbefair.training.continual.streams import STREAMS
from kanbefair.values import several, truth, whole, zero_or_above

STATES = ("carried", "reset")
MOST_TASKS = 1000
"""A record has an entry for each pair of tasks."""


def _labels(name: str, value: object) -> tuple[int, ...]:
    return several(name, value, partial(whole, least=0), "class of a task")


def _groups(name: str, value: object) -> tuple[tuple[int, ...], ...]:
    return several(name, value, _labels, "group of classes")


@dataclass(frozen=True, kw_only=True)
class ContinualSpec(RunSpec):
    """One run over a stream; `epochs` are passes over each task's rows, and `widths` may be empty.

    Args:
        stream: a name of `streams.STREAMS`.
        groups: the classes of each task, for a stream of classes.
        tasks: number of tasks, for a stream of permutations.
        strategy: a name of `strategies.STRATEGIES`.
        buffer: rows that `replay` keeps.
        strength: how hard `ewc` and `knots` pull.
        optimizer_state: whether the optimiser's memory is "carried" from task to task or "reset".
        grid_update: lay the grids of all splines anew over the range of each new task's rows, and fit the splines to what
            they were there.

    Raises `InputError` for a value that is not allowed.
    """

    least_hidden = 0
    checks = RunSpec.checks | {
        "stream": one_of(STREAMS),
        "groups": _groups,
        "tasks": partial(whole, most=MOST_TASKS),
        "strategy": one_of(STRATEGIES),
        "buffer": whole,
        "strength": zero_or_above,
        "optimizer_state": one_of(STATES),
        "grid_update": truth,
    }

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
        stream = STREAMS[self.stream]
        strategy = STRATEGIES[self.strategy]
        needed = (*stream.needs, *strategy.needs)
        for name in ("groups", "tasks", *FIELDS):
            if (getattr(self, name) is None) == (name in needed):
                verb = "needs" if name in needed else "does not take"
                raise InputError(f"strategy '{self.strategy}' on a stream of {self.stream} {verb} '{name}'")
        stream.check(self)
        if self.count < 2:
            raise InputError(f"the stream has {self.count} tasks; it needs at least 2")
        strategy.check(self)
        for name in ("schedule", "blind", "selection"):
            if getattr(self, name) is not None:
                raise InputError(f"a stream of tasks does not take '{name}'; leave it out")
        if self.grid_update and self.grid is None:
            raise InputError(f"grid_update needs a network of splines; {self.model} has no grid")

    @property
    def count(self) -> int:
        """Number of tasks."""
        return STREAMS[self.stream].count(self)

    @property
    def stream_name(self) -> str:
        """The stream in words."""
        return STREAMS[self.stream].words(self)

    @property
    def total_epochs(self) -> int:
        """Passes over a task's rows in the whole stream."""
        return self.epochs * self.count

    def stack_key(self) -> tuple:
        """As for any run, on one dataset; strengths may differ within a stack, too."""
        shared = self if self.strength is None else replace(self, strength=1.0)
        return *super(ContinualSpec, shared).stack_key(), self.dataset

    def tasks_of(self, task: Task) -> list[Task]:
        """The stream's tasks, cut from the dataset; `InputError` if it cannot be cut so."""
        return STREAMS[self.stream].cut(self, task)

    def check_task(self, task: Task) -> None:
        """Raise `InputError` if the stream cannot be cut from the dataset or is too small for the strategy, or if grids are to
        be laid over the rows of a text."""
        super().check_task(task)
        if self.grid_update and task.domain == "text":
            raise InputError(f"grid_update lays grids over inputs that are numbers, but {task.name} is a text; leave it out")
        history = sum(len(own.x_train) for own in self.tasks_of(task)[:-1])
        STRATEGIES[self.strategy].check_history(self, history)
