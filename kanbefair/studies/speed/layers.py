"""Time and memory of one KAN layer beside `nn.Linear` of equally many parameters, and how time grows with each size.

Times are those of `measure.interleaved`, not of `torch.utils.benchmark`. That one times one function after the other, so
that other work on the machine may slow one and not the next. And it reads the time of day, not the processor's time, so
that it counts the work of others, too.
"""

from collections.abc import Callable, Sequence

import numpy
import pandas
import torch
from torch import Tensor, nn

from kanbefair.measure import interleaved, machine, one_thread, peak_memory, quartiles
from kanbefair.models import compiled
from kanbefair.models.activations import activation
from kanbefair.models.layers import Linear
from kanbefair.models.spline_layers import KANLinear
from kanbefair.studies.speed import other_layers
from kanbefair.studies.speed.design import VARIED, Size

LINEAR, OURS, PLAIN = "nn.Linear", "kanbefair", "kanbefair, plain"
PASSES = ("forward", "forward+backward", "with input gradient")
"""Without gradients; with those of the parameters, which a first layer needs; with those of the inputs, too, which the other
layers need."""


def kan(size: Size, shortcut: str | None, device: str = "cpu") -> KANLinear:
    """A stack of KAN layers on the grid range (−1, 1) with random parameters and biases of zero."""
    layer = KANLinear(
        size.inputs,
        size.outputs,
        grid=size.grid,
        order=size.order,
        grid_ranges=[(-1.0, 1.0)] * size.runs,
        shortcut=None if shortcut is None else activation(shortcut),
    )
    with torch.no_grad():
        for name, values in layer.named_parameters():
            values.zero_() if name == "bias" else values.normal_(std=0.1)
    return layer.to(device)


def equal_outputs(size: Size, parameters: int) -> int:
    """The number of outputs at which a linear layer's number of parameters comes nearest to `parameters`."""
    return max(1, round(parameters / size.runs / (size.inputs + 1)))


def contestants(size: Size, shortcut: str | None, device: str) -> dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]]:
    """The layers that are compared at a size, by name, with their forward passes.

    Layers of other packages are among them where ours has a shortcut, as theirs do, and where they know the order.
    """
    ours = kan(size, shortcut, device)
    outputs = equal_outputs(size, sum(p.numel() for p in ours.parameters()))
    linear = nn.Linear(size.inputs, outputs, device=device)
    found = {LINEAR: (linear, linear), OURS: (ours, ours), PLAIN: (ours, _plain(ours))}
    for name, peer in other_layers.available().items() if shortcut else ():
        if size.order in peer.orders:
            layer = peer.layer(size.inputs, size.outputs, size.grid, size.order).to(device)
            found[name] = (layer, lambda x, peer=peer, layer=layer: peer.call(layer, x))
    return found


def _plain(layer: KANLinear) -> Callable[[Tensor], Tensor]:
    """The forward pass of a layer without compiled operators."""

    def forward(x: Tensor) -> Tensor:
        with compiled.plain():
            return layer(x)

    return forward


def one_pass(
    kind: str, layer: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor
) -> Callable[[], tuple[Tensor | None, ...]]:
    """A function that makes one of `PASSES` and returns the gradients, if any, of the sum of the outputs."""
    inputs = x.clone().requires_grad_(kind == PASSES[2])
    wanted = [values for values in (*layer.parameters(), inputs) if values.requires_grad]

    def infer() -> tuple[Tensor | None, ...]:
        with torch.no_grad():
            forward(inputs)
        return ()

    def learn() -> tuple[Tensor | None, ...]:
        y = forward(inputs)
        return torch.autograd.grad(y, wanted, torch.ones_like(y), allow_unused=True)

    return infer if kind == PASSES[0] else learn


def compare(chosen: Sequence[Size], *, device: str = "cpu", repeats: int = 7) -> pandas.DataFrame:
    """One row per size, shortcut, pass and layer, from at least `repeats` repeats of each.

    Columns: milliseconds as `median_ms`, `low_ms` and `high_ms` (quartiles), `peak_bytes`, and both over those of
    `nn.Linear` with equally many parameters: `ratio`, `ratio_low` and `ratio_high` are median and quartiles of the ratios
    of times that were measured side by side, `ratio_peak` is of the bytes.
    """
    rows = []
    with one_thread():
        where = machine(device)
        for size in chosen:
            x = 0.5 * torch.randn(size.rows, size.inputs, device=device)
            for shortcut in (None, "silu"):
                found = contestants(size, shortcut, device)
                names = size._asdict() | {"shortcut": shortcut or "none"}
                for kind in PASSES:
                    runs = {name: one_pass(kind, *pair, x) for name, pair in found.items()}
                    rows += [names | {"pass": kind} | row | where for row in _measured(runs, found, device, repeats)]
    return pandas.DataFrame(rows)


def _measured(runs: dict, found: dict, device: str, repeats: int) -> list[dict]:
    times = interleaved(runs, repeats=repeats, device=device)
    peaks = {name: peak_memory(run, device) for name, run in runs.items()}
    rows = []
    for name, own in times.items():
        ratio = quartiles(own / times[LINEAR])
        rows.append(
            {
                "layer": name,
                "parameters": sum(p.numel() for p in found[name][0].parameters()),
                **{f"{key}_ms": 1e3 * value for key, value in quartiles(own).items()},
                "ratio": ratio["median"],
                "ratio_low": ratio["low"],
                "ratio_high": ratio["high"],
                "peak_bytes": peaks[name],
                "ratio_peak": peaks[name] / peaks[LINEAR] if peaks[LINEAR] else numpy.nan,
            }
        )
    return rows


def growth(chosen: dict[str, list[Size]], *, device: str = "cpu", repeats: int = 7) -> pandas.DataFrame:
    """Time of forward and backward, input gradient included, as one size grows and the others stay: a row per size and layer.

    `median_ms` is in milliseconds. `times` is the multiple of the time at the smallest value, with `times_low` and
    `times_high`: median and quartiles of the ratios of times that were measured side by side.
    """
    rows = []
    with one_thread():
        where = machine(device)
        for varied, layers in chosen.items():
            runs = {}
            for size in layers:
                for name, (layer, forward) in _growing(size, device).items():
                    x = 0.5 * torch.randn(size.runs, size.rows, size.inputs, device=device)
                    runs[size, name] = one_pass(PASSES[2], layer, forward, x)
            times = interleaved(runs, repeats=repeats, device=device)
            for (size, name), own in times.items():
                multiple = quartiles(own / times[layers[0], name])
                rows.append(
                    {
                        "varied": varied,
                        "value": getattr(size, VARIED[varied]),
                        "layer": name,
                        **size._asdict(),
                        "median_ms": 1e3 * numpy.median(own),
                        "times": multiple["median"],
                        "times_low": multiple["low"],
                        "times_high": multiple["high"],
                        **where,
                    }
                )
    return pandas.DataFrame(rows)


def _growing(size: Size, device: str) -> dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]]:
    """Our layer, its plain form, and our linear layer of equally many parameters, which can be stacked."""
    ours = kan(size, "silu", device)
    outputs = equal_outputs(size, sum(p.numel() for p in ours.parameters()))
    linear = Linear(size.inputs, outputs, stack=size.runs).to(device)
    with torch.no_grad():
        linear.weight.normal_(std=0.1)
    return {"linear": (linear, linear), OURS: (ours, ours), PLAIN: (ours, _plain(ours))}
