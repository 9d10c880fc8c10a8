"""The paper's public classes: single networks from a `Namespace` of its arguments; the output is (B, out).

All take `input_size`, `layers_width` (of the hidden layers) and `output_size`. The classes for texts stand behind a mean
embedding of width layers_width[0]; there `input_size` is the size of the vocabulary.
"""

from argparse import Namespace
from collections.abc import Sequence

from torch import nn

from kanbefair.errors import InputError
from kanbefair.models.activations import MODULES
from kanbefair.models.counting import Shape
from kanbefair.models.kan import KANStack
from kanbefair.models.mlp import MLPStack
from kanbefair.models.spline_mlp import BSplineFirstMLPStack, BSplineMLPStack
from kanbefair.specs import ACTIVATIONS, SHORTCUTS


def function_name(given: str | nn.Module | type[nn.Module], allowed: Sequence[str]) -> str:
    """The name of a function given as a name, a module class or a module; `InputError` if it is not one of `allowed`."""
    name = given if isinstance(given, str) else MODULES.get(given if isinstance(given, type) else type(given))
    if name not in allowed:
        raise InputError(f"unknown function {given!r}; give one of {', '.join(allowed)} or its torch.nn module")
    return name


def _sizes(args: Namespace, text: bool) -> dict[str, object]:
    inputs = args.layers_width[0] if text else args.input_size
    return {
        "widths": (inputs, *args.layers_width, args.output_size),
        "vocabulary": args.input_size if text else None,
    }


def _spline(args: Namespace) -> dict[str, object]:
    low, high = args.kan_grid_range
    return {
        "grid": args.kan_bspline_grid,
        "order": args.kan_bspline_order,
        "grid_range": (float(low), float(high)),
    }


class KANbeFair(KANStack):
    """KAN with a fixed uniform grid.

    `args` also holds kan_bspline_grid, kan_bspline_order, kan_grid_range (two ends) and kan_shortcut_function (a name,
    module class or module) or kan_shortcut_name.

    >>> import torch
    >>> args = Namespace(input_size=784, layers_width=[10, 10], output_size=10, kan_bspline_grid=20, kan_bspline_order=5,
    ...                  kan_shortcut_function=torch.nn.SiLU(), kan_grid_range=[-1, 1])
    >>> KANbeFair(args).total_parameters(), KANbeFair(args).total_flops()
    (225150, 10198740)
    """

    text = False

    def __init__(self, args: Namespace):
        given = getattr(args, "kan_shortcut_function", None) or getattr(args, "kan_shortcut_name", "silu")
        shortcut = function_name(given, SHORTCUTS)
        super().__init__([Shape(family="KAN", shortcut=shortcut, **_sizes(args, self.text), **_spline(args))], single=True)


class MLP(MLPStack):
    """Multi-layer perceptron.

    `args` also holds batch_norm and activation (a name, module class or module) or activation_name.

    >>> args = Namespace(input_size=784, layers_width=[10, 10], output_size=10, batch_norm=False, activation=nn.ReLU)
    >>> MLP(args).total_parameters(), MLP(args).total_flops()
    (8070, 16110)
    """

    text = False

    def __init__(self, args: Namespace):
        given = getattr(args, "activation", None) or getattr(args, "activation_name", "relu")
        own = {"activation": function_name(given, ACTIVATIONS), "batch_norm": bool(args.batch_norm)}
        super().__init__([Shape(family="MLP", **own, **_sizes(args, self.text))], single=True)


class BSpline_MLP(BSplineMLPStack):
    """An MLP whose activation is one learnable B-spline per unit. `args` also holds batch_norm and the grid's fields."""

    text = False

    def __init__(self, args: Namespace):
        own = {"batch_norm": bool(args.batch_norm), **_sizes(args, self.text), **_spline(args)}
        super().__init__([Shape(family="BSpline_MLP", **own)], single=True)


class BSpline_First_MLP(BSplineFirstMLPStack):
    """One B-spline per input before each linear map. `args` also holds batch_norm and the grid's fields."""

    text = False

    def __init__(self, args: Namespace):
        own = {"batch_norm": bool(args.batch_norm), **_sizes(args, self.text), **_spline(args)}
        super().__init__([Shape(family="BSpline_First_MLP", **own)], single=True)


class KANbeFair_Text(KANbeFair):
    """KANbeFair for texts."""

    text = True


class MLP_Text(MLP):
    """MLP for texts."""

    text = True


class BSpline_MLP_Text(BSpline_MLP):
    """BSpline_MLP for texts."""

    text = True


class BSpline_First_MLP_Text(BSpline_First_MLP):
    """BSpline_First_MLP for texts."""

    text = True
