"""The curves of trained splines."""

import numpy
import pytest
import torch

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.training import fit, learned_splines


def test_learned_splines_add_up_to_the_layer():
    """With one input each edge is the layer's output, bias apart."""
    task = load("Special_1d_gelu")
    spec = learned_splines.DrawnSpec(
        dataset=task.name, model="KAN", widths=(1,), grid_range=(-4, 4), epochs=3, lr=0.01, points=33
    )
    (record,) = learned_splines.train([spec], task)
    kept = []
    fit.train([spec], task, on_end=kept.append)
    first = kept[0].layers[0]
    x = torch.linspace(-4, 4, 33)
    with torch.no_grad():
        y = first(x[:, None])[0, :, 0] - first.bias[0, 0]
    layers = record["curves"]["activations"]
    assert [layer["layer"] for layer in layers] == [1, 2] and layers[0]["count"] == 1
    assert numpy.allclose(layers[0]["y"][0], y, atol=1e-5) and numpy.allclose(layers[0]["x"], x)
    assert -4 <= layers[0]["low"] < layers[0]["high"] <= 4


def test_networks_without_splines_cannot_be_drawn():
    with pytest.raises(InputError, match="MLP has no splines"):
        learned_splines.DrawnSpec(dataset="Digits", model="MLP", widths=(3,))
