"""Networks without biases or without the scale of their splines."""

import torch

from kanbefair.data import load
from kanbefair.models import build
from kanbefair.models.layers import Linear
from kanbefair.models.spline_layers import KANLinear
from kanbefair.specs import RunSpec
from kanbefair.training import fit


def test_parts_left_out_are_constants_and_do_not_train():
    task = load("WineRecognition")
    kan = RunSpec(dataset=task.name, model="KAN", widths=(4,), without=("scale", "bias"), epochs=1)
    mlp = RunSpec(dataset=task.name, model="MLP", widths=(4,), without=("bias",), epochs=1)
    kept = []
    for spec in (kan, mlp):
        fit.train([spec], task, on_end=kept.append)
    for layer in kept[0].layers:
        assert isinstance(layer, KANLinear) and torch.equal(layer.scale, torch.ones_like(layer.scale))
    for network in kept:
        layers = [layer for layer in network.layers if isinstance(layer, KANLinear | Linear)]
        assert layers and all(not layer.bias.any() for layer in layers)
        assert not any("bias" in name or "scale" in name for name, _ in network.named_parameters())


def test_a_network_without_parts_starts_like_the_whole_one():
    task = load("WineRecognition")
    networks = [
        build([RunSpec(dataset=task.name, model="KAN", widths=(4,), without=w)], task) for w in (None, ("scale", "bias"))
    ]
    for network in networks:
        network.reset([torch.Generator().manual_seed(5)])
    assert torch.equal(networks[0](task.x_test), networks[1](task.x_test))
