"""The study of continual learning: which networks meet which streams under which strategies; hands on the `peaks`.

Networks that are compared have equally many trainable values. The learning rate, and the strength where a strategy has one,
are chosen for each network, stream and strategy from the same values. The choice is the one with the best average after the
last task on the validation part, as a mean over seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kanbefair.data import load
from kanbefair.data.available import some_available
from kanbefair.data.image_sets import IMAGES
from kanbefair.errors import choose
from kanbefair.models.matching import matched, trainable_values
from kanbefair.report.tables import PROFILES
from kanbefair.studies.continual.peaks import Peak, peaks
from kanbefair.studies.domains.design import REAL, SEEDS, on_range
from kanbefair.training.continual.spec import ContinualSpec

__all__ = ["NETWORKS", "Peak", "Setting", "Try", "peaks", "settings", "tries"]

NETWORKS = {
    "KAN": {"model": "KAN"},
    "MLP relu": {"model": "MLP", "activation": "relu"},
    "MLP gelu": {"model": "MLP", "activation": "gelu"},
    "MLP silu": {"model": "MLP", "activation": "silu"},
    "BSpline_MLP": {"model": "BSpline_MLP"},
    "BSpline_First_MLP": {"model": "BSpline_First_MLP"},
}
"""The networks of the class and permuted streams; those with gelu and silu are trained naively only."""

THREES = ((0, 1, 2), (3, 4, 5), (6, 7, 8))
PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
STREAMS = {
    "threes": {"stream": "classes", "groups": THREES},
    "pairs": {"stream": "classes", "groups": PAIRS},
    "permuted": {"stream": "permuted", "tasks": 3},
}
"""The paper's stream, the usual one of five tasks, and permuted inputs."""

LRS = (1e-2, 2e-3, 4e-4, 1e-4)
FEWER_LRS = LRS[:3]
"""The learning rates of all but naive training: lower ones were rarely the best."""
STRENGTH_LRS = LRS[:2]
"""The learning rates of strategies that choose a strength, too: lower ones were rarely the best."""
STRENGTHS = {"ewc": (30.0, 1000.0, 30000.0), "knots": (0.01, 0.1, 1.0)}
"""The strengths that each strategy chooses from."""
NAIVE_SEEDS = [*SEEDS, 6, 7, 8, 9, 10]
"""Of naive training with the optimiser's state carried over, on which the claims rest, at the profile `embedded`."""


@dataclass(frozen=True)
class Setting:
    """Streams of one dataset at one profile, and how they are trained on.

    Args:
        dataset: its name.
        full: streams with all strategies.
        short: streams with `naive` (the optimiser's state carried or reset) and `joint` only.
        epochs: epochs of each task.
        batch_size: rows of a batch.
        buffer: rows that `replay` keeps.
        width: hidden width of the KAN whose number of trainable values the other networks are given.
        reach: the grid goes from −reach to reach.
    """

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
    """The datasets and streams of a profile; at `paper` the paper's stream of those of MNIST and FMNIST that are at hand.

    Raises `InputError` for an unknown profile, or at `paper` if neither lies in the data folder.
    """
    if choose("profile", profile, PROFILES) != "paper":
        return SETTINGS[profile]
    images = [name for name in REAL if name in IMAGES]
    return [Setting(name, ("threes",), (), 1, 128, 500, width=4) for name in some_available(images, data_dir, protocol="fair")]


def _strategies(setting: Setting, stream: str, network: str, lrs: Sequence[float]) -> list[dict[str, object]]:
    """The fields of a network's runs on a stream: each strategy with each of the values that are tried."""
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
    """One run and its place in the study: the name of its network in `NETWORKS`."""

    network: str
    spec: ContinualSpec


def tries(profile: str, data_dir: str = "") -> list[Try]:
    """All runs of the class and permuted streams at a profile. Raises `InputError` as `settings` does."""
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


def _seeds(kind: dict[str, object], profile: str) -> list[int]:
    if profile == "smoke":
        return SEEDS[:2]
    plain = kind["strategy"] == "naive" and "optimizer_state" not in kind
    return NAIVE_SEEDS if plain and profile == "embedded" else SEEDS
