"""What is measured: layers, kinds of run, and how long."""

from dataclasses import dataclass
from typing import NamedTuple

import torch


@dataclass(frozen=True)
class Effort:
    """How long a profile measures.

    Args:
        repeats: repeats of a layer.
        batches: batches of a training probe.
        trainings: repeats of a training probe.
        probes: probes of each part of the released grid.
    """

    repeats: int
    batches: int
    trainings: int
    probes: int


EFFORTS = {"smoke": Effort(2, 2, 1, 1), "embedded": Effort(3, 10, 2, 2), "paper": Effort(15, 60, 3, 6)}


class Size(NamedTuple):
    """A layer's batch, inputs, outputs, grid G and order K, and the number of runs in its stack."""

    rows: int
    inputs: int
    outputs: int
    grid: int
    order: int
    runs: int = 1


SIZES = [
    Size(128, 784, 10, 5, 3),
    Size(128, 784, 64, 5, 3),
    Size(1024, 64, 64, 5, 3),
    Size(128, 784, 64, 20, 5),
    Size(1024, 256, 256, 10, 3),
]
LARGE = [Size(8192, 1024, 1024, grid, order) for grid, order in ((3, 2), (5, 3), (10, 3), (20, 5))]
SMALL = [Size(16, 12, 4, 5, 3), Size(32, 8, 8, 3, 2)]

BASE = Size(128, 64, 64, 5, 3)
GROWTH = {
    "G": [BASE._replace(grid=value) for value in (3, 5, 10, 20, 50)],
    "K": [BASE._replace(order=value) for value in (1, 2, 3, 4, 5)],
    "width": [BASE._replace(inputs=value, outputs=value) for value in (16, 32, 64, 128, 256)],
    "batch": [BASE._replace(rows=value) for value in (32, 128, 512, 2048)],
    "stack": [BASE._replace(inputs=5, outputs=5, runs=value) for value in (1, 4, 16, 64)],
}
"""One size varied at a time, the others as in `BASE`. Stacks are of layers of width 5: small networks are stacked most."""
VARIED = {"G": "grid", "K": "order", "width": "inputs", "batch": "rows", "stack": "runs"}
"""The field of `Size` that each of `GROWTH` varies."""


def sizes(profile: str, device: str) -> list[Size]:
    """The layers to measure: two small ones at `smoke`; on a GPU also four large ones."""
    return SMALL if profile == "smoke" else SIZES + (LARGE if torch.device(device).type == "cuda" else [])


def growth_sizes(profile: str) -> dict[str, list[Size]]:
    """What is varied, and the layers from small to large; at `smoke` only the two smallest of each."""
    return {name: values[:2] if profile == "smoke" else values for name, values in GROWTH.items()}


MNIST = "Random_grey_60000_10000_784_10"
FORMULA = "Random_numbers_1000_1000_2_0"
"""Random data of the sizes of MNIST and of a symbolic function."""


@dataclass(frozen=True)
class Cell:
    """A kind of run whose rate is measured.

    Args:
        name: its name in tables and figures.
        fields: the fields of its runs.
        wanted: how many of them are asked for at once.
        original: runs an hour that the authors' program was recorded at.
    """

    name: str
    fields: dict
    wanted: int
    original: float


_IMAGES = {"dataset": MNIST, "epochs": 20}
_FORMULAS = {"dataset": FORMULA, "epochs": 500, "widths": (5,)}
_KAN = {"model": "KAN", "grid": 5, "order": 3}
CELLS = [
    Cell("MNIST-shaped MLP", _IMAGES | {"model": "MLP", "widths": (32,)}, 64, 37),
    Cell("MNIST-shaped KAN", _IMAGES | _KAN | {"widths": (4,)}, 64, 3),
    Cell("symbolic MLP", _FORMULAS | {"model": "MLP"}, 64, 25),
    Cell("symbolic KAN", _FORMULAS | _KAN, 64, 22),
    Cell("MNIST-shaped KAN, alone", _IMAGES | _KAN | {"widths": (4,)}, 1, 3),
]


def cells(profile: str) -> list[Cell]:
    """The cells to measure; at `smoke` only the symbolic ones, whose data are small."""
    return [cell for cell in CELLS if profile != "smoke" or cell.fields["dataset"] == FORMULA]
