"""KANs of Gaussian bumps, the layer of FastKAN (Li, arXiv 2405.06721), and how their layers count."""

import torch
from torch import Generator, Tensor, nn

from kanbefair.errors import InputError
from kanbefair.models.activations import Elementwise, activation
from kanbefair.models.counting import ACTIVATION_FLOPS, LayerCount, Shape, count_norm
from kanbefair.models.layers import Layer, Linear, product
from kanbefair.models.networks import Network, register


def gaussian(u: Tensor) -> Tensor:
    """exp(−u²)."""
    return torch.exp(-(u * u))


class RadialLinear(Layer):
    """y_j = Σ_i a_ij·silu(x_i) + Σ_i Σ_c w_icj·exp(−((x_i − t_c)/h)²) + bias_j per run.

    The centres t_c lie h apart from one end of a run's grid range to the other. w is (S, in, centres, out), drawn from
    N(0, 0.1²) cut off at ±2; a and the bias are drawn as `torch.nn.Linear` draws them, a times `gain`. FastKAN's layer norm
    before the bumps is left to the network, which may have a norm between layers.

    Args:
        in_features, out_features: inputs and outputs.
        centres: number of centres, at least 2.
        grid_ranges: the two ends, a pair per run.
        bias, gain: as for `Linear`.

    Raises `InputError` for a single centre.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        centres: int,
        grid_ranges: list[tuple[float, float]],
        bias: bool = True,
        gain: float | None = None,
    ):
        super().__init__()
        if centres < 2:
            raise InputError(f"option centres is {centres}; bumps lie a step apart, so give at least 2")
        stack = len(grid_ranges)
        ends = torch.tensor(grid_ranges, dtype=torch.float32)
        self.register_buffer("low", ends[:, 0].reshape(-1, 1, 1))
        self.register_buffer("steps", (centres - 1) / (ends[:, 1] - ends[:, 0]).reshape(-1, 1, 1))
        self.weight = nn.Parameter(torch.empty(stack, in_features, centres, out_features))
        self.base = Linear(in_features, out_features, stack=stack, bias=bias, gain=gain)
        self.shortcut = activation("silu")
        self.bump = Elementwise("gaussian", gaussian)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in) or (S, B, in) to (S, B, out)."""
        place = ((x - self.low) * self.steps).unsqueeze(-1)
        numbers = torch.arange(self.weight.shape[2], dtype=x.dtype, device=x.device)
        table = self.bump(place - numbers).flatten(-2)
        return product(table, self.weight.flatten(1, 2), self.base(self.shortcut(x)))

    @torch.no_grad()
    def reset_run(self, run: int, generator: Generator) -> None:
        nn.init.trunc_normal_(self.weight[run], std=0.1, generator=generator)


class RadialKANStack(Network):
    """A stack of KANs of Gaussian bumps, with normalisation and dropout behind all layers but the last, if asked for."""

    def layer(self, number: int) -> list[nn.Module]:
        """One layer and what follows it."""
        shape = self.shape()
        inputs, outputs = self.widths[number : number + 2]
        layer = RadialLinear(
            inputs,
            outputs,
            centres=shape.option("centres"),
            grid_ranges=self.grid_ranges,
            bias=self.bias,
            gain=shape.gain,
        )
        return [layer] if number == self.depth - 1 else [layer, *self.norm(outputs), *self.dropout()]

    def values_per_row(self) -> int:
        return max(self.widths) * self.shape().option("centres")


def count_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a layer counts: 2 per input for its place on the grid, 4 per bump (difference, square, sign, and an exponential
    for 1, as within the sigmoid's 4), 2 per edge and bump, and the base."""
    centres = shape.option("centres")
    values = i * o * (centres + 1) + o * ("bias" not in shape.without)
    flops = i * (2 + 4 * centres + ACTIVATION_FLOPS["silu"]) + 2 * i * o * (centres + 1)
    layer = LayerCount(values, values, flops, flops, flops)
    return layer if last else layer + count_norm(shape, o)


FIELDS = {"batch_norm": None, "layer_norm": None, "dropout": None, "gain": None}
"""What every KAN without splines reads."""

register(
    "RBF_KAN",
    RadialKANStack,
    defaults={"grid_range": (-2.0, 2.0), "without": None, "options": {"centres": 8}} | FIELDS,
    layer_count=count_layer,
)
