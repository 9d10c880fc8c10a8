"""Recorded work for a GPU: what is launched again and again is recorded once as a CUDA graph and replayed whole, so that
launching its many small operations does not bind."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

DEVICES = {"cuda"}
"""The kinds of device on which work is recorded."""
WARM_UP = 3
"""Calls before the one that is recorded: libraries set themselves up in the first ones, which no recording may contain."""


def records_on(device: torch.device) -> bool:
    """Whether work on `device` is recorded."""
    return device.type in DEVICES


def aside(work: Callable[[], None]) -> None:
    """Do `work` on a stream of its own, as CUDA wants it of work that will be recorded."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()
    torch.cuda.current_stream().wait_stream(stream)


def record(work: Callable[[], None]) -> Callable[[], None]:
    """Record `work`, without doing it; returns what does it. If it cannot be recorded, that is `work`, after a notice."""
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph.replay
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        logging.getLogger("kanbefair").warning("training is slower, as its steps cannot be recorded on this GPU: %s", reason)
        return work


class Recorded:
    """`function` of a tensor, recorded from call number `WARM_UP` + 1 on.

    It must return nothing, read and write the same tensors at every call, and do nothing on the host that hangs on values.
    Tensors of another shape than the first one's are handed to it as they are.
    """

    def __init__(self, function: Callable[[Tensor], None]):
        self.function, self.calls = function, 0
        self.given: Tensor | None = None
        self.replay: Callable[[], None] | None = None

    def __call__(self, given: Tensor) -> None:
        if self.given is None:
            self.given = torch.empty_like(given)
        if given.shape != self.given.shape:
            self.function(given)
            return
        self.given.copy_(given)
        self.calls += 1
        if self.calls <= WARM_UP:
            aside(self._work)
            return
        if self.replay is None:
            self.replay = record(self._work)
        self.replay()

    def _work(self) -> None:
        self.function(self.given)
