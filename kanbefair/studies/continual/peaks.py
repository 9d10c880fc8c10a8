"""The five peaks of the KAN paper, on a line and on a plane: which networks meet them, and how they are trained."""

from dataclasses import dataclass

from kanbefair.errors import choose
from kanbefair.report.tables import PROFILES
from kanbefair.studies.domains.design import SEEDS
from kanbefair.training.continual.spec import ContinualSpec

_LOCAL = {"model": "KAN", "widths": (), "grid": 200, "shortcut": "zero", "without": ("bias", "scale")}
_DEEP = {"widths": (4,), "grid": 20}
_PLAIN = {"grid": None, "shortcut": None, "without": None}
PEAKS_1D = {
    "KAN, one spline": _LOCAL,
    "with a base branch": _LOCAL | {"shortcut": "silu"},
    "with a learned scale": _LOCAL | {"without": ("bias",)},
    "with a bias": _LOCAL | {"without": ("scale",)},
    "with grid updates": _LOCAL | {"grid_update": True},
    "with a hidden layer": _LOCAL | _DEEP,
    "with all but grid updates": _LOCAL | _DEEP | {"shortcut": "silu", "without": None},
    "table, linear head": _PLAIN | {"model": "LocalBasis", "widths": (), "grid": 200, "order": 1},
    "BSpline_MLP": _PLAIN | {"model": "BSpline_MLP", "widths": (8,), "grid": 20},
    "MLP tanh": _PLAIN | {"model": "MLP", "widths": (12, 12), "activation": "tanh"},
}
"""The networks that meet the peaks on a line.

First the KAN paper's set-up: one spline of 200 intervals, and nothing else that is learned. Then that with each of its
switches turned by itself, a fixed local basis with a linear head, and other networks with as many trainable values (about
200)."""

PEAKS_2D = {
    "KAN, one spline per input": _LOCAL,
    "KAN, hidden layer": _LOCAL | {"widths": (6,), "grid": 20},
    "KAN, hidden layer, base branch": {"model": "KAN", "widths": (6,), "grid": 20, "shortcut": "silu"},
    "table, linear head": _PLAIN | {"model": "LocalBasis", "widths": (), "grid": 20, "order": 1},
    "BSpline_MLP": _PLAIN | {"model": "BSpline_MLP", "widths": (16,), "grid": 20},
    "MLP tanh": _PLAIN | {"model": "MLP", "widths": (19, 19), "activation": "tanh"},
}
"""The same in two dimensions, with about 440 trainable values."""

_LBFGS = {"optimizer": "lbfgs", "optimizer_state": "reset", "batch_size": 4000, "epochs": 3}
_ADAM = {"optimizer": "adam", "batch_size": 32, "epochs": 40}
OPTIMIZERS = {
    "Peaks_1d": {
        "LBFGS": _LBFGS,
        "Adam, reset": _ADAM | {"optimizer_state": "reset"},
        "Adam, carried": _ADAM | {"optimizer_state": "carried"},
    },
    "Peaks_2d": {
        "LBFGS": _LBFGS,
        "Adam, reset": _ADAM | {"optimizer_state": "reset", "batch_size": 64, "epochs": 20},
    },
}
"""How the peaks are trained on. LBFGS takes all rows of a task at once, makes 3 times 20 iterations, and starts anew with each
task, as pykan's `fit` does."""
LRS = {"lbfgs": (1.0,), "adam": (3e-2, 1e-2, 3e-3)}
"""The learning rates that each optimiser chooses from; `smoke` takes the last."""
SMOKE_EPOCHS = {"lbfgs": 1, "adam": 2}


@dataclass(frozen=True)
class Peak:
    """One run on a stream of peaks and its place in the study: the names of its network and of its optimiser (`OPTIMIZERS`)."""

    network: str
    optimizer: str
    spec: ContinualSpec


def peaks(profile: str) -> list[Peak]:
    """All runs on the peaks at a profile. Raises `InputError` for an unknown profile."""
    small = choose("profile", profile, PROFILES) == "smoke"
    found = []
    for dataset, networks in (("Peaks_1d", PEAKS_1D), ("Peaks_2d", PEAKS_2D)):
        for optimizer, fields in OPTIMIZERS[dataset].items():
            kind = fields["optimizer"]
            how = {"dataset": dataset, "stream": "peaks", **fields} | ({"epochs": SMOKE_EPOCHS[kind]} if small else {})
            found += [
                Peak(network, optimizer, ContinualSpec(seed=seed, lr=lr, **how, **own))
                for network, own in networks.items()
                for seed in (SEEDS[:2] if small else SEEDS)
                for lr in (LRS[kind][-1:] if small else LRS[kind])
            ]
    return found
