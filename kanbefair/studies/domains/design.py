"""The runs of the five domains at every profile.

- `paper`: the grids that the authors ran, under the `published` protocol (docs/protocol.md: Hyper-parameters that were
  run). No rows of text and audio were released; they take the grid of images.
- `embedded`: data that ships with the package, under the `fair` protocol. Within a domain KAN and MLP get the same datasets,
  seeds, epochs, learning rates and number of tries. Sizes are such that the ranges of parameters and of FLOPs overlap.
- `smoke`: one dataset and few epochs, to see that everything runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kanbefair.data import dataset
from kanbefair.errors import InputError, choose
from kanbefair.report.tables import PROFILES
from kanbefair.specs import MODEL_FIELDS, RunSpec, grid
from kanbefair.values import names

SMOOTH = [
    "Special_ellipkinc",
    "Special_ellipeinc",
    "Special_lpmv0",
    "Special_lpmv1",
    "Special_sphharm01",
    "Special_sphharm02",
]
"""The smooth ones among the paper's functions; the others are unbounded (docs/protocol.md: Symbolic)."""
REAL = ["MNIST", "FMNIST", "Income", "Bank"]
"""The datasets of the paper's figure on B-spline activations (docs/protocol.md: Claims)."""
SEEDS = [1, 2, 3, 4, 5]
FAIR_LRS = [1e-2, 1e-3]
PAPER_LRS = [1e-3, 1e-4]


@dataclass(frozen=True)
class Study:
    """What is run on one domain.

    Args:
        datasets: those of the profiles `smoke` and `embedded`.
        epochs: of these two profiles.
        kan: hidden widths of the KANs of the profile `embedded`.
        splines: pairs of grid size and grid range; each of `kan` is tried with each of them.
        mlp: hidden widths of the MLPs, as many as there are pairs of one of `kan` and one of `splines`.
        activation: of these MLPs.
        paper: the grid of the profile `paper` (`_paper_grid`).
    """

    datasets: dict[str, list[str]]
    epochs: dict[str, int]
    kan: list[tuple[int, ...]]
    splines: list[tuple[int, tuple[float, float]]]
    mlp: list[tuple[int, ...]]
    activation: str = "relu"
    paper: dict = field(default_factory=dict)


def _one_hidden(*widths: int) -> list[tuple[int, ...]]:
    """Networks with one hidden layer of each of `widths`."""
    return [(width,) for width in widths]


def _deep(*widths: int) -> list[tuple[int, ...]]:
    """Networks with one to four hidden layers of each of `widths`."""
    return [(width,) * depth for width in widths for depth in (1, 2, 3, 4)]


def _paper_grid(
    datasets: list[str], *, mlp: list, kan: list, grids: list, orders: list, ranges: list, epochs: tuple[int, int]
) -> list[RunSpec]:
    """What the authors ran on a dataset of a domain; `epochs` are those of MLP and of KAN."""
    common = {"dataset": datasets, "protocol": "published", "lr": PAPER_LRS}
    return [
        *grid(model="MLP", widths=mlp, activation=["relu", "gelu"], epochs=epochs[0], **common),
        *grid(
            model="KAN",
            widths=kan,
            grid=grids,
            order=orders,
            shortcut=["silu", "identity", "zero"],
            grid_range=ranges,
            epochs=epochs[1],
            **common,
        ),
    ]


_WIDE = {"mlp": _one_hidden(32, 64, 128, 256, 512, 1024), "kan": _one_hidden(2, 4, 8, 16), "grids": [3, 5, 10, 20]}
_IMAGE = _WIDE | {"orders": [2, 3, 5], "ranges": [(-1, 1), (-2, 2), (-4, 4)], "epochs": (20, 20)}
_TABLE = _WIDE | {"orders": [3, 5], "ranges": [(-2, 2), (-4, 4)], "epochs": (20, 10)}
_FORMULA = {
    "mlp": _deep(5, 50, 100),
    "kan": _deep(5),
    "grids": [3, 5, 10, 20, 50],
    "orders": [2, 3, 5],
    "ranges": [(-1, 1)],
    "epochs": (500, 500),
}

PAPER_DATASETS = {
    "symbolic": [*SMOOTH, "Special_jv", "Special_yv", "Special_kv", "Special_iv"],
    "tabular": ["Income", "Spam", "Telescope", "Wine", "Bank", "Card", "Rice", "Bean", "Student", "Titanic"],
    "vision": ["MNIST", "EMNIST-Balanced", "EMNIST-Letters", "FMNIST", "KMNIST", "Cifar10", "Cifar100", "SVHN"],
    "text": ["AG_NEWS", "CoLA", "IMDb"],
    "audio": ["SpeechCommand", "UrbanSound8K"],
}

