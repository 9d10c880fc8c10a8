"""Parameters and FLOPs of every network.

Five counts (`COUNTS`), each for one run and one row of input, without a text model's embedding lookup:

- `parameters`, `flops`: the paper's formulas (docs/protocol.md: Counting), faults included, as the released rows hold them.
- `live_parameters`: the values that receive a gradient.
- `flops_shared`: what the paper's unit prices give for the network that is really there when each input's bases are
  computed once and shared by all outputs. The paper's price of an edge, 9K(G+1.5K) + 2G − 2.5K + 1, is
  9K(G+1.5K−0.5) for the Cox–de Boor recursion plus 2(G+K)+1 for the weighted sum; only the second is left per edge.
- `flops_local`: the same with only the K+1 non-zero bases, in closed form: 4 to find interval and fraction, 2K(K+1) for
  the polynomials per input, 2(K+1)+1 per edge.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kanbefair.errors import InputError, choose
from kanbefair.models import compiled
from kanbefair.models.layers import Layer
from kanbefair.specs import MODEL_FIELDS, REMOVABLE
from kanbefair.values import named, several, truth, whole

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
    """What decides a network: the family, all widths from input to output, and the family's own fields.

    `grid` is the number of grid intervals G, `order` the polynomial order K, `grid_range` the grid's two ends. For texts
    `vocabulary` is the number of tokens, and widths[0] the width of their embedding.
    """

    family: str
    widths: tuple[int, ...]
    vocabulary: int | None = None
    grid: int | None = None
    order: int | None = None
    grid_range: tuple[float, float] | None = None
    shortcut: str | None = None
    activation: str | None = None
    batch_norm: bool = False
    layer_norm: bool = False
    dropout: float | None = None
    gain: float | None = None
    start: str | None = None
    without: tuple[str, ...] = ()
    options: tuple[tuple[str, object], ...] = ()

    def option(self, name: str) -> object:
        """One of the family's own hyper-parameters: what `options` say, or else its default."""
        return (MODEL_FIELDS[self.family]["options"] | dict(self.options))[name]


LAYER_NORM_FLOPS = 7
"""Per value: mean, difference, square, their sum, quotient, weight and bias."""


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


def count_norm(shape: Shape, units: int) -> LayerCount:
    """The normalisation behind a layer of `units` units that a shape asks for; nothing where it asks for none."""
    values = 2 * units * (shape.batch_norm or shape.layer_norm)
    flops = units * (4 * shape.batch_norm + LAYER_NORM_FLOPS * shape.layer_norm)
    return LayerCount(values, values, flops, flops, flops)


def basis_flops(g: int, k: int) -> tuple[float, int]:
    """FLOPs for the bases of one input: the recursion over all of them, and the closed form of the non-zero ones."""
    return 9 * k * (g + 1.5 * k - 0.5), 4 + 2 * k * (k + 1)


LAYER_COUNTERS: dict[str, Callable[[Shape, int, int, bool], LayerCount]] = {}
"""How one layer (shape, inputs, outputs, is it the last) of each registered family counts."""


def check(shape: Shape) -> None:
    """Raise `InputError` unless `shape` names a registered family and holds all that it reads."""
    choose("family", shape.family, LAYER_COUNTERS)
    if len(several("widths", shape.widths, whole, "layer width")) < 2:
        raise InputError(f"widths is {list(shape.widths)}; give at least the number of inputs and the number of outputs")
    for name, default in MODEL_FIELDS[shape.family].items():
        value = getattr(shape, name)
        if value is None and default is not None and name != "grid_range":
            raise InputError(f"{shape.family} needs '{name}'; give it, as in {name}={default!r}")
        if name in ("grid", "order"):
            whole(name, value)
        elif name in ("activation", "shortcut"):
            choose(name, value, ACTIVATION_FLOPS)
        elif name in ("batch_norm", "layer_norm"):
            truth(name, value)
    if shape.vocabulary is not None:
        whole("vocabulary", shape.vocabulary)
    for part in several("without", shape.without, named, "part to leave out"):
        choose("part to leave out", part, REMOVABLE[shape.family])


def count(shape: Shape) -> LayerCount:
    """All five counts of a network. Raises `InputError` for a shape that lacks what its family reads.

    >>> count(Shape(family="MLP", widths=(784, 10, 10, 10), activation="relu")).flops
    16110
    """
    check(shape)
    counter = LAYER_COUNTERS[shape.family]
    pairs = list(zip(shape.widths, shape.widths[1:], strict=False))
    layers = [counter(shape, i, o, number == len(pairs)) for number, (i, o) in enumerate(pairs, start=1)]
    return sum(layers[1:], start=layers[0])


def live_parameters(network: nn.Module, run: int = 0) -> int:
    """Values of one run of a stack that receive a gradient, counted from the network's own layers, embedding included."""
    return sum(module.learned(run) for module in network.modules() if isinstance(module, Layer))


def _product_flops(start: Tensor, x: Tensor, weight: Tensor, *, out_val: Tensor) -> int:
    """2·B·in·out for each run; a run that `layers.product` lays over itself, at stride 0, counts once."""
    runs = len(weight) if weight.stride(0) else 1
    return 2 * runs * x.shape[1] * weight.shape[1] * weight.shape[2]


_product_flops._get_raw = True  # to be given tensors, not shapes
PRODUCT_FLOPS = {torch.ops.aten.baddbmm: _product_flops}


def matmul_flops(network: nn.Module, x: Tensor) -> int:
    """FLOPs of the matrix products of one forward pass of `x` in plain form, as PyTorch's own counter sees them, over all
    runs. They grow with the number of rows in proportion."""
    counter = FlopCounterMode(display=False, custom_mapping=PRODUCT_FLOPS)
    with compiled.plain(), counter, torch.no_grad():
        network(x)
    return counter.get_total_flops()
