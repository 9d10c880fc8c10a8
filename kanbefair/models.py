"""The networks of the comparison, each a stack of S runs, and the registry that `build` reads.

The classes take the paper's `Namespace` of arguments (protocol.md: Models). With `stack` left out they are what the paper
documents: a single network whose output is (B, out). With `stack=S` parameters and outputs carry a leading axis S.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from kanbefair import complexity
from kanbefair.data import Task
from kanbefair.errors import InputError, choose
from kanbefair.layers import MODULES, BatchNorm, KANLinear, Layer, Linear, MeanEmbedding, SplineActivation, activation
from kanbefair.specs import ACTIVATIONS, MODEL_FIELDS, SHORTCUTS, RunSpec


def _function_name(given: object, allowed: Sequence[str]) -> str:
    """The name of an activation given as a name, a module class or a module."""
    name = given if isinstance(given, str) else MODULES.get(given if isinstance(given, type) else type(given))
    if name not in allowed:
        raise InputError(f"unknown function {given!r}; give one of {', '.join(allowed)} or its torch.nn module")
    return name


class Network(nn.Module):
    """A stack of networks of one shape. Subclasses say how a layer is made (`layer`) and what is counted (`shape`)."""

    text = False

    def __init__(self, args: Namespace, *, stack: int | None = None):
        """`args` holds input_size, layers_width, output_size and the model's own fields; raises `InputError` for a
        function that is not known."""
        super().__init__()
        self.args, self.runs, self.single = args, stack or 1, stack is None
        inside = [args.layers_width[0]] if self.text else [args.input_size]
        self.widths = [*inside, *args.layers_width, args.output_size]
        self.without = tuple(getattr(args, "without", None) or ())
        self.bias = "bias" not in self.without
        self.embedding = MeanEmbedding(args.input_size, inside[0], stack=self.runs) if self.text else None
        self.depth = len(self.widths) - 1
        self.layers = nn.Sequential(*(module for number in range(self.depth) for module in self.layer(number)))
        if self.single:
            seed = int(torch.randint(2**62, ()))
            self.reset([torch.Generator().manual_seed(seed)])

    def layer(self, number: int) -> list[nn.Module]:
        """The modules of layer `number` (0 … depth−1), which maps widths[number] values to widths[number+1]."""
        raise NotImplementedError

    def reset(self, generators: Sequence[Generator]) -> None:
        """Draw all initial values anew, run s from `generators[s]`, in the order of the layers. Runs that are given the very
        same generator start from the same values."""
        if len(generators) != self.runs:
            raise InputError(f"{len(generators)} generators for a stack of {self.runs} runs; give one per run")
        layers = [module for module in self.modules() if isinstance(module, Layer)]
        first: dict[Generator, int] = {}
        for run, generator in enumerate(generators):
            for layer in layers:
                if generator in first:
                    layer.copy_run(run, first[generator])
                else:
                    layer.reset_run(run, generator)
            first.setdefault(generator, run)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (B, in) or (S, B, in) to logits (S, B, out); a single network gives (B, out)."""
        y = self.layers(x if self.embedding is None else self.embedding(x))
        return y.squeeze(0) if self.single else y

    def shape(self, run: int = 0) -> complexity.Shape:
        """What `complexity` counts of run number `run`."""
        raise NotImplementedError

    def values_per_row(self) -> int:
        """About how many numbers one run holds at once for one row of input: units, times bases where there are some."""
        shape = self.shape()
        return max(self.widths) * (1 if shape.grid is None else shape.grid + shape.order)

    def total_parameters(self) -> int:
        """Parameters of one run by the paper's formula (text: without the embedding, as there)."""
        return complexity.count(self.shape()).parameters

    def total_flops(self) -> int:
        """FLOPs of one forward pass of one row by the paper's formula."""
        return int(complexity.count(self.shape()).flops)


def _spline(args: Namespace, runs: int) -> dict[str, object]:
    ranges = args.kan_grid_range
    if not isinstance(ranges[0], (list, tuple)):
        ranges = [ranges] * runs
    return {
        "grid": args.kan_bspline_grid,
        "order": args.kan_bspline_order,
        "grid_ranges": [tuple(map(float, r)) for r in ranges],
    }


