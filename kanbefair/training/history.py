"""What is seen of a stack epoch by epoch: curves, best epochs, and from when on a run has diverged."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kanbefair.training.best_epoch import Best

HELD_OUT = ("valid", "test")
"""The parts that are evaluated after every epoch."""


class History:
    """The figures (S,) of every epoch so far.

    A run counts as diverged from the epoch on in which the loss of its batches is not finite, or in which it has no metric on
    a part that is held out, as its last step may have been one too many: from then on all its figures are NaN. The training
    part has no say in this, as it is not evaluated after every epoch (`fit.train`).
    """

    def __init__(self, runs: int, bests: dict[str, Best]):
        self.bests = bests
        self.diverged = torch.full((runs,), math.inf)
        self.epoch = 0
        self._curves: dict[str, list[Tensor]] = {}

    def see(self, found: dict[str, Tensor]) -> None:
        """Take in the figures of the next epoch: "batch_loss" and "<part>_<metric>"."""
        self.epoch += 1
        lost = ~found["batch_loss"].isfinite()
        for part in HELD_OUT:
            if f"{part}_metric" in found:
                lost |= found[f"{part}_metric"].isnan()
        self.diverged = torch.where(lost, self.diverged.clamp(max=self.epoch), self.diverged)
        gone = self.diverged <= self.epoch
        found = {name: values.double().masked_fill(gone, math.nan) for name, values in found.items()}
        for name, values in found.items():
            self._curves.setdefault(name, []).append(values)
        for best in self.bests.values():
            best.see(self.epoch, found)

    def state(self) -> dict[str, object]:
        """What was seen so far."""
        return {
            "epoch": self.epoch,
            "diverged": self.diverged,
            "curves": {name: torch.stack(epochs) for name, epochs in self._curves.items()},
            "bests": {name: best.state() for name, best in self.bests.items()},
        }

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        self.epoch, self.diverged = state["epoch"], state["diverged"]
        self._curves = {name: list(epochs) for name, epochs in state["curves"].items()}
        for name, best in self.bests.items():
            best.restore(state["bests"][name])

    def curves(self) -> list[dict[str, list[float]]]:
        """Every curve of every run, a value per epoch."""
        whole = {name: torch.stack(epochs, dim=1).tolist() for name, epochs in self._curves.items()}
        return [{name: runs[run] for name, runs in whole.items()} for run in range(len(self.diverged))]

    def diverged_at(self, run: int) -> int | None:
        """The epoch from which on a run has diverged, None if it has not."""
        epoch = float(self.diverged[run])
        return None if math.isinf(epoch) else int(epoch)

    def moments(self, run: int) -> dict[str, int]:
        """The epochs that a record reports of a run: `last` and the best ones; 0 where there is none."""
        last = self.epoch if self.diverged_at(run) is None else 0
        return {"last": last} | {name: int(best.epoch[run]) for name, best in self.bests.items()}


def best_epochs(parts: Sequence[str], runs: int, kept: Sequence[Tensor], figure: str = "metric") -> tuple[dict[str, Best], str]:
    """The best epochs to watch where these parts are read, and the name of the one that the protocol reports.

    That one keeps what the network's tensors `kept` were after it: it is best on validation or, where no rows are held
    out for that, on the test part. `figure` is what is compared.
    """
    reported = "selected" if "valid" in parts else "best"
    watched = {"selected": "valid", "best": "test"} if "test" in parts else {"selected": "valid"}
    return {name: Best(part, runs, kept if name == reported else [], figure) for name, part in watched.items()}, reported
