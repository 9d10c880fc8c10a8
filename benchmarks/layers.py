"""Times one KAN layer against `nn.Linear` of equally many parameters and against the plain form, at one thread, and
measures peak memory and how the time grows with the grid.

Repeats are interleaved and medians taken of the thread's processor time, so that other work on the machine hits all alike
and little; memory is measured in fresh processes: `python benchmarks/layers.py [--repeats 20] [--plain]`.
"""

import argparse
import ctypes
import multiprocessing
import statistics
import time
from functools import partial
from pathlib import Path

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
GROWTH = [(128, 784, 64), (1024, 64, 64), (1024, 256, 256)]
SHARED_STACKS = [(64, 128, 784, 2, 3, 2), (64, 128, 784, 4, 5, 3), (64, 128, 784, 8, 10, 3), (64, 128, 784, 16, 20, 5)]
STACKS = [
    (10, 128, 2, 5, 3, 3),
    (64, 128, 2, 5, 20, 5),
    (64, 128, 5, 5, 3, 3),
    (64, 128, 5, 1, 50, 5),
    (64, 128, 16, 10, 20, 5),
]


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
        start = time.thread_time()
        run(), run()
        times[name].append((time.thread_time() - start) / 2)
    inner = {name: max(1, int(0.005 / min(t))) for name, t in times.items()}
    times = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, run in candidates.items():
            start = time.thread_time()
            for _ in range(inner[name]):
                run()
            times[name].append((time.thread_time() - start) / inner[name])
    return {name: 1e3 * statistics.median(t) for name, t in times.items()}


def _memory(shape, kind):
    """MB that forward and backward need at the peak, gradients included, on top of layer and input. Linux only."""
    torch.set_num_threads(1)
    fused.prepare()
    layer, linear = _pair(*shape[1:])
    for function in (_form(_kan(2, 2, 3, 3)), nn.Linear(2, 2)):  # loads the code
        _step(function, torch.zeros(4, 2), [])()
    function, module = (_form(layer), layer) if kind == "kan" else (linear, linear)
    step = _step(function, 0.5 * torch.randn(*shape[:2]), list(module.parameters()))
    ctypes.CDLL(None).malloc_trim(0)  # else freed memory hides what is needed
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    step(), step(), step()
    return (_status("VmHWM") - before) / 1024


def _status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _pair(inputs, outputs, grid, order):
    """A KAN layer, and the linear one of equally many parameters."""
    layer = _kan(inputs, outputs, grid, order)
    return layer, nn.Linear(inputs, round(sum(p.numel() for p in layer.parameters()) / (inputs + 1)))


def _shapes(repeats, plain, processes):
    print("medians in ms, and ratios to nn.Linear of equally many parameters; gx: with the gradient of the input")
    for shape in SHAPES:
        layer, linear = _pair(*shape[1:])
        x = 0.5 * torch.randn(*shape[:2])
        function, inner = _form(layer), x.clone().requires_grad_()
        candidates = {
            "forward": partial(function, x),
            "linear forward": partial(linear, x),
            "step": _step(function, x, list(layer.parameters())),
            "linear step": _step(linear, x, list(linear.parameters())),
            "step gx": _step(function, inner, [*layer.parameters(), inner]),
            "linear step gx": _step(linear, inner, [*linear.parameters(), inner]),
        }
        if plain:
            candidates["plain step"] = _step(_plain(layer), x, list(layer.parameters()))
        t = _medians(candidates, repeats)
        ratios = ", ".join(f"{name} {t[name] / t[f'linear {name}']:.2f}" for name in ("forward", "step", "step gx"))
        print(shape, ", ".join(f"{name} {value:.3f}" for name, value in t.items()))
        ours, theirs = (processes.apply(_memory, (shape, kind)) for kind in ("kan", "linear"))
        print(f"    ratios: {ratios}; peak memory {ours:.1f} MB, linear {theirs:.1f} MB, ratio {ours / theirs:.2f}")


def _growth(repeats):
    print("growth from G 3 to 20 at K 3 (rows, in, out)")
    for rows, inputs, outputs in GROWTH:
        candidates = {}
        for grid in (3, 20):
            layer, x = _kan(inputs, outputs, grid, 3), 0.5 * torch.randn(rows, inputs)
            function, inner = _form(layer), x.clone().requires_grad_()
            candidates["forward", grid] = partial(function, x)
            candidates["step", grid] = _step(function, x, list(layer.parameters()))
            candidates["step gx", grid] = _step(function, inner, [*layer.parameters(), inner])
        t = _medians(candidates, repeats)
        grown = ", ".join(f"{name} {t[name, 20] / t[name, 3]:.2f}" for name in ("forward", "step", "step gx"))
        print((rows, inputs, outputs), f"{grown} times; step {t['step', 3]:.3f} to {t['step', 20]:.3f} ms")


def _stacks(stacks, shared, repeats, plain):
    for runs, rows, inputs, outputs, grid, order in stacks:
        layer = _kan(inputs, outputs, grid, order, runs, "silu")
        x = 0.5 * torch.randn(*(() if shared else (runs,)), rows, inputs)
        everything = [*layer.parameters()] if shared else [*layer.parameters(), x.requires_grad_()]
        function = _form(layer, "silu")
        candidates = {"forward": partial(function, x), "step": _step(function, x, everything)}
        if plain:
            candidates["plain step"] = _step(_plain(layer), x, everything)
        t = _medians(candidates, repeats)
        print((runs, rows, inputs, outputs, grid, order), ", ".join(f"{name} {value:.3f}" for name, value in t.items()))
        if plain:
            print(f"    {t['plain step'] / t['step']:.1f} times faster than plain")


def _main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--plain", action="store_true", help="also time the plain form at the large shapes")
    args = parser.parse_args()
    torch.set_num_threads(1)
    fused.prepare()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        _shapes(args.repeats, args.plain, processes)
    _growth(args.repeats)
    print("stacks (runs, rows, in, out, G, K) with silu and a shared input without gradient")
    _stacks(SHARED_STACKS, True, args.repeats, args.plain)
    print("stacks with silu, own inputs and their gradient")
    _stacks(STACKS, False, args.repeats, True)


if __name__ == "__main__":
    _main()
