"""Multi-layer perceptrons, and how their layers count."""

from torch import nn

from kanbefair.models.activations import activation
from kanbefair.models.counting import ACTIVATION_FLOPS, LayerCount, Shape
from kanbefair.models.layers import BatchNorm, Linear
from kanbefair.models.networks import Network, register


class MLPStack(Network):
    """A stack of MLPs. Behind every linear map but the last come batch normalisation, if asked for, and an activation."""

    def layer(self, number: int) -> list[nn.Module]:
        """A linear map and what follows it."""
        inputs, outputs = self.widths[number : number + 2]
        linear = Linear(inputs, outputs, stack=self.runs, bias=self.bias)
        if number == self.depth - 1:
            return [linear]
        norm = [BatchNorm(outputs, stack=self.runs)] if self.shape().batch_norm else []
        return [linear, *norm, self.activation(outputs)]

    def activation(self, features: int) -> nn.Module:
        """The activation of a layer of so many units."""
        return activation(self.shape().activation, stack=self.runs)


def count_layer(shape: Shape, i: int, o: int, last: bool) -> LayerCount:
    """How a linear layer of `i` inputs and `o` outputs and its activation count (docs/protocol.md: Counting)."""
    c = ACTIVATION_FLOPS[shape.activation]
    learned = int(shape.activation[-1]) + 1 if shape.activation.startswith("polynomial") else 0
    norm = shape.batch_norm
    bias = "bias" not in shape.without
    real = 2 * i * o + (0 if last else c * o + 4 * o * norm)
    return LayerCount(
        parameters=o * (i + bias) + 2 * o * norm,
        live_parameters=o * (i + bias) + (0 if last else 2 * o * norm + learned),
        flops=2 * i * o + c * o + 4 * o * norm,
        flops_shared=real,
        flops_local=real,
    )


register("MLP", MLPStack, defaults={"activation": "relu", "batch_norm": False, "without": None}, layer_count=count_layer)
