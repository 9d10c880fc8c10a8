"""Recorded work for a GPU: what is launched again and again is recorded once as a CUDA graph and replayed whole.

Launching its many small operations one by one would take longer than doing them.
"""

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


class Side:
    """A stream beside the current one: CUDA records nothing on the default stream, and autograd's nodes, which remember theirs,
    must not lead back to another one."""

    def __init__(self):
        self.stream = torch.cuda.Stream()

    def do(self, work: Callable[[], None]) -> None:
        """Do `work` here, after what the current stream was given and before what it will be given."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            work()
        torch.cuda.current_stream().wait_stream(self.stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record `work`, without doing it; returns what does it. If it cannot be recorded, that is `work`, after a notice."""
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                work()
            return graph.replay
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            logging.getLogger("kanbefair").warning(
                "training is slower, as its steps cannot be recorded on this GPU: %s", reason
            )
            return work


class Recorded:
    """A function of a tensor, recorded from call number `WARM_UP` + 1 on.

    The function must be the same at every call, return nothing, read and write the same tensors, and do nothing on the host
    that depends on values. Tensors of another shape than the first one's are handed to it as they are.
    """

    def __init__(self):
        self.calls = 0
        self.side = Side()
        self.given: Tensor | None = None
        self.replay: Callable[[], None] | None = None

    def __call__(self, function: Callable[[Tensor], None], given: Tensor) -> None:
        """Do `function(given)`."""
        if self.given is None:
            self.given = torch.empty_like(given)
        if given.shape != self.given.shape:
            function(given)
            return
        self.given.copy_(given)
        self.calls += 1
        if self.calls <= WARM_UP:
            self.side.do(lambda: function(self.given))
            return
        if self.replay is None:
            self.replay = self.side.record(lambda: function(self.given))
        self.replay()
