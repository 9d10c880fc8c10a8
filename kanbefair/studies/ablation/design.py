"""What makes a KAN differ from an MLP, one change at a time and at equal numbers of trainable values.

A *variant* is a network that differs from the plain MLP or the plain KAN in one thing; `CHANGES` lists them. Each has the
width at which its number of trainable values comes nearest to that of the plain KAN. The embedding of a text is the same
for all. The effect of a change is the score with it minus the score without it, seed by seed: points of accuracy, or
log10 of the ratio of the errors. It is positive where the change helps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas

from kanbefair.data import load
from kanbefair.data.available import some_available
from kanbefair.data.registry import dataset
from kanbefair.errors import choose
from kanbefair.models.matching import matched, trainable_values
from kanbefair.report.tables import PROFILES
from kanbefair.specs import RunSpec
from kanbefair.studies.domains.design import REAL, SEEDS, SMOOTH, on_range
from kanbefair.training.learned_splines import DrawnSpec

CURVES = {
    "KAN, silu shortcut": {"model": "KAN"},
    "KAN, identity shortcut": {"model": "KAN", "shortcut": "identity"},
    "KAN layers only": {"model": "KAN", "shortcut": "zero"},
    "MLP": {"model": "MLP"},
    "BSpline_MLP": {"model": "BSpline_MLP"},
    "BSpline_First_MLP": {"model": "BSpline_First_MLP"},
}
"""The lines of the paper's ablation figure, in its order, and the fields of their runs."""

BASES = {"MLP": "MLP", "KAN": "KAN, silu shortcut"}
"""The two ends of the comparison and their variants."""

SPLINE_MLPS = ("BSpline_MLP", "BSpline_First_MLP")
"""The curves of MLPs with splines, which claims 2 and 3 (docs/protocol.md: Claims) are about."""


@dataclass(frozen=True)
class Change:
    """One change of a base.

    Args:
        base: "MLP" or "KAN".
        factor: what kind of change it is; "everything" for the other base in this one's place.
        change: what is changed.
        fields: the fields of the variant's runs, and `stretch`, by which the grid's range is multiplied.
    """

    base: str
    factor: str
    change: str
    fields: dict[str, object]

    @property
    def variant(self) -> str:
        """The name of the changed network among all variants."""
        return f"{self.base}: {self.change}"


_AFTER, _BEFORE = {"model": "BSpline_MLP"}, {"model": "BSpline_First_MLP"}
_MLP, _KAN = {"model": "MLP"}, {"model": "KAN"}

CHANGES = [
    Change("MLP", "everything", "KAN", _KAN),
    Change("MLP", "learned activation", "spline after the map", _AFTER),
    Change("MLP", "learned activation", "spline before the map", _BEFORE),
    Change("MLP", "learned activation", "polynomial, degree 2", _MLP | {"activation": "polynomial2"}),
    Change("MLP", "learned activation", "polynomial, degree 3", _MLP | {"activation": "polynomial3"}),
    Change("MLP", "fixed activation", "gelu for relu", _MLP | {"activation": "gelu"}),
    Change("MLP", "fixed activation", "silu for relu", _MLP | {"activation": "silu"}),
    Change("MLP", "normalisation", "batch norm", _MLP | {"batch_norm": True}),
    Change("MLP", "bias", "no bias", _MLP | {"without": ("bias",)}),
    Change("KAN", "everything", "MLP", _MLP),
    Change("KAN", "splines", "splines per unit, after the map", _AFTER),
    Change("KAN", "splines", "splines per unit, before the map", _BEFORE),
    Change("KAN", "splines", "fixed silu for splines", _MLP | {"activation": "silu"}),
    Change("KAN", "shortcut", "identity shortcut", _KAN | {"shortcut": "identity"}),
    Change("KAN", "shortcut", "no shortcut", _KAN | {"shortcut": "zero"}),
    Change("KAN", "grid size", "G = 3 for 5", _KAN | {"grid": 3}),
    Change("KAN", "grid size", "G = 20 for 5", _KAN | {"grid": 20}),
    Change("KAN", "order", "K = 2 for 3", _KAN | {"order": 2}),
    Change("KAN", "order", "K = 5 for 3", _KAN | {"order": 5}),
    Change("KAN", "grid range", "half the range", _KAN | {"stretch": 0.5}),
    Change("KAN", "grid range", "twice the range", _KAN | {"stretch": 2.0}),
    Change("KAN", "scale", "no spline scale", _KAN | {"without": ("scale",)}),
    Change("KAN", "bias", "no bias", _KAN | {"without": ("bias",)}),
]