RELEASED_STARTS = {(10, 3): (True, True), (20, 3): (True, True)}
"""Whether the first spline of the first and of the later layers started from an exact fit in the authors' runs, by grid and
order; False where not named. Nobody wrote it down: it was read off the released rows (see notebook 02)."""


class KANbeFair(Network):
    """KAN with a fixed uniform grid. `args` also holds kan_bspline_grid, kan_bspline_order, kan_grid_range (two ends, or
    such a pair per run) and kan_shortcut_function (a name, class or module, or one per run, zero and one other kind) or
    kan_shortcut_name.

    >>> args = Namespace(input_size=784, layers_width=[10, 10], output_size=10, kan_bspline_grid=20, kan_bspline_order=5,
    ...                  kan_shortcut_function=torch.nn.SiLU(), kan_grid_range=[-1, 1])
    >>> KANbeFair(args).total_parameters(), KANbeFair(args).total_flops()
    (225150, 10198740)
    """

    def __init__(self, args: Namespace, *, stack: int | None = None):
        given = getattr(args, "kan_shortcut_function", None) or getattr(args, "kan_shortcut_name", "silu")
        given = given if isinstance(given, list) else [given] * (stack or 1)
        self.shortcuts = [_function_name(own, SHORTCUTS) for own in given]
        super().__init__(args, stack=stack)

    def layer(self, number: int) -> list[nn.Module]:
        inputs, outputs = self.widths[number : number + 2]
        kinds = sorted(set(self.shortcuts) - {"zero"})
        shortcut = activation(*kinds) if kinds else None
        released = None
        if getattr(self.args, "kan_released_start", False):
            states = RELEASED_STARTS.get((self.args.kan_bspline_grid, self.args.kan_bspline_order), (False, False))
            released = states[min(number, 1)]
        return [
            KANLinear(
                inputs,
                outputs,
                shortcut=shortcut,
                with_shortcut=[kind != "zero" for kind in self.shortcuts],
                released=released,
                scale="scale" not in self.without,
                bias=self.bias,
                **_spline(self.args, self.runs),
            )
        ]

    def shape(self, run: int = 0) -> complexity.Shape:
        return complexity.Shape(
            family="KAN",
            widths=tuple(self.widths),
            grid=self.args.kan_bspline_grid,
            order=self.args.kan_bspline_order,
            shortcut=self.shortcuts[run],
            without=self.without,
        )


class MLP(Network):
    """Multi-layer perceptron. `args` also holds batch_norm and activation (a name, class or module).

    >>> args = Namespace(input_size=784, layers_width=[10, 10], output_size=10, batch_norm=False, activation=nn.ReLU)
    >>> MLP(args).total_parameters(), MLP(args).total_flops()
    (8070, 16110)
    """

    def __init__(self, args: Namespace, *, stack: int | None = None):
        given = getattr(args, "activation", None) or getattr(args, "activation_name", "relu")
        self.activation = _function_name(given, ACTIVATIONS)
        super().__init__(args, stack=stack)

    def layer(self, number: int) -> list[nn.Module]:
        inputs, outputs = self.widths[number : number + 2]
        linear = Linear(inputs, outputs, stack=self.runs, bias=self.bias)
        if number == self.depth - 1:
            return [linear]
        norm = [BatchNorm(outputs, stack=self.runs)] if self.args.batch_norm else []
        return [linear, *norm, activation(self.activation, stack=self.runs)]

    def shape(self, run: int = 0) -> complexity.Shape:
        return complexity.Shape(
            family="MLP",
            widths=tuple(self.widths),
            activation=self.activation,
            batch_norm=bool(self.args.batch_norm),
            without=self.without,
        )


class BSpline_MLP(Network):
    """An MLP whose activation is one learnable B-spline per unit. `args` also holds batch_norm and the grid's fields."""

    family = "BSpline_MLP"

    def layer(self, number: int) -> list[nn.Module]:
        inputs, outputs = self.widths[number : number + 2]
        linear = Linear(inputs, outputs, stack=self.runs, bias=self.bias)
        if number == self.depth - 1:
            return [linear]
        norm = [BatchNorm(outputs, stack=self.runs)] if self.args.batch_norm else []
        return [linear, *norm, SplineActivation(outputs, **_spline(self.args, self.runs))]

    def shape(self, run: int = 0) -> complexity.Shape:
        return complexity.Shape(
            family=self.family,
            widths=tuple(self.widths),
            grid=self.args.kan_bspline_grid,
            order=self.args.kan_bspline_order,
            batch_norm=bool(self.args.batch_norm),
            without=self.without,
        )


