"""The spline layers in plain PyTorch operations, with the arguments of the compiled ones: the reference, what runs without a
compiler or on a GPU, and what the compiled operators leave to it (derivatives of derivatives, batched gradients)."""

import torch
from torch import Tensor, nn

from kanbefair.models.activations import activation
from kanbefair.models.basis import basis
from kanbefair.models.compiled import SHORTCUTS
from kanbefair.models.layers import product


def kan_linear(
    x: Tensor,
    coefficients: Tensor,
    scale: Tensor,
    base: Tensor | None,
    bias: Tensor,
    low: Tensor,
    high: Tensor,
    *,
    grid: int,
    order: int,
    shortcut: nn.Module | None,
) -> Tensor:
    """`compiled.kan_linear` for any shortcut; low and high broadcast with x."""
    table = basis(x, low, high, grid, order).flatten(-2)
    y = product(table, (coefficients * scale.unsqueeze(2)).flatten(1, 2), bias.unsqueeze(1))
    return y if base is None else product(shortcut(x), base, y)


def spline_activation(x: Tensor, coefficients: Tensor, low: Tensor, high: Tensor, *, grid: int, order: int) -> Tensor:
    """`compiled.spline_activation`; low and high broadcast with x."""
    return (basis(x, low, high, grid, order) * coefficients.unsqueeze(1)).sum(-1)


SHORTCUT_MODULES = [None if name is None else activation(name) for name in SHORTCUTS]


def _plain(layer: str, tensors: list[Tensor], numbers: list[int]) -> Tensor:
    """A layer with the arguments of its operator."""
    *values, low, high = tensors
    ends = (low.reshape(-1, 1, 1), high.reshape(-1, 1, 1))
    if layer == "spline_activation":
        return spline_activation(*values, *ends, grid=numbers[0], order=numbers[1])
    x, coefficients, scale, base, bias = values
    shortcut = SHORTCUT_MODULES[numbers[2]]
    base = None if shortcut is None else base
    return kan_linear(x, coefficients, scale, base, bias, *ends, grid=numbers[0], order=numbers[1], shortcut=shortcut)


_library = torch.library.Library("kanbefair", "FRAGMENT")
_library.define("plain(str layer, Tensor[] tensors, int[] numbers) -> Tensor")
_library.impl("plain", _plain, "CompositeImplicitAutograd")
