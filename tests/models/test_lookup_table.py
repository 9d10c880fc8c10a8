"""A fixed local basis with a linear head."""

import torch

from kanbefair.data import load
from kanbefair.models import build
from kanbefair.training.continual.spec import ContinualSpec


def test_a_table_without_hidden_layers_does_what_a_kan_of_one_spline_does():
    task = load("Peaks_1d")
    common = {"dataset": "Peaks_1d", "stream": "peaks", "widths": (), "grid": 50, "order": 3, "epochs": 3, "lr": 0.01}
    kan = build([ContinualSpec(**common, model="KAN", shortcut="zero", without=("scale", "bias"))], task)
    table = build([ContinualSpec(**common, model="LocalBasis")], task)
    values = torch.randn(1, 53, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        kan.reset([torch.Generator().manual_seed(0)])
        kan.layers[0].coefficients.copy_(values.unsqueeze(1))
        table.layers[1].weight.copy_(values)
        assert torch.allclose(kan(task.x_test), table(task.x_test), atol=1e-6)
    plane = build([ContinualSpec(**common | {"dataset": "Peaks_2d", "grid": 5}, model="LocalBasis")], load("Peaks_2d"))
    assert torch.allclose(plane.layers[0](load("Peaks_2d").x_test).sum(-1), torch.ones(2000), atol=1e-5)