class BSpline_First_MLP(BSpline_MLP):
    """Each layer is one learnable B-spline per input, then a linear map (and, if asked for, batch norm)."""

    family = "BSpline_First_MLP"

    def layer(self, number: int) -> list[nn.Module]:
        inputs, outputs = self.widths[number : number + 2]
        norm = [BatchNorm(outputs, stack=self.runs)] if self.args.batch_norm else []
        spline = SplineActivation(inputs, **_spline(self.args, self.runs))
        return [spline, Linear(inputs, outputs, stack=self.runs, bias=self.bias), *norm]


class KANbeFair_Text(KANbeFair):
    """KAN behind a mean embedding of width layers_width[0]; input_size is the vocabulary's size."""

    text = True


class MLP_Text(MLP):
    """MLP behind a mean embedding of width layers_width[0]; input_size is the vocabulary's size."""

    text = True


class BSpline_MLP_Text(BSpline_MLP):
    """BSpline_MLP behind a mean embedding of width layers_width[0]; input_size is the vocabulary's size."""

    text = True


class BSpline_First_MLP_Text(BSpline_First_MLP):
    """BSpline_First_MLP behind a mean embedding of width layers_width[0]; input_size is the vocabulary's size."""

    text = True


REGISTRY: dict[str, tuple[type[Network], type[Network]]] = {
    "KAN": (KANbeFair, KANbeFair_Text),
    "MLP": (MLP, MLP_Text),
    "BSpline_MLP": (BSpline_MLP, BSpline_MLP_Text),
    "BSpline_First_MLP": (BSpline_First_MLP, BSpline_First_MLP_Text),
}
"""For each model of a `RunSpec` its class for feature vectors and its class for token numbers."""


def register(
    name: str,
    network: type[Network],
    *,
    defaults: dict[str, object],
    layer_count: Callable[[complexity.Shape, int, int, bool], complexity.LayerCount],
) -> None:
    """Add a model of your own to the comparison, so that `RunSpec(model=name, ...)` builds, counts and trains it.

    `network` is a subclass of `Network`; `defaults` are the spec fields it reads, with their defaults (see
    `specs.MODEL_FIELDS`); `layer_count` counts one of its layers (see `complexity.LAYER_COUNTERS`).
    """
    text = type(f"{name}_Text", (network,), {"text": True, "__doc__": f"{name} behind a mean embedding."})
    REGISTRY[name] = (network, text)
    MODEL_FIELDS[name] = defaults
    complexity.LAYER_COUNTERS[name] = layer_count


def build(specs: Sequence[RunSpec], task: Task) -> Network:
    """The stack of networks of `specs`, which share a stack key, for `task`; initial values are not yet drawn."""
    first = specs[0]
    network = REGISTRY[first.model][task.domain == "text"]
    args = Namespace(
        input_size=task.input_size,
        output_size=task.output_size,
        layers_width=list(first.widths),
        batch_norm=first.batch_norm,
        activation=first.activation,
        kan_bspline_grid=first.grid,
        kan_bspline_order=first.order,
        kan_shortcut_function=[spec.shortcut for spec in specs] if first.shortcut else None,
        kan_grid_range=[spec.grid_range for spec in specs],
        kan_released_start=first.protocol == "published",
        without=first.without,
    )
    return network(args, stack=len(specs))


def network(shape: complexity.Shape) -> Network:
    """A single network of the given shape, drawn from PyTorch's global generator, on a grid range of [-1, 1]."""
    args = Namespace(
        input_size=shape.widths[0],
        output_size=shape.widths[-1],
        layers_width=list(shape.widths[1:-1]),
        batch_norm=shape.batch_norm,
        activation=shape.activation,
        kan_bspline_grid=shape.grid,
        kan_bspline_order=shape.order,
        kan_shortcut_function=shape.shortcut,
        kan_grid_range=(-1.0, 1.0),
        without=shape.without,
    )
    return REGISTRY[choose("model", shape.family, REGISTRY)][0](args)
