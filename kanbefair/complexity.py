"""Parameters and FLOPs of every network, and `match`, which solves for the size that meets a budget.

Five counts (`COUNTS`), each for one run and one row of input, without a text model's embedding lookup:

- `parameters`, `flops`: the paper's formulas (protocol.md: Counting), faults included, as the released rows hold them.
- `live_parameters`: the values that receive a gradient.
- `flops_shared`: what the paper's unit prices give for the network that is really there when each input's bases are
  computed once and shared by all outputs. The paper's price of an edge, 9K(G+1.5K) + 2G − 2.5K + 1, is
  9K(G+1.5K−0.5) for the Cox–de Boor recursion plus 2(G+K)+1 for the weighted sum; only the second is left per edge.
- `flops_local`: the same with only the K+1 non-zero bases, in closed form: 4 to find interval and fraction, 2K(K+1) for
  the polynomials per input, 2(K+1)+1 per edge.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kanbefair import fused
from kanbefair.errors import InputError, choose
from kanbefair.layers import Layer

ACTIVATION_FLOPS = {
    "zero": 0,
    "identity": 0,
    "relu": 1,
    "square_relu": 2,
    "sigmoid": 4,
    "silu": 5,
    "tanh": 6,
    "gelu": 14,
    "polynomial2": 5,
    "polynomial3": 9,
    "polynomial5": 20,
}
COUNTS = ("parameters", "live_parameters", "flops", "flops_shared", "flops_local")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What decides a network's counts: the family, all widths from input to output, and the family's own fields."""

    family: str
    widths: tuple[int, ...]
    grid: int | None = None
    order: int | None = None
    shortcut: str | None = None
    activation: str | None = None
    batch_norm: bool = False
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerCount:
    """The five counts of one layer; they add up."""

    parameters: int
    live_parameters: int
    flops: float
    flops_shared: float
    flops_local: float

    def __add__(self, other: "LayerCount") -> "LayerCount":
        return LayerCount(*(getattr(self, name) + getattr(other, name) for name in COUNTS))


def basis_flops(g: int, k: int) -> tuple[float, int]:
    """FLOPs for the bases of one input: the recursion over all of them, and the closed form of the non-zero ones."""
    return 9 * k * (g + 1.5 * k - 0.5), 4 + 2 * k * (k + 1)


