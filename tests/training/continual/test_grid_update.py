"""Grids laid anew over the range of a task's rows."""

import torch

from kanbefair.data import load
from kanbefair.models import build
from kanbefair.training.continual.grid_update import update_grids
from kanbefair.training.continual.spec import ContinualSpec


def test_a_grid_update_keeps_the_function_on_the_rows_it_sees():
    own = ContinualSpec(dataset="Peaks_2d", stream="peaks", model="KAN", widths=(3,), grid=8, shortcut="silu", seed=3)
    task = load("Peaks_2d")
    network = build([own], task)
    network.reset([torch.Generator().manual_seed(3)])
    with torch.no_grad():
        for layer in network.layers:
            layer.coefficients.mul_(20)
        before = network(task.x_train)
        update_grids(network, task.x_train)
        assert (network(task.x_train) - before).abs().max() < 0.05 * before.std()
        update_grids(network, task.x_train[:200] * 0.1)
    assert network.layers[0].grid.high.max() < 0.2
