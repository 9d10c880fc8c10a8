"""Which knots are in use, and how far two tasks share them."""

import pytest
import torch

from kanbefair.data import load
from kanbefair.models import build
from kanbefair.training.continual.knots import knot_use, overlap, shares
from kanbefair.training.continual.spec import ContinualSpec


def test_knots_in_use_are_those_whose_basis_is_not_zero():
    own = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="KAN", widths=(), grid=4, order=1, shortcut="zero")
    tasks = own.tasks_of(load("Peaks_1d"))
    network = build([own], tasks[0])
    network.reset([torch.Generator().manual_seed(0)])
    places = ([[-1.0], [-0.75]], [[0.1]], [[0.9]])
    first, middle, last = (knot_use(network, torch.tensor(x)) for x in places)
    assert first["layers.0.coefficients"].tolist() == [[[1.0, 0.5, 0.0, 0.0, 0.0]]]
    assert overlap(first, last, 1).tolist() == [0.0] and overlap(last, last, 1).tolist() == [1.0]
    assert overlap(middle, last, 1).tolist() == [pytest.approx(1 / 3)]
    names = [name for name, _ in network.named_parameters()]
    sizes = {name: share.shape for name, share in zip(names, shares(network, first), strict=True)}
    assert sizes["layers.0.coefficients"] == (1, 1, 5, 1) and sizes["layers.0.bias"] == ()
