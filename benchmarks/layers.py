"""Times one KAN layer against `nn.Linear` of equally many parameters and against the plain form, at one thread.

Repeats are interleaved and medians taken, so that other work on the machine hits all alike:
`python benchmarks/layers.py [--repeats 20] [--plain]`.
"""

import argparse
import statistics
import time
from functools import partial

import torch
from torch import nn

from kanbefair import fused
from kanbefair.layers import KANLinear, activation

SHAPES = [
    (128, 784, 10, 5, 3),
    (128, 784, 64, 5, 3),
    (1024, 64, 64, 5, 3),
    (128, 784, 64, 20, 5),
    (1024, 256, 256, 10, 3),
]
STACKS = [(10, 128, 2, 5, 3, 3), (64, 128, 2, 5, 20, 5), (64, 128, 5, 5, 3, 3), (64, 128, 5, 1, 50, 5)]


def _kan(inputs, outputs, grid, order, runs=1, shortcut=None):
    chosen = None if shortcut is None else activation(shortcut)
    layer = KANLinear(inputs, outputs, grid=grid, order=order, grid_ranges=[(-1.0, 1.0)] * runs, shortcut=chosen)
    for p in layer.parameters():
        p.data = 0.1 * torch.randn(p.shape)
    return layer


def _form(layer, shortcut=None):
    grid = layer.grid

    def run(x):
        return fused.kan_linear(
            x, layer.coefficients, layer.scale, layer.base, layer.bias, grid.low, grid.high, grid=grid.grid,
            order=grid.order, shortcut=shortcut,
        )  # fmt: skip

    return run


def _step(function, x, parameters):
    def run():
        for p in parameters:
            p.grad = None
        y = function(x)
        y.backward(torch.ones_like(y))

    return run


def _plain(layer):
    def run(x):
        with fused.plain():
            return layer(x)

    return run


def _medians(candidates, repeats):
    times = {name: [] for name in candidates}
    for name, run in candidates.items():
        start = time.perf_counter()
        run(), run()
        times[name].append((time.perf_counter() - start) / 2)
    inner = {name: max(1, int(0.005 / min(t))) for name, t in times.items()}
    times = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, run in candidates.items():
            start = time.perf_counter()
            for _ in range(inner[name]):
                run()
            times[name].append((time.perf_counter() - start) / inner[name])
    return {name: 1e3 * statistics.median(t) for name, t in times.items()}


def _main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--plain", action="store_true", help="also time the plain form at the large shapes")
    args = parser.parse_args()
    torch.set_num_threads(1)
    fused.prepare()
    print("medians in ms, and ratios to nn.Linear of equally many parameters; gx: with the gradient of the input")
    for rows, inputs, outputs, grid, order in SHAPES:
        layer, x = _kan(inputs, outputs, grid, order), 0.5 * torch.randn(rows, inputs)
        linear = nn.Linear(inputs, round(sum(p.numel() for p in layer.parameters()) / (inputs + 1)))
        function, inner = _form(layer), x.clone().requires_grad_()
        candidates = {
            "forward": partial(function, x),
            "linear forward": partial(linear, x),
            "step": _step(function, x, list(layer.parameters())),
            "linear step": _step(linear, x, list(linear.parameters())),
            "step gx": _step(function, inner, [*layer.parameters(), inner]),
            "linear step gx": _step(linear, inner, [*linear.parameters(), inner]),
        }
        if args.plain:
            candidates["plain step"] = _step(_plain(layer), x, list(layer.parameters()))
        t = _medians(candidates, args.repeats)
        ratios = ", ".join(f"{name} {t[name] / t[f'linear {name}']:.2f}" for name in ("forward", "step", "step gx"))
        print((rows, inputs, outputs, grid, order), ", ".join(f"{name} {value:.3f}" for name, value in t.items()))
        print("    ratios:", ratios)
    print("stacks (runs, rows, in, out, G, K) with silu, own inputs and their gradient")
    for runs, rows, inputs, outputs, grid, order in STACKS:
        layer = _kan(inputs, outputs, grid, order, runs, "silu")
        x = (0.5 * torch.randn(runs, rows, inputs)).requires_grad_()
        everything = [*layer.parameters(), x]
        t = _medians(
            {
                "forward": partial(_form(layer, "silu"), x),
                "step": _step(_form(layer, "silu"), x, everything),
                "plain step": _step(_plain(layer), x, everything),
            },
            args.repeats,
        )
        print((runs, rows, inputs, outputs, grid, order), ", ".join(f"{name} {value:.3f}" for name, value in t.items()))
        print(f"    {t['plain step'] / t['step']:.1f} times faster than plain")


if __name__ == "__main__":
    _main()
