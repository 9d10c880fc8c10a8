"""Grids laid anew over the range of a task's rows."""

import math

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


def test_a_run_whose_values_are_nan_does_not_touch_its_neighbour():
    own = ContinualSpec(dataset="Peaks_2d", stream="peaks", model="KAN", widths=(3,), grid=8, shortcut="silu", seed=3)
    task = load("Peaks_2d")
    alone, together = build([own], task), build([own, own], task)
    for network in (alone, together):
        network.reset([torch.Generator().manual_seed(3) for _ in range(network.runs)])
    with torch.no_grad():
        for values in (together.layers[0].coefficients, together.layers[0].base):
            values[1] = math.nan
    for network in (alone, together):
        update_grids(network, task.x_train)
    for name, values in alone.state_dict().items():
        assert torch.allclose(together.state_dict()[name][0], values[0], rtol=1e-6, atol=1e-8), name
