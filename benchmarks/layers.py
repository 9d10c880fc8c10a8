"""Times one KAN layer against `nn.Linear` of equally many parameters and against the plain form, at one thread.

Repeats are interleaved and medians taken, so that other work on the machine hits all alike:
`python benchmarks/layers.py [--repeats 20] [--plain]`.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from kanbefair import fused
from kanbefair.layers import KANLinear, activation

SHAPES = [(128, 784, 10, 5, 3), (128, 784, 64, 5, 3), (1024, 64, 64, 5, 3), (128, 784, 64, 20, 5), (1024, 256, 256, 10, 3)]
STACKS = [(10, 128, 2, 5, 3, 3), (64, 128, 2, 5, 20, 5), (64, 128, 5, 5, 3, 3), (64, 128, 5, 1, 50, 5)]


def kan(inputs, outputs, grid, order, runs=1, shortcut=None):
    chosen = None if shortcut is None else activation(shortcut)
    layer = KANLinear(inputs, outputs, grid=grid, order=order, grid_ranges=[(-1.0, 1.0)] * runs, shortcut=chosen)
    for p in layer.parameters():
        p.data = 0.1 * torch.randn(p.shape)
    return layer


def form(layer, shortcut=None):
    grid = layer.grid

    def run(x):
        return fused.kan_linear(
            x, layer.coefficients, layer.scale, layer.base, layer.bias, grid.low, grid.high, grid=grid.grid,
            order=grid.order, shortcut=shortcut,
        )  # fmt: skip

    return run


def step(function, x, parameters):
    def run():
        for p in parameters:
            p.grad = None
        y = function(x)
        y.backward(torch.ones_like(y))

    return run


def plain(layer):
    def run(x):
        with fused.plain():
            return layer(x)

    return run


def medians(candidates, repeats):
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    fused.prepare()
    print("medians in ms; ratios to nn.Linear of equally many parameters")
    for rows, inputs, outputs, grid, order in SHAPES:
        layer, x = kan(inputs, outputs, grid, order), torch.randn(rows, inputs).mul(0.5)
        count = sum(p.numel() for p in layer.parameters())
        linear = nn.Linear(inputs, round((count) / (inputs + 1)))
        inner_x = x.clone().requires_grad_()
        candidates = {
            "fwd": lambda f=form(layer), x=x: f(x.detach()),
            "linear fwd": lambda f=linear, x=x: f(x),
            "fwd+bwd": step(form(layer), x, list(layer.parameters())),
            "linear": step(linear, x, list(linear.parameters())),
            "fwd+bwd+gx": step(form(layer), inner_x, [*layer.parameters(), inner_x]),
            "linear+gx": step(linear, inner_x, [*linear.parameters(), inner_x]),
        }
        if args.plain:
            candidates["plain"] = step(plain(layer), x, list(layer.parameters()))
        t = medians(candidates, args.repeats)
        print((rows, inputs, outputs, grid, order), " ".join(f"{k} {v:.3f}" for k, v in t.items()), "| ratios",
              f"fwd {t['fwd'] / t['linear fwd']:.2f} step {t['fwd+bwd'] / t['linear']:.2f} step+gx {t['fwd+bwd+gx'] / t['linear+gx']:.2f}")  # fmt: skip
    print("stacks (runs, rows, in, out, G, K), own inputs with gradient, silu shortcut: fused against plain")
    for runs, rows, inputs, outputs, grid, order in STACKS:
        layer, x = kan(inputs, outputs, grid, order, runs, "silu"), torch.randn(runs, rows, inputs).mul(0.5).requires_grad_()
        t = medians({
            "fwd": lambda f=form(layer, "silu"), x=x: f(x.detach()),
            "fused": step(form(layer, "silu"), x, [*layer.parameters(), x]),
            "plain": step(plain(layer), x, [*layer.parameters(), x]),
        }, args.repeats)  # fmt: skip
        print((runs, rows, inputs, outputs, grid, order), " ".join(f"{k} {v:.3f}" for k, v in t.items()), f"| {t['plain'] / t['fused']:.1f} times faster")


if __name__ == "__main__":
    main()
