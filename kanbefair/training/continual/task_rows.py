"""The rows that a run trains on, task by task."""

from collections.abc import Sequence

import numpy
import torch
from torch import Generator, Tensor

from kanbefair.specs import RunSpec
from kanbefair.training.randomness import RandomStream

MEMORY_SEED = 2**33
"""The order in which rows of earlier tasks are kept is drawn from this plus the run's seed."""


class TaskRows:
    """The rows of one seed among those of all tasks, and the order in which they are seen.

    Args:
        spec: a run of that seed.
        sizes: number of training rows of each task; their rows lie one behind the other.
    """

    def __init__(self, spec: RunSpec, sizes: Sequence[int]):
        self.stream = RandomStream(spec)
        self.initial = self.stream.initial
        ends = numpy.cumsum(sizes).tolist()
        self.own = [torch.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        generator = Generator().manual_seed(MEMORY_SEED + self.stream.seed)
        self.shuffled = [rows[torch.randperm(len(rows), generator=generator)] for rows in self.own]
        self.rows = self.own[0]

    def enter(self, number: int, again: Tensor) -> None:
        """Begin task `number` (0 …), with rows of earlier tasks that are trained on `again`."""
        self.rows = torch.cat([self.own[number], again])

    def before(self, number: int) -> Tensor:
        """All rows of the tasks before `number`, one of each task in turn, in the order in which they are kept."""
        earlier = self.shuffled[:number]
        if not earlier:
            return self.own[0][:0]
        turn = torch.cat([torch.arange(len(rows)) for rows in earlier]).argsort(stable=True)
        return torch.cat(earlier)[turn]

    def permutation(self, rows: int) -> Tensor:
        """The rows of the next epoch, in their order; `rows`, the number of rows of all tasks, is not used."""
        return self.rows[self.stream.permutation(len(self.rows))]