def _kan(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    g, k = shape.grid, shape.order
    everywhere, local = basis_flops(g, k)
    has_base = shape.shortcut != "zero"
    scale, bias = ("scale" not in shape.without), ("bias" not in shape.without)
    base = has_base * (ACTIVATION_FLOPS[shape.shortcut] * i + 2 * i * o)
    return LayerCount(
        parameters=i * o * (g + k + 1 + scale + has_base) + o * bias,
        live_parameters=i * o * (g + k + scale + has_base) + o * bias,
        flops=i * o * (9 * k * (g + 1.5 * k) + 2 * g - 2.5 * k + 1) + base,
        flops_shared=i * everywhere + i * o * (2 * (g + k) + 1) + base,
        flops_local=i * local + i * o * (2 * (k + 1) + 1) + base,
    )


def _mlp(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    c = ACTIVATION_FLOPS[shape.activation]
    learned = int(shape.activation[-1]) + 1 if shape.activation.startswith("polynomial") else 0
    norm, bias = shape.batch_norm, "bias" not in shape.without
    real = 2 * i * o + (0 if last else c * o + 4 * o * norm)
    return LayerCount(
        parameters=o * (i + bias) + 2 * o * norm,
        live_parameters=o * (i + bias) + (0 if last else 2 * o * norm + learned),
        flops=2 * i * o + c * o + 4 * o * norm,
        flops_shared=real,
        flops_local=real,
    )


def _unit_splines(g: int, k: int, units: int) -> LayerCount:
    """One spline on each of `units` values."""
    everywhere, local = basis_flops(g, k)
    return LayerCount(
        parameters=units * (g + k),
        live_parameters=units * (g + k),
        flops=units * (9 * k * (g + 1.5 * k) + 2 * g - 2.5 * k - 1),
        flops_shared=units * (everywhere + 2 * (g + k) - 1),
        flops_local=units * (local + 2 * (k + 1) - 1),
    )


def _bspline_mlp(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    linear = _mlp(replace(shape, activation="identity"), i, o, last)
    spline = _unit_splines(shape.grid, shape.order, o)
    if last:
        spline = replace(spline, live_parameters=0, flops_shared=0, flops_local=0)
    return linear + spline


def _bspline_first_mlp(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    linear = _mlp(replace(shape, activation="identity"), i, o, last=False)
    return linear + _unit_splines(shape.grid, shape.order, i)


LAYER_COUNTERS: dict[str, Callable[[Shape, int, int, bool], LayerCount]] = {
    "KAN": _kan,
    "MLP": _mlp,
    "BSpline_MLP": _bspline_mlp,
    "BSpline_First_MLP": _bspline_first_mlp,
}
"""How one layer (shape, inputs, outputs, is it the last) of each family counts; `models.register` adds to it."""


def count(shape: Shape) -> LayerCount:
    """All five counts of a network.

    >>> count(Shape(family="MLP", widths=(784, 10, 10, 10), activation="relu")).flops
    16110
    """
    counter = LAYER_COUNTERS[choose("family", shape.family, LAYER_COUNTERS)]
    pairs = list(zip(shape.widths, shape.widths[1:], strict=False))
    layers = [counter(shape, i, o, number == len(pairs)) for number, (i, o) in enumerate(pairs, start=1)]
    total = layers[0]
    for layer in layers[1:]:
        total = total + layer
    return total


def live_parameters(network: nn.Module, run: int = 0) -> int:
    """Values of one run of a stack that receive a gradient, counted from the network's own layers, embedding included."""
    return sum(module.learned(run) for module in network.modules() if isinstance(module, Layer))


def matmul_flops(network: nn.Module, x: Tensor) -> int:
    """FLOPs of the matrix products of one forward pass of `x` in plain form, as PyTorch's own counter sees them, over all
    runs."""
    with fused.plain(), FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    return counter.get_total_flops()


@dataclass(frozen=True)
class Match:
    """The answer of `match`: the network's shape, its count, and that count over the budget."""

    shape: Shape
    count: float
    ratio: float


def match(
    budget: float,
    kind: str,
    family: str,
    *,
    input_size: int,
    output_size: int,
    vary: str = "width",
    width: int = 8,
    depth: int = 1,
    **fields: object,
) -> Match:
    """The network of `family` whose count `kind` is nearest to `budget`, in ratio.

    `kind` is one of `COUNTS`; `vary` says what is solved for: "width" of the hidden layers, their number ("depth") or
    the "grid" size; the others stay as given. `fields` are the family's own fields of `Shape`. The answer says how near
    it comes: a budget below the smallest network gives that one, with a ratio above 1. Raises `InputError` for a
    name that is not known or a budget that is not above 0.

    >>> match(8070, "parameters", "MLP", input_size=784, output_size=10, depth=2, activation="relu").shape.widths
    (784, 10, 10, 10)
    """
    choose("count", kind, COUNTS)
    choose("size to vary", vary, ("width", "depth", "grid"))
    if not 0 < budget < math.inf:
        raise InputError(f"budget is {budget!r}; it must be a number above 0")

    def sized(size: int) -> Match:
        hidden = (size if vary == "width" else width,) * (size if vary == "depth" else depth)
        own = {**fields, "grid": size} if vary == "grid" else fields
        shape = Shape(family=family, widths=(input_size, *hidden, output_size), **own)
        value = getattr(count(shape), kind)
        return Match(shape, value, value / budget)

    if sized(1).count == sized(2).count:
        raise InputError(f"{kind} of {family} do not depend on the {vary}; vary another size")
    high = 1
    while sized(high).ratio < 1:
        high *= 2
    low = max(high // 2, 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sized(middle).ratio < 1 else (low, middle)
    below, above = sized(low), sized(high)
    return below if below.ratio <= 1 and 1 / below.ratio <= above.ratio else above
