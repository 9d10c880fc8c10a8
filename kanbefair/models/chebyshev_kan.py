"""KANs of Chebyshev polynomials (Sidharth et al., arXiv 2405.07200), and how their layers count."""

import torch
from torch import Generator, Tensor, nn

from kanbefair.models.activations import activation
from kanbefair.models.counting import ACTIVATION_FLOPS, LayerCount, Shape, count_norm
from kanbefair.models.layers import Layer, product
from kanbefair.models.networks import Network, register
from kanbefair.models.radial_kan import FIELDS


class ChebyshevLinear(Layer):
    """y_j = Σ_i Σ_d c_idj·T_d(tanh x_i) per run; c is (S, in, degree+1, out), drawn from N(0, (gain/(in·(degree+1)))²)."""

    def __init__(self, in_features: int, out_features: int, *, degree: int, stack: int = 1, gain: float | None = None):
        super().__init__()
        self.gain = 1.0 if gain is None else gain
        self.coefficients = nn.Parameter(torch.empty(stack, in_features, degree + 1, out_features))
        self.tanh = activation("tanh")

    def forward(self, x: Tensor) -> Tensor:
        """(B, in) or (S, B, in) to (S, B, out)."""
        x = self.tanh(x)
        table = [x * 0 + 1, x]
        while len(table) < self.coefficients.shape[2]:
            table.append(2 * x * table[-1] - table[-2])
        start = self.coefficients.new_zeros(len(self.coefficients), 1, self.coefficients.shape[3])
        return product(torch.stack(table, dim=-1).flatten(-2), self.coefficients.flatten(1, 2), start)

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        inputs, terms, _ = self.coefficients.shape[1:]
        self.coefficients[run].normal_(std=self.gain / (inputs * terms), generator=generator)


class ChebyshevKANStack(Network):
    """A stack of KANs of Chebyshev polynomials, with normalisation and dropout behind all layers but the last, if asked for."""

    def layer(self, number: int) -> list[nn.Module]:
        """One layer and what follows it."""
        shape = self.shape()
        inputs, outputs = self.widths[number : number + 2]
        layer = ChebyshevLinear(inputs, outputs, degree=shape.option("degree"), stack=self.runs, gain=shape.gain)
        return [layer] if number == self.depth - 1 else [layer, *self.norm(outputs), *self.dropout()]

    def values_per_row(self) -> int:
        return max(self.widths) * (self.shape().option("degree") + 1)


def count_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a layer counts: tanh, 2x and 2 for each polynomial from the second on per input, 2 per edge and polynomial."""
    degree = shape.option("degree")
    values = i * o * (degree + 1)
    recursion = 2 * (degree - 1) + (degree > 1)
    flops = i * (ACTIVATION_FLOPS["tanh"] + recursion) + 2 * values
    layer = LayerCount(values, values, flops, flops, flops)
    return layer if last else layer + count_norm(shape, o)


register(
    "Chebyshev_KAN", ChebyshevKANStack, defaults={"options": {"degree": 4}} | FIELDS, layer_count=count_layer, removable=()
)