@dataclass(frozen=True)
class Setting:
    """How the networks of one domain are built and trained.

    Args:
        depth: number of hidden layers.
        epochs: epochs at each profile.
        reach: the grid goes from −reach to reach.
        lrs: three learning rates. Every variant is tried with the first (`smoke`), the first two (`embedded`) or the last
            two (`paper`). Of 0.1, 0.03, 0.01, 0.003 and 0.001 the first two were the best for KAN, MLP and the spline MLPs
            on one or two embedded datasets of the domain.
        sizes: widths of the plain KAN, one for each budget. The changes are tried at the last one.
    """

    depth: int
    epochs: dict[str, int]
    reach: float
    lrs: tuple[float, float, float] = (1e-2, 3e-3, 1e-3)
    sizes: tuple[int, ...] = (2, 4, 8)


SETTINGS = {
    "symbolic": Setting(2, {"smoke": 3, "embedded": 30, "paper": 500}, 1.0, (3e-2, 1e-2, 3e-3), (4, 8)),
    "tabular": Setting(1, {"smoke": 3, "embedded": 40, "paper": 3}, 2.0),
    "vision": Setting(1, {"smoke": 2, "embedded": 12, "paper": 2}, 2.0),
    "text": Setting(2, {"smoke": 1, "embedded": 5, "paper": 10}, 1.0, sizes=(8,)),
    "audio": Setting(1, {"smoke": 1, "embedded": 6, "paper": 10}, 2.0),
}

EMBEDDED = [*SMOOTH, "WineRecognition", "BreastCancer", "Digits", "Docstrings", "SpokenDigitsMel"]


PUBLISHED_TOPS = pandas.DataFrame(
    [("MNIST", 98.3, 98.2), ("FMNIST", 89.85, 89.55), ("Income", 85.93, 86.19), ("Bank", 90.69, 90.77)],
    columns=["dataset", "BSpline_MLP", "BSpline_First_MLP"],
)
"""The highest points of two curves of the paper's ablation figure, read off it, in percent (docs/protocol.md: Claims)."""


@dataclass(frozen=True)
class Try:
    """One run and its place in the study.

    Args:
        variant: one of `CURVES`, or of the variants of `CHANGES`.
        size: width of the plain KAN that gives the budget.
        focus: whether this is the budget at which all changes are tried.
        spec: the run.
    """

    variant: str
    size: int
    focus: bool
    spec: RunSpec


def tries(profile: str, data_dir: str = "") -> list[Try]:
    """All runs of the study at a profile; a run with several places is listed once for each.

    `paper` takes those of `REAL` that lie in the data folder. Raises `InputError` for an unknown profile, or if none does.
    """
    small = choose("profile", profile, PROFILES) == "smoke"
    datasets = {"smoke": ["Special_ellipkinc", "WineRecognition"], "embedded": EMBEDDED}.get(profile)
    seeds = SEEDS[:2] if small else SEEDS
    rates = {"smoke": slice(1), "embedded": slice(2), "paper": slice(1, 3)}[profile]
    found = []
    for name in datasets or some_available(REAL, data_dir, protocol="fair"):
        task, setting = load(name, data_dir or None), SETTINGS[dataset(name).domain]
        sizes = setting.sizes[-2:] if small else setting.sizes
        for size in sizes:
            focus = size == sizes[-1]
            variants = CURVES | ({change.variant: change.fields for change in CHANGES} if focus else {})
            common = {"dataset": name, "widths": (size,) * setting.depth, "epochs": setting.epochs[profile]}
            budget = trainable_values(variant_spec(CURVES[BASES["KAN"]], setting.reach, **common), task)
            for variant, fields in variants.items():
                spec = matched(variant_spec(fields, setting.reach, **common), task, budget)
                specs = [replace(spec, seed=seed, lr=lr) for seed in seeds for lr in setting.lrs[rates]]
                found += [Try(variant, size, focus, spec) for spec in specs]
    return found


def variant_spec(fields: dict[str, object], reach: float, **common: object) -> RunSpec:
    """A run of a variant on a grid from −reach to reach, times the variant's `stretch`."""
    own = {name: value for name, value in fields.items() if name != "stretch"}
    return RunSpec(**on_range(own, reach * fields.get("stretch", 1.0)), **common)


def drawn(tried: Sequence[Try]) -> list[DrawnSpec]:
    """Runs whose learned splines are drawn: KAN and BSpline_MLP at the focus budget, on up to two datasets."""
    datasets = list(dict.fromkeys(t.spec.dataset for t in tried))
    shown = [name for name in datasets if name in ("Special_ellipkinc", "Digits", "FMNIST", "Income")][:2] or datasets[:1]
    found = []
    for name in shown:
        for variant in (BASES["KAN"], "BSpline_MLP"):
            spec = next(t.spec for t in tried if t.spec.dataset == name and t.variant == variant and t.focus)
            found.append(DrawnSpec(**spec.as_dict()))
    return found
