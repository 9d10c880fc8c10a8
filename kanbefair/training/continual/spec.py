"""One run over a stream of tasks."""

import math
from dataclasses import dataclass, replace

from kanbefair.data import Task
from kanbefair.data.peaks import CENTRES
from kanbefair.errors import InputError, choose
from kanbefair.specs import RunSpec
from kanbefair.training.continual import streams

STRATEGIES: dict[str, tuple[str, ...]] = {
    "naive": (),
    "joint": (),
    "replay": ("buffer",),
    "ewc": ("strength",),
    "knots": ("strength",),
}
"""Every strategy and the field that it needs."""

STATES = ("carried", "reset")


@dataclass(frozen=True, kw_only=True)
class ContinualSpec(RunSpec):
    """One run over a stream; `epochs` are passes over each task's rows, and `widths` may be empty.

    `groups` are the classes of each task (stream `classes`), `tasks` the number of tasks (`permuted`); `buffer` (rows)
    belongs to `replay`, `strength` to `ewc` and `knots`. `optimizer_state` says whether the optimiser's memory is
    carried from task to task or reset; with `grid_update` the grids of all splines are laid anew over the range of each
    new task's rows, and the splines fitted to what they were there. Raises `InputError` for a value that is not
    allowed.
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
                raise InputError(f"strategy '{self.strategy}' on a stream of {self.stream} {verb} '{name}'")
        if self.groups is not None:
            self._set("groups", tuple(tuple(int(label) for label in group) for group in self.groups))
            if () in self.groups:
                raise InputError(f"task {self.groups.index(()) + 1} of the stream has no classes; leave it out")
        if self.stream == "peaks" and self.dataset not in CENTRES:
            raise InputError(f"a stream of peaks is cut from {' or '.join(CENTRES)}, not from {self.dataset}")
        if self.count < 2:
            raise InputError(f"the stream has {self.count} tasks; it needs at least 2")
        if self.buffer is not None and self.buffer < 1:
            raise InputError(f"buffer is {self.buffer}; it must be at least 1 row (strategy 'naive' keeps none)")
        if self.strength is not None and not (math.isfinite(self.strength) and self.strength >= 0):
            raise InputError(f"strength is {self.strength!r}; it must be 0 or a number above")
        if self.strength is not None and self.optimizer == "lbfgs":
            raise InputError(f"strategy '{self.strategy}' pulls on the gradient, which lbfgs cannot take; use adam or sgd")
        if self.grid_update and self.grid is None:
            raise InputError(f"grid_update needs a network of splines; {self.model} has no grid")

    @property
    def count(self) -> int:
        """Number of tasks."""
        if self.stream == "classes":
            return len(self.groups)
        return self.tasks if self.stream == "permuted" else len(CENTRES[self.dataset])

    @property
    def stream_name(self) -> str:
        """The stream in words."""
        if self.stream == "classes":
            sizes = sorted({len(group) for group in self.groups})
            return f"{self.count} × {'–'.join(map(str, sizes))} classes"
        return f"{self.count} {'permutations' if self.stream == 'permuted' else 'peaks'}"

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
        if self.stream == "classes":
            return streams.class_tasks(task, self.groups)
        return streams.permuted_tasks(task, self.tasks) if self.stream == "permuted" else streams.peak_tasks(task)

    def check_task(self, task: Task) -> None:
        """Raise `InputError` if the stream cannot be cut from the dataset or the buffer is larger than the history."""
        super().check_task(task)
        tasks = self.tasks_of(task)
        history = sum(len(own.x_train) for own in tasks[:-1])
        if self.buffer is not None and self.buffer > history:
            raise InputError(
                f"buffer is {self.buffer} rows, but the tasks before the last have only {history}; "
                f"make it smaller or use strategy 'joint'"
            )
