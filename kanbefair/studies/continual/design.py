"""The study of continual learning: which networks meet which streams under which strategies, and the peaks of the KAN paper.

Networks that are compared have equally many trainable values. Learning rate and, for the strategies that have one, strength
are chosen once per network, stream and strategy: by the mean over seeds of the validation part's average after the last
task, out of the same values for all networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kanbefair.data import load
from kanbefair.data.available import some_available
from kanbefair.data.vision import IMAGES
from kanbefair.errors import choose
from kanbefair.models.matching import matched, trainable_values
from kanbefair.report.tables import PROFILES
from kanbefair.studies.domains.design import REAL, on_range
from kanbefair.training.continual.spec import ContinualSpec

NETWORKS = {
    "KAN": {"model": "KAN"},
    "MLP relu": {"model": "MLP", "activation": "relu"},
    "MLP gelu": {"model": "MLP", "activation": "gelu"},
    "MLP silu": {"model": "MLP", "activation": "silu"},
    "BSpline_MLP": {"model": "BSpline_MLP"},
    "BSpline_First_MLP": {"model": "BSpline_First_MLP"},
}
"""The networks of the class and permuted streams; gelu and silu meet naive training only."""

THREES = ((0, 1, 2), (3, 4, 5), (6, 7, 8))
PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
STREAMS = {
    "threes": {"stream": "classes", "groups": THREES},
    "pairs": {"stream": "classes", "groups": PAIRS},
    "permuted": {"stream": "permuted", "tasks": 3},
}
"""The paper's stream, the usual one of five tasks, and permuted inputs."""

LRS = (1e-2, 2e-3, 4e-4, 1e-4)
FEWER_LRS, STRENGTH_LRS = LRS[:3], LRS[:2]
"""Of all but naive training, and of strategies that choose a strength, too: there lower rates were rarely the best."""
STRENGTHS = {"ewc": (30.0, 1000.0, 30000.0), "knots": (0.01, 0.1, 1.0)}
SEEDS = (1, 2, 3, 4, 5)
NAIVE_SEEDS = (*SEEDS, 6, 7, 8, 9, 10)
"""Of naive training with the optimiser's state carried over, on which the claims rest, at the profile `embedded`."""


@dataclass(frozen=True)
class Setting:
    """Streams of one dataset at one profile: those with all strategies, and those with `naive` (optimiser carried or reset)
    and `joint` only. `width` is the hidden width of the KAN whose trainable values the other networks meet."""

    dataset: str
    full: tuple[str, ...]
    short: tuple[str, ...]
    epochs: int
    batch_size: int
    buffer: int
    width: int = 8
    reach: float = 2.0


SETTINGS = {
    "smoke": [Setting("Digits", ("threes",), (), 1, 32, 20)],
    "embedded": [
        Setting("Digits", ("threes", "pairs"), (), 4, 32, 50),
        Setting("Digits", ("permuted",), (), 2, 32, 50),
        Setting("SpokenDigitsMel", (), ("threes", "pairs"), 3, 32, 50),
    ],
}


def settings(profile: str, data_dir: str = "") -> list[Setting]:
    """The datasets and streams of a profile; at `paper` the paper's stream of MNIST and FMNIST, where their files are in the
    data folder."""
    if choose("profile", profile, PROFILES) != "paper":
        return SETTINGS[profile]
    images = [name for name in REAL if name in IMAGES]
    return [Setting(name, ("threes",), (), 1, 128, 500, width=4) for name in some_available(images, data_dir, protocol="fair")]


def _strategies(setting: Setting, stream: str, network: str, lrs: Sequence[float]) -> list[dict[str, object]]:
    """The strategies of a network on a stream, each with the values that are tried."""
    found = [{"strategy": "naive", "lr": lr} for lr in lrs]
    if network in ("MLP gelu", "MLP silu"):
        return found
    fewer = [lr for lr in lrs if lr in FEWER_LRS]
    found += [{"strategy": "naive", "lr": lr, "optimizer_state": "reset"} for lr in fewer]
    found += [{"strategy": "joint", "lr": lr} for lr in fewer]
    if stream in setting.full:
        found += [{"strategy": "replay", "buffer": setting.buffer, "lr": lr} for lr in fewer]
        strong = [lr for lr in lrs if lr in STRENGTH_LRS]
        found += [
            {"strategy": strategy, "strength": strength, "lr": lr}
            for strategy, strengths in STRENGTHS.items()
            for strength in strengths
            for lr in strong
        ]
    return found


