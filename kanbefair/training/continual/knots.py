"""Which knots the rows of a task use, and how far two tasks use the same ones."""

import math

import torch
from torch import Tensor

from kanbefair.models import Network
from kanbefair.models.spline_layers import spline_inputs


def knot_use(network: Network, x: Tensor) -> dict[str, Tensor]:
    """The share of the rows x at which each basis of each spline layer is not zero.

    Returns the name of a layer's coefficients to a tensor (S, inputs, G+K); layers that all runs feed alike give
    (1, inputs, G+K).
    """
    use = {}
    for name, (layer, inputs) in spline_inputs(network, x).items():
        share = layer.grid.use(inputs)
        use[f"{name}.coefficients"] = share if share.dim() == 3 else share.unsqueeze(0)
    return use


def shares(network: Network, use: dict[str, Tensor]) -> list[Tensor]:
    """Per parameter the share of rows at which it was in use, shaped to broadcast: 1 where it is no spline's."""
    found = []
    for name, p in network.named_parameters():
        share = use.get(name, p.new_ones(()))
        found.append(share.reshape(*share.shape, *[1] * (p.dim() - share.dim())) if share.dim() else share)
    return found


def overlap(first: dict[str, Tensor], second: dict[str, Tensor], runs: int) -> Tensor:
    """How far two tasks use the same knots, (S,): 0 none, 1 all in the same measure. NaN without splines."""
    if not first:
        return torch.full((runs,), math.nan)
    shared = sum(torch.minimum(first[name], second[name]).sum((1, 2)).expand(runs) for name in first)
    return shared / sum(torch.maximum(first[name], second[name]).sum((1, 2)).expand(runs) for name in first)
