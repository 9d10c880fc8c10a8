"""The curves of trained splines."""

from dataclasses import fields

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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shown": 0}, "shown is 0; it must be a whole number of at least 1"),
        ({"shown": "3"}, "shown is '3'; it must be a whole number"),
        ({"shown": None}, "shown is None; it must be a whole number"),
        ({"points": 1}, "points is 1; it must be a whole number of at least 2"),
        ({"points": 10**9}, "points is 1000000000; it must be .* at most 100,000"),
        ({"lr": "0.1"}, "lr is '0.1'; it must be a number above 0"),
    ],
)
def test_bad_values_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        learned_splines.DrawnSpec(dataset="Digits", model="KAN", widths=(3,), **change)


def test_every_field_is_checked():
    assert set(learned_splines.DrawnSpec.checks) == {f.name for f in fields(learned_splines.DrawnSpec) if f.init}