STUDIES = {
    "symbolic": Study(
        datasets={
            "smoke": ["Special_ellipkinc"],
            "embedded": [*SMOOTH, "Special_jv", "Special_iv", "Special_yv_bounded", "Special_kv_bounded"],
        },
        epochs={"smoke": 3, "embedded": 120},
        kan=[(5,), (5, 5)],
        splines=[(3, (-1, 1)), (10, (-1, 1))],
        mlp=[(8, 8), (20, 20), (40, 40), (80, 80)],
        activation="gelu",
        paper=_FORMULA,
    ),
    "tabular": Study(
        datasets={"smoke": ["WineRecognition"], "embedded": ["WineRecognition", "BreastCancer"]},
        epochs={"smoke": 3, "embedded": 150},
        kan=_one_hidden(2, 4, 8),
        splines=[(3, (-2, 2)), (10, (-4, 4))],
        mlp=_one_hidden(8, 16, 32, 64, 160, 512),
        paper=_TABLE,
    ),
    "vision": Study(
        datasets={"smoke": ["Digits"], "embedded": ["Digits"]},
        epochs={"smoke": 2, "embedded": 50},
        kan=_one_hidden(2, 4, 8),
        splines=[(3, (-2, 2)), (10, (-4, 4))],
        mlp=_one_hidden(8, 16, 32, 64, 160, 512),
        paper=_IMAGE,
    ),
    "text": Study(
        datasets={"smoke": ["Docstrings"], "embedded": ["Docstrings"]},
        epochs={"smoke": 1, "embedded": 15},
        kan=_one_hidden(2, 4, 8),
        splines=[(3, (-1, 1)), (10, (-2, 2))],
        mlp=_one_hidden(4, 8, 16, 32, 64, 96),
        paper=_IMAGE,
    ),
    "audio": Study(
        datasets={"smoke": ["SpokenDigits"], "embedded": ["SpokenDigits", "SpokenDigitsMel"]},
        epochs={"smoke": 1, "embedded": 15},
        kan=_one_hidden(2, 4, 8),
        splines=[(3, (-2, 2)), (10, (-4, 4))],
        mlp=_one_hidden(4, 8, 16, 32, 96, 448),
        paper=_IMAGE,
    ),
}


def on_range(fields: dict[str, object], end: float) -> dict[str, object]:
    """The `fields` of a run with, if its model has a grid, a grid range from −end to end."""
    return fields | {"grid_range": (-end, end)} if "grid_range" in MODEL_FIELDS[fields["model"]] else fields


def _named(section: str, datasets: str | Sequence[str]) -> list[str]:
    """The datasets that are named, all of the section's domain."""
    found = list(names("datasets", datasets))
    for name in found:
        domain = dataset(name).domain
        if domain != section:
            raise InputError(f"dataset '{name}' is of the domain {domain}, not of {section}; run it there")
    return found


def paper_grid(section: str, datasets: Sequence[str]) -> list[RunSpec]:
    """What the authors ran on a dataset of a section's domain, on the datasets given, whatever their domain."""
    return _paper_grid(list(datasets), **STUDIES[section].paper)


def specs(section: str, profile: str, datasets: str | Sequence[str] = ()) -> list[RunSpec]:
    """All runs of a section at a profile, on the profile's datasets or on those given.

    The sections are the domains: symbolic, tabular, vision, text, audio. The datasets are names in a list, or in a text with
    blanks or commas between them. Raises `InputError` for an unknown section, profile or dataset, and for a dataset of another
    domain.
    """
    study = STUDIES[choose("section", section, STUDIES)]
    chosen = _named(section, datasets)
    if choose("profile", profile, PROFILES) == "paper":
        return paper_grid(section, chosen or PAPER_DATASETS[section])
    small = profile == "smoke"
    common = {
        "dataset": chosen or study.datasets[profile],
        "epochs": study.epochs[profile],
        "seed": SEEDS[:2] if small else SEEDS,
        "lr": FAIR_LRS[:1] if small else FAIR_LRS,
    }
    kan, mlp = (study.kan[:2], study.mlp[:4]) if small else (study.kan, study.mlp)
    return [
        *(s for g, ends in study.splines for s in grid(model="KAN", widths=kan, grid=g, grid_range=ends, **common)),
        *grid(model="MLP", widths=mlp, activation=study.activation, **common),
    ]
