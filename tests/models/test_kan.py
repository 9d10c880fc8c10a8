"""How the KANs of the paper's program start."""

import pytest
import torch

from kanbefair.models import Shape, basis
from kanbefair.models.kan import KANStack


@pytest.mark.parametrize(
    ("grid", "order", "first", "others"),
    [
        (5, 2, True, True),
        (5, 3, True, True),
        (10, 3, True, False),
        (20, 3, True, False),
        (50, 3, False, False),
        (5, 5, False, False),
    ],
)
def test_which_splines_start_from_an_exact_fit(grid, order, first, others):
    """Read off the released rows (notebook 02): a fit is exact where the splines take the drawn values at the grid points."""
    shape = Shape(family="KAN", widths=(3, 2), grid=grid, order=order, shortcut="silu", grid_range=(-1.0, 1.0))
    network = KANStack([shape], released_start=True)
    network.reset([torch.Generator().manual_seed(0)])
    generator = torch.Generator().manual_seed(0)
    torch.randn(6, generator=generator)
    noise = (torch.rand(6, grid + 1, generator=generator) - 0.5) * 0.1 / grid
    table = basis.basis(torch.arange(grid + 1.0), 0.0, float(grid), grid, order)
    edges = network.layers[0].coefficients[0].permute(2, 0, 1).flatten(0, 1)
    exact = ((edges @ table.T - noise).abs() < 1e-4 * 0.1 / grid).all(dim=1).tolist()
    assert exact[0] == first
    assert exact[1:] == [others] * 5
