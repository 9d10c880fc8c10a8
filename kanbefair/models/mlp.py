"""Multi-layer perceptrons, and how their layers count."""

from torch import nn

from kanbefair.models.activations import activation
from kanbefair.models.counting import ACTIVATION_FLOPS, LayerCount, Shape, count_norm
from kanbefair.models.layers import Linear
from kanbefair.models.networks import Network, register


class MLPStack(Network):
    """A stack of MLPs. Behind every linear map but the last come normalisation, if asked for, an activation, and dropout, if
    asked for."""

    def layer(self, number: int) -> list[nn.Module]:
        """A linear map and what follows it."""
        inputs, outputs = self.widths[number : number + 2]
        linear = Linear(inputs, outputs, stack=self.runs, bias=self.bias, gain=self.shape().gain)
        if number == self.depth - 1:
            return [linear]
        return [linear, *self.norm(outputs), self.activation(outputs), *self.dropout()]

    def activation(self, features: int) -> nn.Module:
        """The activation of a layer of so many units."""
        return activation(self.shape().activation, stack=self.runs)


def count_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a linear layer of `i` inputs and `o` outputs and its activation count (docs/protocol.md: Counting)."""
    c = ACTIVATION_FLOPS[shape.activation]
    learned = int(shape.activation[-1]) + 1 if shape.activation.startswith("polynomial") else 0
    norm = count_norm(shape, o)
    bias = "bias" not in shape.without
    real = 2 * i * o + (0 if last else c * o + norm.flops)
    return LayerCount(
        parameters=o * (i + bias) + norm.parameters,
        live_parameters=o * (i + bias) + (0 if last else norm.parameters + learned),
        flops=2 * i * o + c * o + norm.flops,
        flops_shared=real,
        flops_local=real,
    )


FIELDS = {"batch_norm": False, "without": None, "layer_norm": None, "dropout": None, "gain": None}
"""What every MLP reads, with or without splines."""

register("MLP", MLPStack, defaults={"activation": "relu"} | FIELDS, layer_count=count_layer)
