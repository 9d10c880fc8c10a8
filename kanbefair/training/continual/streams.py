"""Task streams: one dataset, cut into tasks that a network meets one after the other.

- `classes`: each task holds a few of the classes; all share one set of outputs (class-incremental). The paper's
  stream is three tasks of three digits (docs/protocol.md: Datasets, Continual).
- `permuted`: each task is the whole dataset with its inputs in another order, the first as they are (Goodfellow et al.,
  arXiv 1312.6211).
- `peaks`: each task is the surroundings of one of five peaks (`data.peaks`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from kanbefair.data import Task
from kanbefair.data.peaks import CENTRES, nearest
from kanbefair.data.task import PARTS
from kanbefair.errors import InputError
from kanbefair.specs import RunSpec


def _chosen(task: Task, rows: dict[str, Tensor], number: int) -> Task:
    """Task `number` of a stream: those rows of each part that the masks `rows` name."""
    fields = {}
    for part in task.parts:
        if not rows[part].any():
            raise InputError(f"task {number} of the stream has no {part} rows in {task.name}; leave it out")
        for name in ("x", "y"):
            fields[f"{name}_{part}"] = getattr(task, f"{name}_{part}")[rows[part]]
    return replace(task, **fields)


def class_tasks(task: Task, groups: Sequence[Sequence[int]]) -> list[Task]:
    """One task per group of classes. Classes are renumbered 0, 1, … in the order in which the groups name them, and the
    outputs are as many as there are classes in all groups.

    Raises `InputError` for an empty group, a class named twice, a class that the dataset lacks, a dataset of numbers.
    """
    if task.metric != "accuracy":
        raise InputError(f"{task.name} has numbers as targets; a stream of classes needs a dataset of classes")
    order = [label for group in groups for label in group]
    for number, group in enumerate(groups, start=1):
        if not group:
            raise InputError(f"task {number} of the stream has no classes; give it one or leave it out")
    twice = {label for label in order if order.count(label) > 1}
    if twice:
        raise InputError(f"class {min(twice)} is in two tasks of the stream; name each class once")
    there = torch.unique(task.y_train).tolist()
    for label in order:
        if label not in there:
            raise InputError(f"class {label} is not in {task.name}; it has {', '.join(map(str, there))}")
    renumber = torch.full((max(there) + 1,), -1)
    renumber[order] = torch.arange(len(order))
    tasks = []
    for number, group in enumerate(groups, start=1):
        own = _chosen(task, {part: torch.isin(task.part(part)[1], torch.tensor(group)) for part in task.parts}, number)
        labels = {f"y_{part}": renumber[own.part(part)[1]] for part in task.parts}
        tasks.append(replace(own, output_size=len(order), **labels))
    return tasks


def permuted_tasks(task: Task, count: int) -> list[Task]:
    """`count` copies of the task, the inputs of all but the first in an order drawn from the copy's number."""
    if task.domain == "text":
        raise InputError(f"{task.name} is a text; a stream of permuted inputs needs a fixed number of inputs")
    width = task.x_train.shape[1]
    orders = [torch.randperm(width, generator=torch.Generator().manual_seed(number)) for number in range(count)]
    orders[0] = torch.arange(width)
    inputs = {f"x_{part}": task.inputs(task.part(part)[0]) for part in PARTS}
    return [replace(task, mean=None, std=None, **{name: x[:, order] for name, x in inputs.items()}) for order in orders]


def check_peaks(name: str) -> None:
    """Raise `InputError` if the dataset `name` has no peaks."""
    if name not in CENTRES:
        raise InputError(f"a stream of peaks is cut from {' or '.join(CENTRES)}, not from {name}")


def peak_tasks(task: Task) -> list[Task]:
    """One task per peak of a dataset of `data.peaks`: the rows that are nearer to it than to the others."""
    check_peaks(task.name)
    owner = {part: nearest(task.part(part)[0], task.name) for part in task.parts}
    return [
        _chosen(task, {part: own == number for part, own in owner.items()}, number + 1)
        for number in range(len(CENTRES[task.name]))
    ]


def joined(tasks: Sequence[Task]) -> Task:
    """All rows of all tasks, in the order of the tasks."""
    fields = {f"{name}_{part}": torch.cat([getattr(t, f"{name}_{part}") for t in tasks]) for name in "xy" for part in PARTS}
    return replace(tasks[0], **fields)


class Stream:
    """A kind of stream: the fields of a spec that it takes, and what it makes of them."""

    needs: ClassVar[tuple[str, ...]] = ()

    def check(self, spec: RunSpec) -> None:
        """Raise `InputError` if no stream can be cut with the values of `spec`."""

    def count(self, spec: RunSpec) -> int:
        """Number of tasks."""
        raise NotImplementedError

    def words(self, spec: RunSpec) -> str:
        """The stream in words."""
        raise NotImplementedError

    def cut(self, spec: RunSpec, task: Task) -> list[Task]:
        """The stream's tasks; `InputError` if the dataset cannot be cut so."""
        raise NotImplementedError


class ClassStream(Stream):
    """A few classes a task: `groups` names those of each."""

    needs = ("groups",)

    def check(self, spec: RunSpec) -> None:
        """No task is empty."""
        if () in spec.groups:
            raise InputError(f"task {spec.groups.index(()) + 1} of the stream has no classes; leave it out")

    def count(self, spec: RunSpec) -> int:
        """One per group."""
        return len(spec.groups)

    def words(self, spec: RunSpec) -> str:
        """For example "3 × 2 classes"."""
        sizes = sorted({len(group) for group in spec.groups})
        return f"{len(spec.groups)} × {'–'.join(map(str, sizes))} classes"

    def cut(self, spec: RunSpec, task: Task) -> list[Task]:
        """See `class_tasks`."""
        return class_tasks(task, spec.groups)


class PermutedStream(Stream):
    """The whole dataset `tasks` times, its inputs in another order each time."""

    needs = ("tasks",)

    def count(self, spec: RunSpec) -> int:
        """As many as asked for."""
        return spec.tasks

    def words(self, spec: RunSpec) -> str:
        """For example "3 permutations"."""
        return f"{spec.tasks} permutations"

    def cut(self, spec: RunSpec, task: Task) -> list[Task]:
        """See `permuted_tasks`."""
        return permuted_tasks(task, spec.tasks)


class PeakStream(Stream):
    """One peak a task."""

    def check(self, spec: RunSpec) -> None:
        """The dataset has peaks."""
        check_peaks(spec.dataset)

    def count(self, spec: RunSpec) -> int:
        """As many as the dataset has peaks."""
        return len(CENTRES[spec.dataset])

    def words(self, spec: RunSpec) -> str:
        """For example "5 peaks"."""
        return f"{self.count(spec)} peaks"

    def cut(self, spec: RunSpec, task: Task) -> list[Task]:
        """See `peak_tasks`."""
        return peak_tasks(task)


STREAMS: dict[str, Stream] = {
    "classes": ClassStream(),
    "permuted": PermutedStream(),
    "peaks": PeakStream(),
}
"""Every kind of stream by its name."""
