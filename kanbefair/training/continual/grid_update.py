"""Grids laid anew over the range of a task's rows."""

import torch
from torch import Tensor

from kanbefair.models import Network
from kanbefair.models.spline_layers import SPLINE_LAYERS


@torch.no_grad()
def update_grids(network: Network, x: Tensor) -> None:
    """Lay the grid of every spline layer over the range of its inputs at the rows x, and fit the splines to their
    former values there (least squares, minimum norm): pykan's grid update with a uniform grid, one range for all its
    inputs.

    A run whose inputs are not finite, as it has diverged, gets what it gets; the others do not depend on it.
    """
    x = x.expand(network.runs, *x.shape[-2:])
    for module in network.layers:
        if isinstance(module, SPLINE_LAYERS):
            c = module.coefficients.reshape(*module.coefficients.shape[:3], -1).double()
            before = module.grid.table(x).transpose(1, 2).double() @ c
            low, high = x.amin((1, 2)), x.amax((1, 2))
            margin = torch.where(high > low, 0.01 * (high - low), torch.ones_like(low))
            module.grid.low.copy_((low - margin).reshape(-1, 1, 1))
            module.grid.high.copy_((high + margin).reshape(-1, 1, 1))
            module.grid.same = False
            after = module.grid.table(x).transpose(1, 2).double()
            module.coefficients.copy_((torch.linalg.pinv(after.nan_to_num()) @ before).reshape(module.coefficients.shape))
        x = module(x)
