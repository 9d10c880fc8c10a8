"""What makes a KAN differ from an MLP, one change at a time and at equal numbers of trainable values.

A *variant* is a network that differs from the plain MLP or the plain KAN in one thing; `CHANGES` lists them. Each is given
the width that makes its trainable values come nearest to those of the plain KAN (a text's embedding not counted). The
effect of a change is the score with it minus the score without it, seed by seed: points of accuracy, or log10 of the
ratio of the errors, positive where the change helps.
"""

import dataclasses
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import pandas

from kanbefair import complexity, stats
from kanbefair.data import Task, load
from kanbefair.data.registry import data_folder, dataset
from kanbefair.data.tabular import TABLES
from kanbefair.data.vision import IMAGES
from kanbefair.errors import InputError, choose
from kanbefair.outputs import PROFILES
from kanbefair.specs import MODEL_FIELDS, RunSpec
from kanbefair.studies import SMOOTH

CURVES = {
    "KAN, silu shortcut": {"model": "KAN"},
    "KAN, identity shortcut": {"model": "KAN", "shortcut": "identity"},
    "KAN layers only": {"model": "KAN", "shortcut": "zero"},
    "MLP": {"model": "MLP"},
    "BSpline_MLP": {"model": "BSpline_MLP"},
    "BSpline_First_MLP": {"model": "BSpline_First_MLP"},
}
"""The lines of the paper's figure, in its order."""

BASES = {"MLP": "MLP", "KAN": "KAN, silu shortcut"}
"""The two ends of the comparison and their variants."""


@dataclass(frozen=True)
class Change:
    """One change of a base ("MLP" or "KAN"): the factor that it belongs to and the variant's fields."""

    base: str
    factor: str
    variant: str
    fields: dict[str, object]


def _changes() -> list[Change]:
    after, before = {"model": "BSpline_MLP"}, {"model": "BSpline_First_MLP"}
    mlp, kan = {"model": "MLP"}, {"model": "KAN"}
    rows = [
        ("MLP", "everything", "KAN", kan),
        ("MLP", "learned activation", "spline after the map", after),
        ("MLP", "learned activation", "spline before the map", before),
        *(("MLP", "learned activation", f"polynomial, degree {n}", mlp | {"activation": f"polynomial{n}"}) for n in (2, 3)),
        *(("MLP", "fixed activation", f"{name} for relu", mlp | {"activation": name}) for name in ("gelu", "silu")),
        ("MLP", "normalisation", "batch norm", mlp | {"batch_norm": True}),
        ("MLP", "bias", "no bias", mlp | {"without": ("bias",)}),
        ("KAN", "everything", "MLP", mlp),
        ("KAN", "splines", "one per unit, after the map", after),
        ("KAN", "splines", "one per unit, before the map", before),
        ("KAN", "splines", "fixed silu for splines", mlp | {"activation": "silu"}),
        ("KAN", "shortcut", "identity shortcut", kan | {"shortcut": "identity"}),
        ("KAN", "shortcut", "no shortcut", kan | {"shortcut": "zero"}),
        *(("KAN", "grid size", f"G = {g} for 5", kan | {"grid": g}) for g in (3, 20)),
        *(("KAN", "order", f"K = {k} for 3", kan | {"order": k}) for k in (2, 5)),
        ("KAN", "grid range", "half the range", kan | {"stretch": 0.5}),
        ("KAN", "grid range", "twice the range", kan | {"stretch": 2.0}),
        ("KAN", "scale", "no spline scale", kan | {"without": ("scale",)}),
        ("KAN", "bias", "no bias", kan | {"without": ("bias",)}),
    ]  # fmt: skip
    return [Change(*row) for row in rows]


CHANGES = _changes()


@dataclass(frozen=True)
class Setting:
    """How the networks of one domain are built and trained: hidden layers, epochs per profile, and the grid's half width;
    `sizes` are the widths of the plain KAN that give the budgets, the last of which is that of the changes."""

    depth: int
    epochs: dict[str, int]
    reach: float
    sizes: tuple[int, ...] = (2, 4, 8)


SETTINGS = {
    "symbolic": Setting(2, {"smoke": 3, "embedded": 120, "paper": 500}, 1.0, (4, 8)),
    "tabular": Setting(1, {"smoke": 3, "embedded": 100, "paper": 10}, 2.0),
    "vision": Setting(1, {"smoke": 2, "embedded": 30, "paper": 10}, 2.0),
    "text": Setting(1, {"smoke": 1, "embedded": 10, "paper": 10}, 1.0),
    "audio": Setting(1, {"smoke": 1, "embedded": 15, "paper": 10}, 2.0),
}

EMBEDDED = [*SMOOTH, "WineRecognition", "BreastCancer", "Digits", "Docstrings", "SpokenDigitsMel"]
REAL = ["MNIST", "FMNIST", "Income", "Bank"]
"""The datasets of the paper's figure."""

