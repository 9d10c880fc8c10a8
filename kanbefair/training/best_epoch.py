"""The epoch at which each run of a stack is best, and the network as it was then."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

BEST_ON = {"selected": "valid", "best": "test"}
"""The part that each kind of best epoch is best on."""


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