@dataclass(frozen=True)
class Try:
    """One run and its place in the study."""

    network: str
    spec: ContinualSpec


def tries(profile: str, data_dir: str = "") -> list[Try]:
    """All runs of the class and permuted streams at a profile."""
    small = profile == "smoke"
    lrs = (1e-2, 1e-3) if small else LRS
    found = []
    for setting in settings(profile, data_dir):
        data = load(setting.dataset, data_dir or None)
        for name in (*setting.full, *setting.short):
            common = {
                "dataset": setting.dataset,
                "epochs": setting.epochs,
                "batch_size": setting.batch_size,
                **STREAMS[name],
            }
            specs = {
                network: ContinualSpec(widths=(setting.width,), **common, **on_range(fields, setting.reach))
                for network, fields in NETWORKS.items()
            }
            task = specs["KAN"].tasks_of(data)[0]
            budget = trainable_values(specs["KAN"], task)
            for network, plain in specs.items():
                spec = matched(plain, task, budget)
                found += [
                    Try(network, replace(spec, seed=seed, **kind))
                    for kind in _strategies(setting, name, network, lrs)
                    for seed in _seeds(kind, profile)
                ]
    return found


def _seeds(kind: dict[str, object], profile: str) -> tuple[int, ...]:
    if profile == "smoke":
        return SEEDS[:2]
    plain = kind["strategy"] == "naive" and "optimizer_state" not in kind
    return NAIVE_SEEDS if plain and profile == "embedded" else SEEDS


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
"""The KAN paper's set-up (one spline of 200 intervals, nothing else that is learned), each of its switches turned by
itself, a fixed local basis with a linear head, and networks with as many trainable values (about 200)."""

PEAKS_2D = {
    "KAN, one spline per input": _LOCAL,
    "KAN, hidden layer": _LOCAL | {"widths": (6,), "grid": 20},
    "KAN, hidden layer, base branch": {"model": "KAN", "widths": (6,), "grid": 20, "shortcut": "silu"},
    "table, linear head": _PLAIN | {"model": "LocalBasis", "widths": (), "grid": 20, "order": 1},
    "BSpline_MLP": _PLAIN | {"model": "BSpline_MLP", "widths": (16,), "grid": 20},
    "MLP tanh": _PLAIN | {"model": "MLP", "widths": (19, 19), "activation": "tanh"},
}
"""The same in two dimensions, with about 440 trainable values."""

OPTIMIZERS = {
    "LBFGS": {"optimizer": "lbfgs", "optimizer_state": "reset", "batch_size": 4000, "epochs": 3},
    "Adam, reset": {"optimizer": "adam", "optimizer_state": "reset", "batch_size": 32, "epochs": 40},
    "Adam, carried": {"optimizer": "adam", "optimizer_state": "carried", "batch_size": 32, "epochs": 40},
}
"""LBFGS takes all rows of a task at once, 3 times 20 iterations, and starts anew with each, as pykan's `fit` does."""


@dataclass(frozen=True)
class Peak:
    """One run on a stream of peaks and its place in the study."""

    network: str
    optimizer: str
    spec: ContinualSpec


def peaks(profile: str) -> list[Peak]:
    """All runs on the peaks at a profile."""
    small = choose("profile", profile, PROFILES) == "smoke"
    found = []
    for dataset, networks in (("Peaks_1d", PEAKS_1D), ("Peaks_2d", PEAKS_2D)):
        flat = dataset == "Peaks_1d"
        for optimizer in list(OPTIMIZERS)[: 3 if flat else 2]:
            how = dict(OPTIMIZERS[optimizer])
            if not flat:
                how |= {"epochs": 3} if optimizer == "LBFGS" else {"batch_size": 64, "epochs": 20}
            if small:
                how["epochs"] = 1 if optimizer == "LBFGS" else 2
            lrs = (1.0,) if optimizer == "LBFGS" else (3e-2, 1e-2, 3e-3)
            found += [
                Peak(network, optimizer, ContinualSpec(dataset=dataset, stream="peaks", seed=seed, lr=lr, **how, **fields))
                for network, fields in networks.items()
                for seed in (SEEDS[:2] if small else SEEDS)
                for lr in (lrs[-1:] if small else lrs)
            ]
    return found
