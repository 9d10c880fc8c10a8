"""Networks as stacks of S runs: the base class of every family, and the registry that `build` reads."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from kanbefair.data import Task
from kanbefair.errors import InputError, check_name, choose
from kanbefair.models.counting import LAYER_COUNTERS, LayerCount, Shape, check, count
from kanbefair.models.layers import BatchNorm, Dropout, Layer, LayerNorm, MeanEmbedding
from kanbefair.specs import MODEL_FIELDS, OPTIONAL_FIELDS, REMOVABLE, RunSpec

NO_RANGE = (-1.0, 1.0)
"""The grid range of a shape that names none."""


class Network(nn.Module):
    """A stack of networks, one per shape. A family is a subclass that says how a layer is made (`layer`).

    Args:
        shapes: one per run. They may differ in grid range and in whether a KAN has a shortcut, and in nothing else.
        released_start: draw initial values as the authors' program did (docs/protocol.md: Training).
        single: one network outside any stack: its initial values come from PyTorch's global generator, and its
            output has no leading axis.
    """

    def __init__(self, shapes: Sequence[Shape], *, released_start: bool = False, single: bool = False):
        super().__init__()
        self.shapes = tuple(shapes)
        self.released_start = released_start
        self.single = single
        self.widths = self.shapes[0].widths
        self.embedding = self._embedding()
        self.layers = nn.Sequential(*(module for number in range(self.depth) for module in self.layer(number)))
        if single:
            seed = int(torch.randint(2**62, ()))
            self.reset([torch.Generator().manual_seed(seed)])

    def _embedding(self) -> MeanEmbedding | None:
        vocabulary = self.shapes[0].vocabulary
        return None if vocabulary is None else MeanEmbedding(vocabulary, self.widths[0], stack=self.runs)

    @property
    def runs(self) -> int:
        """Number of runs S."""
        return len(self.shapes)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.widths) - 1

    @property
    def bias(self) -> bool:
        """Whether layers have a bias."""
        return "bias" not in self.shapes[0].without

    @property
    def grid_ranges(self) -> list[tuple[float, float]]:
        """The two ends of each run's grid."""
        return [shape.grid_range or NO_RANGE for shape in self.shapes]

    def shape(self, run: int = 0) -> Shape:
        """The shape of run number `run`."""
        return self.shapes[run]

    def layer(self, number: int) -> list[nn.Module]:
        """The modules of layer `number` (0 … depth−1), which maps widths[number] values to widths[number+1]."""
        raise NotImplementedError

    def norm(self, features: int) -> list[nn.Module]:
        """The normalisation behind a layer of so many units that the shape asks for, if it does."""
        shape = self.shape()
        kind = BatchNorm if shape.batch_norm else LayerNorm if shape.layer_norm else None
        return [kind(features, stack=self.runs)] if kind else []

    def dropout(self) -> list[nn.Module]:
        """What leaves out hidden values, if the shape asks for it."""
        share = self.shape().dropout
        return [Dropout(share, stack=self.runs)] if share else []

    def reset(self, generators: Sequence[Generator]) -> None:
        """Draw all initial values anew, run s from `generators[s]`, layer by layer.

        Runs that are given the very same generator start from the same values. Raises `InputError` if there is not one
        generator per run.
        """
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

    def values_per_row(self) -> int:
        """About how many numbers one run holds at once for one row of input: units, times bases where there are some."""
        shape = self.shape()
        bases = 1 if shape.grid is None else shape.grid + shape.order
        return max(self.widths) * bases

    def total_parameters(self) -> int:
        """Parameters of one run by the paper's formula (text: without the embedding, as there)."""
        return count(self.shape()).parameters

    def total_flops(self) -> int:
        """FLOPs of one forward pass of one row by the paper's formula."""
        return int(count(self.shape()).flops)


FAMILIES: dict[str, type[Network]] = {}
"""The class of each registered family."""


def register(
    name: str,
    network: type[Network],
    *,
    defaults: dict[str, object],
    layer_count: Callable[[Shape, int, int, bool], LayerCount],
    removable: tuple[str, ...] = ("bias",),
) -> None:
    """Add a family to the comparison, so that `RunSpec(model=name, ...)` builds, counts and trains it.

    Args:
        name: what specs, tables and figures call it.
        network: a subclass of `Network`.
        defaults: the spec fields that it reads, with their default values.
        layer_count: counts one of its layers from (shape, inputs, outputs, is it the last).
        removable: the parts that a spec's `without` may name.

    A family takes the place of an earlier one of the same name. Raises `InputError` for a default that is no field of a
    spec, a name that cannot be part of a file's name, and one that a family of this package has (`check_name`).
    """
    check_name("model", name, FAMILIES.get(name), network)
    for field in defaults:
        choose("field of a model", field, OPTIONAL_FIELDS)
    FAMILIES[name] = network
    MODEL_FIELDS[name] = defaults
    REMOVABLE[name] = removable
    LAYER_COUNTERS[name] = layer_count


def fields_of(spec: RunSpec) -> dict[str, object]:
    """What a spec says of the fields of `Shape` that families read."""
    own = {name: getattr(spec, name) for name in OPTIONAL_FIELDS}
    own |= {name: bool(own[name]) for name in ("batch_norm", "layer_norm")}
    return own | {name: own[name] or () for name in ("without", "options")}


def shape_of(spec: RunSpec, task: Task) -> Shape:
    """The shape of the network that `spec` trains on `task`.

    A text's embedding is as wide as the spec says, or else as the first hidden layer.
    """
    text = task.domain == "text"
    embedding = spec.embedding or (spec.widths[0] if spec.widths else None)
    return Shape(
        family=spec.model,
        widths=(embedding if text else task.input_size, *spec.widths, task.output_size),
        vocabulary=task.input_size if text else None,
        **fields_of(spec),
    )


def build(specs: Sequence[RunSpec], task: Task) -> Network:
    """The stack of networks of `specs`, which share a stack key, for `task`; initial values are not yet drawn.

    Raises `InputError` if a parameter or buffer has no axis for the runs.
    """
    family = FAMILIES[specs[0].model]
    network = family([shape_of(spec, task) for spec in specs], released_start=specs[0].protocol == "published")
    for name, values in network.state_dict().items():
        if values.shape[:1] != (len(specs),):
            raise InputError(
                f"{specs[0].model}: {name} has the shape {tuple(values.shape)}, but its first axis must be that of the "
                f"{len(specs)} runs of the stack; make it so, or register it with persistent=False if all runs share it"
            )
    return network


def network(shape: Shape) -> Network:
    """A single network of the given shape, drawn from PyTorch's global generator. Raises `InputError` as `count` does."""
    family = FAMILIES[choose("model", shape.family, FAMILIES)]
    check(shape)
    return family([shape], single=True)