PUBLISHED_TOPS = pandas.DataFrame(
    [("MNIST", 98.3, 98.2), ("FMNIST", 89.85, 89.55), ("Income", 85.93, 86.19), ("Bank", 90.69, 90.77)],
    columns=["dataset", "BSpline_MLP", "BSpline_First_MLP"],
)
"""The highest points of two curves of the paper's ablation figure, read off it (protocol.md: Claims), in percent."""


def at_hand(names: Sequence[str], data_dir: str = "") -> list[str]:
    """Those of the vision and tabular datasets `names` whose files are in the data folder."""
    folder = data_folder(data_dir)
    places = {name: IMAGES[name].folder if name in IMAGES else f"uci/{TABLES[name].uci}.csv" for name in names}
    found = [name for name, place in places.items() if (folder / place).exists()]
    if not found:
        raise InputError(f"none of {', '.join(names)} is in '{folder}'; name another folder with data_dir / --data-dir")
    return found


def _values(fields: dict[str, object], task: Task, depth: int, width: int) -> int:
    """Trainable values of a network with `depth` hidden layers of `width`, without a text's embedding."""
    first = width if task.domain == "text" else task.input_size
    known = {f.name for f in dataclasses.fields(complexity.Shape)}
    own = {name: value for name, value in fields.items() if name in known and value is not None}
    shape = complexity.Shape(family=fields["model"], widths=(first, *[width] * depth, task.output_size), **own)
    return complexity.count(shape).live_parameters


def width_for(budget: float, fields: dict[str, object], task: Task, depth: int) -> int:
    """The width of `depth` equal hidden layers whose trainable values come nearest to `budget`, in ratio."""
    above = max(bisect_left(range(2**14), budget, lo=1, key=lambda width: _values(fields, task, depth, width)), 2)
    low, high = (_values(fields, task, depth, width) for width in (above - 1, above))
    return above - 1 if budget / low < high / budget else above


@dataclass(frozen=True)
class Try:
    """One run and the place it has in the study: a `variant` at a budget, whose KAN has width `size`; `focus` marks the
    budget at which all changes are tried."""

    variant: str
    size: int
    focus: bool
    spec: RunSpec


def _fields(given: dict[str, object], reach: float) -> dict[str, object]:
    """All fields of a variant, defaults filled in."""
    own = {name: value for name, value in given.items() if name != "stretch"}
    full = MODEL_FIELDS[own["model"]] | own
    if "grid_range" in full:
        end = reach * given.get("stretch", 1.0)
        full["grid_range"] = (-end, end)
    return full


def tries(profile: str, data_dir: str = "") -> list[Try]:
    """All runs of the study at a profile; a run that has several places is named once for each."""
    small = choose("profile", profile, PROFILES) == "smoke"
    datasets = {"smoke": ["Special_ellipkinc", "WineRecognition"], "embedded": EMBEDDED}.get(profile)
    seeds, lrs = ((1, 2), (1e-2,)) if small else ((1, 2, 3), (1e-2, 1e-3))
    found = []
    for name in datasets or at_hand(REAL, data_dir):
        task, setting = load(name, data_dir or None), SETTINGS[dataset(name).domain]
        sizes = setting.sizes[-2:] if small else setting.sizes
        for size in sizes:
            focus = size == sizes[-1]
            variants = CURVES | ({change.variant: change.fields for change in CHANGES} if focus else {})
            budget = _values(_fields(CURVES[BASES["KAN"]], setting.reach), task, setting.depth, size)
            for variant, given in variants.items():
                full = _fields(given, setting.reach)
                widths = (width_for(budget, full, task, setting.depth),) * setting.depth
                common = {"dataset": name, "widths": widths, "epochs": setting.epochs[profile]} | full
                specs = [RunSpec(seed=seed, lr=lr, **common) for seed in seeds for lr in lrs]
                found += [Try(variant, size, focus, spec) for spec in specs]
    return found


def scores(runs: pandas.DataFrame, tried: Sequence[Try]) -> pandas.DataFrame:
    """One row per dataset, variant, budget and seed: the test score of the learning rate that validation chooses.

    Columns dataset, domain, metric, variant, size, focus, seed, lr, widths, parameters (trainable values without a text's
    embedding would be `values`), score.
    """
    places = pandas.DataFrame([(t.variant, t.size, t.focus, t.spec.key) for t in tried], columns=["variant", "size", "focus", "key"])
    table = places.merge(stats.scored(runs).drop_duplicates("key"), on="key", validate="many_to_one")
    sign = numpy.where(table["metric"] == "accuracy", 1.0, -1.0)
    table = table.assign(rank=sign * table["choice"]).dropna(subset="rank")
    best = table.groupby(["dataset", "variant", "size", "seed"], sort=False)["rank"].idxmax()
    columns = ["dataset", "domain", "metric", "variant", "size", "focus", "seed", "lr", "widths", "live_parameters", "score"]
    return table.loc[best, columns].reset_index(drop=True)
