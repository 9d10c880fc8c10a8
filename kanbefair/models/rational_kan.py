"""KANs of rational functions shared by groups of inputs, as in the Kolmogorov-Arnold Transformer (Yang & Wang, arXiv
2409.10594), and how their layers count."""

from functools import cache

import numpy
import torch
from torch import Generator, Tensor, nn

from kanbefair.models.counting import LayerCount, Shape, count_norm
from kanbefair.models.layers import Layer, Linear
from kanbefair.models.networks import Network, register
from kanbefair.models.radial_kan import FIELDS

ORDERS = (5, 4)
"""Of the numerator and the denominator."""
FITTED = numpy.linspace(-3, 3, 601)
"""Where the start is fitted."""
RATIONAL_FLOPS = 20
"""Per value: 10 for P, 7 for Q, its size, the sum with 1, the quotient."""


@cache
def start(function: str) -> tuple[list[float], list[float]]:
    """The coefficients a_0 … a_5 and b_1 … b_4 with which P(x)/(1+|Q(x)|) is "silu", nearly, or "identity", exactly.

    silu(x) is x/2 + e(x), where e(x) = x/2·tanh(x/2) is even. So Q = b_2·x² + b_4·x⁴ and P = x/2·(1+Q) + a_2·x² + a_4·x⁴,
    by linear least squares of e·(1+Q) = a_2·x² + a_4·x⁴ on `FITTED`. The identity is x·(1+Q)/(1+Q) with the same Q: where Q
    is 0 it has no gradient.
    """
    x = FITTED
    even = x / 2 * numpy.tanh(x / 2)
    a2, a4, b2, b4 = numpy.linalg.lstsq(numpy.stack([x**2, x**4, -even * x**2, -even * x**4], 1), even, rcond=None)[0].tolist()
    if function == "identity":
        return [0.0, 1.0, 0.0, b2, 0.0, b4], [0.0, b2, 0.0, b4]
    return [0.0, 0.5, a2, b2 / 2, a4, b4 / 2], [0.0, b2, 0.0, b4]


class GroupedRational(Layer):
    """y_i = P(x_i)/(1+|Q(x_i)|) per run, P and Q shared by the inputs of a group.

    Groups are neighbours and as equal in size as can be; there are no more than inputs. P is (S, groups, 6) and Q, which has no
    constant, (S, groups, 4), lowest power first. Nothing is drawn: `function` says what they start as (`start`).
    """

    def __init__(self, features: int, groups: int, function: str, *, stack: int = 1):
        super().__init__()
        groups = min(groups, features)
        self.function = function
        self.numerator = nn.Parameter(torch.empty(stack, groups, ORDERS[0] + 1))
        self.denominator = nn.Parameter(torch.empty(stack, groups, ORDERS[1]))
        self.register_buffer("group", torch.arange(features) * groups // features, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features) or (S, B, features) to (S, B, features)."""
        numerator, denominator = (self._of_inputs(own) for own in (self.numerator, self.denominator))
        above, below = numerator[-1], denominator[-1]
        for coefficient in reversed(numerator[:-1]):
            above = above * x + coefficient
        for coefficient in reversed(denominator[:-1]):
            below = below * x + coefficient
        return above / (1 + (below * x).abs())

    def _of_inputs(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Each coefficient of every input's group, (S, 1, features)."""
        return coefficients.index_select(1, self.group).unsqueeze(1).unbind(-1)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        above, below = start(self.function)
        self.numerator[run] = torch.tensor(above)
        self.denominator[run] = torch.tensor(below)


class RationalKANStack(Network):
    """A stack of networks whose layers are a grouped rational, that starts as the identity before the first linear map and as
    silu before the others, and a linear map, with normalisation and dropout behind all but the last, if asked for."""

    def layer(self, number: int) -> list[nn.Module]:
        """The rational, the map and what follows it."""
        shape = self.shape()
        inputs, outputs = self.widths[number : number + 2]
        rational = GroupedRational(inputs, shape.option("groups"), "silu" if number else "identity", stack=self.runs)
        linear = Linear(inputs, outputs, stack=self.runs, bias=self.bias, gain=shape.gain)
        return [rational, linear, *([] if number == self.depth - 1 else [*self.norm(outputs), *self.dropout()])]


def count_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a layer counts: a rational per input, a linear map."""
    values = min(shape.option("groups"), i) * (sum(ORDERS) + 1) + o * (i + ("bias" not in shape.without))
    flops = i * RATIONAL_FLOPS + 2 * i * o
    layer = LayerCount(values, values, flops, flops, flops)
    return layer if last else layer + count_norm(shape, o)


register(
    "Rational_KAN",
    RationalKANStack,
    defaults={"without": None, "options": {"groups": 8}} | FIELDS,
    layer_count=count_layer,
)
