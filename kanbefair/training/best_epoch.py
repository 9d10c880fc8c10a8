"""The epoch at which each run of a stack is best, and the network as it was then."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


class Best:
    """The epoch (S,) at which each run of a stack is best on a part so far; 0 while none has a metric.

    Of equal accuracies that with the lower loss is better.

    Args:
        part: "valid" or "test".
        runs: number of runs S.
        figure: what is compared: the "metric", or, where targets are numbers, "rmse".
        live: tensors (S, …) of a network, to keep as they were after that epoch.
    """

    def __init__(self, part: str, runs: int, live: Sequence[Tensor] = (), figure: str = "metric"):
        self.part = part
        self.figure = figure
        self.live = live
        self.kept = [values.clone() for values in live]
        self.epoch = torch.zeros(runs, dtype=torch.int64)
        self.metric = torch.full((runs,), math.inf, dtype=torch.float64)
        self.loss = torch.full((runs,), math.inf, dtype=torch.float64)

    def see(self, epoch: int, found: dict[str, Tensor]) -> None:
        """Take in the figures (S,) of an epoch: "<part>_<figure>" and, of an accuracy, "<part>_loss"."""
        metric = found.get(f"{self.part}_{self.figure}")
        if metric is None:
            return
        loss = found.get(f"{self.part}_loss")
        if loss is None:
            loss = torch.zeros_like(metric)
        else:
            metric = -metric  # an accuracy: higher is better
        better = (metric < self.metric) | ((metric == self.metric) & (loss < self.loss))
        self.metric = torch.where(better, metric, self.metric)
        self.loss = torch.where(better, loss, self.loss)
        self.epoch[better] = epoch
        if better.any():
            for live, kept in zip(self.live, self.kept, strict=True):
                torch.where(better.to(live.device).view(-1, *[1] * (live.dim() - 1)), live, kept, out=kept)

    def state(self) -> dict[str, object]:
        """What was seen so far."""
        return {"epoch": self.epoch, "metric": self.metric, "loss": self.loss, "kept": self.kept}

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        self.epoch, self.metric, self.loss = state["epoch"], state["metric"], state["loss"]
        for kept, values in zip(self.kept, state["kept"], strict=True):
            kept.copy_(values)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Within this context the network is again what it was after each run's best epoch."""
        last = [values.clone() for values in self.live]
        for live, kept in zip(self.live, self.kept, strict=True):
            live.copy_(kept)
        try:
            yield
        finally:
            for live, values in zip(self.live, last, strict=True):
                live.copy_(values)
