"""The random numbers of a run: initial values, and the order of the training rows."""

import torch
from torch import Generator, Tensor

from kanbefair.specs import RunSpec

FAIR_ORDER_SEED = 2**32
"""Under `fair` the batches are drawn from this plus the run's seed, whatever the model: runs of a seed are paired."""


def _generator(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def _draw(generator: Generator) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator))


class RandomStream:
    """The random numbers of one run: initial values first, then a permutation of the training rows per epoch.

    `published` draws both from one generator just as the paper's program does with its data loaders; its KAN starts from
    seed 0 whatever the run's seed (docs/protocol.md: Training). `fair` has a generator for each, from the run's seed.
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

    def state(self) -> Tensor:
        """Where the stream of batches is."""
        return self.batches.get_state()

    def restore(self, state: Tensor) -> None:
        """Go on from what `state` gave. Initial values have been drawn by then."""
        self.batches.set_state(state)
