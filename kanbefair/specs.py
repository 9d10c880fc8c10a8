"""`RunSpec`: everything that decides the outcome of one training run."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, lru_cache, partial
from typing import ClassVar

import numpy

from kanbefair.errors import InputError, choose
from kanbefair.values import above_zero, named, number, refusal, several, truth, whole, zero_or_above

ACTIVATIONS = (
    "relu",
    "square_relu",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "identity",
    "polynomial2",
    "polynomial3",
    "polynomial5",
)
SHORTCUTS = ("silu", "identity", "zero")
OPTIMIZERS = ("adam", "lbfgs", "sgd")
LOSSES = ("cross_entropy", "mse")
PROTOCOLS = ("published", "fair")
SCHEDULES = ("constant", "cosine")
SELECTIONS = ("metric", "rmse")
STARTS = ("paper", "pykan", "power_law")
"""How a KAN's values start (`spline_layers.KANLinear`)."""

SPLINE_FIELDS = {"grid": 5, "order": 3, "grid_range": (-1.0, 1.0)}
"""The fields of every model with splines, with their defaults."""
MODEL_FIELDS: dict[str, dict[str, object]] = {}
"""The fields that each model reads, with their defaults; for a spec of that model all other fields are None.

`models.register` fills it.
"""

OPTIONAL_FIELDS = (
    "activation",
    "batch_norm",
    "layer_norm",
    "dropout",
    "gain",
    "grid",
    "order",
    "shortcut",
    "grid_range",
    "start",
    "without",
    "options",
)
"""The fields that some models read and others do not."""
NEUTRAL = {
    "batch_norm": False,
    "layer_norm": False,
    "dropout": 0.0,
    "gain": 1.0,
    "start": "paper",
    "weight_decay": 0.0,
    "schedule": "constant",
    "division": 0,
    "blind": False,
    "selection": "metric",
}
"""Values that say the same as None, which is kept instead where it is the default: keys of runs are older than these fields."""
REMOVABLE: dict[str, tuple[str, ...]] = {}
"""The parts that `without` can take from each model; `models.register` fills it."""


MOST_GRID = 2**24
"""No range has more steps in float32, in which networks are trained."""
MOST_ORDER = 100
"""Up to here splines were compared with scipy's; the time of a step grows with the order."""
Check = Callable[[str, object], object]
"""Takes a field's name and value; returns the value as it is kept, or raises `InputError`."""


def one_of(allowed: Iterable[str]) -> Check:
    """The check that a value is one of the names `allowed`."""
    return lambda name, value: choose(name.replace("_", " "), value, allowed)


def _widths(name: str, value: object) -> tuple[int, ...]:
    return several(name, value, whole, "layer width")


def _parts(name: str, value: object) -> tuple[str, ...]:
    return several(name, value, named, "part to leave out")


def _dropout(name: str, value: object) -> float:
    if not 0 <= zero_or_above(name, value) < 1:
        raise InputError(f"{name} is {value}; it is the share of values that are left out, from 0 to below 1")
    return float(value)


def _options(name: str, value: object) -> tuple[tuple[str, object], ...]:
    """A family's own hyper-parameters as pairs of name and value, sorted by name."""
    try:
        return tuple(sorted(dict(value).items()))
    except (TypeError, ValueError):
        raise refusal(name, value, "a dictionary of a family's own hyper-parameters") from None


_CHECK_OF_TYPE = {bool: truth, int: whole, float: number, str: named}


def _complete(model: str, given: Iterable[tuple[str, object]], defaults: Mapping[str, object]) -> tuple:
    """The options that are `given`, each of the type of its default, and the defaults of the others."""
    found = dict(defaults)
    for name, value in given:
        choose(f"option of {model}", name, defaults)
        found[name] = _CHECK_OF_TYPE[type(defaults[name])](f"option {name}", value)
    return tuple(sorted(found.items()))


def _ends(name: str, value: object) -> tuple[float, float]:
    ends = several(name, value, number, "end of the grid range")
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise InputError(f"grid range is {list(ends)}; it needs two ends, the first below the second")
    return ends


@lru_cache
def _has_steps(ends: tuple[float, float], grid: int) -> bool:
    """Whether a grid on this range has steps that float32 can tell apart, and a step that it can divide by."""
    with numpy.errstate(all="ignore"):
        low, high = numpy.float32(ends)
        step = (high - low) / numpy.float32(grid)
        return step >= numpy.spacing(max(-low, high)) and 0 < 1 / step < numpy.inf


@cache
def _optional(kind: type) -> set[str]:
    """The fields that may be None."""
    return {f.name for f in fields(kind) if f.default is None}


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One training run. Fields that the model does not read are set to None, so that equal runs have equal keys.

    Args:
        dataset: a registered dataset; its name is checked when it is loaded.
        model: a registered family of networks.
        widths: the hidden layers' widths.
        protocol: "published" or "fair" (docs/protocol.md).
        seed: of initial values and batches.
        epochs, batch_size: passes over the training rows, and rows of a step.
        lr: learning rate.
        optimizer: "adam", "sgd" or "lbfgs".
        loss: "cross_entropy" or "mse"; None: the former for classes, the latter for numbers.
        weight_decay: share by which values shrink in a step, in units of the learning rate (decoupled, as in AdamW).
        schedule: of the learning rate: "constant", or "cosine": half a cosine wave over the epochs, towards 0.
        division: which division of the rows that are not tested on into training and validation (`data.load`).
        rows: so many of the training rows are trained on, the first of a fixed random order; None: all.
        blind: leave the test part unread: the record then has no figure of it.
        selection: the figure by which epochs are best: the "metric", or, where targets are numbers, "rmse".
        activation: of MLPs.
        batch_norm, layer_norm: normalise what each hidden layer hands on.
        dropout: the share of hidden values that a training step leaves out.
        gain: factor of the initial weights.
        grid, order, grid_range: of splines: number of grid intervals G, polynomial order K, the grid's two ends.
        shortcut: of KANs.
        start: how a KAN's values start: "paper", "pykan" (version 0.2.8) or "power_law" (arXiv 2509.03417).
        embedding: width of a text's embedding; None: that of the first hidden layer.
        options: a family's own hyper-parameters, a dictionary by name (`models.register`); kept as pairs.
        without: the parts that are left out: "bias" and, of a KAN, "scale", the factor of each spline.

    Raises `InputError` for a value that is not allowed.
    """

    least_hidden: ClassVar[int] = 1
    checks: ClassVar[dict[str, Check]] = {
        "dataset": named,
        "model": one_of(MODEL_FIELDS),
        "widths": _widths,
        "protocol": one_of(PROTOCOLS),
        "seed": partial(whole, least=0, most=2**32 - 1),
        "epochs": whole,
        "batch_size": whole,
        "lr": above_zero,
        "optimizer": one_of(OPTIMIZERS),
        "loss": one_of(LOSSES),
        "weight_decay": zero_or_above,
        "schedule": one_of(SCHEDULES),
        "division": partial(whole, least=0, most=999),
        "rows": whole,
        "blind": truth,
        "selection": one_of(SELECTIONS),
        "activation": one_of(ACTIVATIONS),
        "batch_norm": truth,
        "layer_norm": truth,
        "dropout": _dropout,
        "gain": above_zero,
        "grid": partial(whole, most=MOST_GRID),
        "order": partial(whole, most=MOST_ORDER),
        "shortcut": one_of(SHORTCUTS),
        "grid_range": _ends,
        "start": one_of(STARTS),
        "without": _parts,
        "embedding": whole,
        "options": _options,
    }
    """The check of each field; those that may be None are not checked where they are."""

    dataset: str
    model: str
    widths: tuple[int, ...]
    protocol: str = "fair"
    seed: int = 1314
    epochs: int = 20
    batch_size: int = 128
    lr: float = 1e-3
    optimizer: str = "adam"
    loss: str | None = None
    weight_decay: float | None = None
    schedule: str | None = None
    division: int | None = None
    rows: int | None = None
    blind: bool | None = None
    selection: str | None = None
    activation: str | None = None
    batch_norm: bool | None = None
    layer_norm: bool | None = None
    dropout: float | None = None
    gain: float | None = None
    grid: int | None = None
    order: int | None = None
    shortcut: str | None = None
    grid_range: tuple[float, float] | None = None
    start: str | None = None
    without: tuple[str, ...] | None = None
    embedding: int | None = None
    options: tuple[tuple[str, object], ...] | None = None
    key: str = field(init=False, compare=False, repr=False, default="")

    def __post_init__(self) -> None:
        own = MODEL_FIELDS[choose("model", self.model, MODEL_FIELDS)]
        may_be_none = _optional(type(self))
        for name, check in self.checks.items():
            value = getattr(self, name)
            if value is None:
                value = own.get(name)
            if value is not None or name not in may_be_none:
                value = check(name, value)
            unread = name in OPTIONAL_FIELDS and name not in own
            neutral = name in NEUTRAL and value == NEUTRAL[name] and own.get(name) is None
            self._set(name, None if unread or neutral else value)
        self._check()
        text = json.dumps(self.as_dict(), sort_keys=True)
        self._set("key", hashlib.sha256(text.encode()).hexdigest()[:16])

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check(self) -> None:
        """Raise `InputError` if values do not go together."""
        if len(self.widths) < self.least_hidden:
            raise InputError("widths is empty; give the width of at least one hidden layer")
        for part in self.without or ():
            choose("part to leave out", part, REMOVABLE[self.model])
        self._set("without", tuple(sorted(set(self.without or ()))) or None)
        if self.options is not None:
            self._set("options", _complete(self.model, self.options, MODEL_FIELDS[self.model]["options"]))
        if self.optimizer == "lbfgs" and (self.weight_decay or self.schedule):
            raise InputError("LBFGS searches its steps and knows no weight_decay and no schedule; leave them out")
        if self.blind and self.protocol == "published":
            raise InputError("a blind run leaves the test part unread, by which 'published' chooses epochs; use 'fair'")
        if self.batch_norm and self.layer_norm:
            raise InputError("batch_norm and layer_norm are both True; a layer is normalised in one way, so choose one")
        if self.grid_range is not None and not _has_steps(self.grid_range, self.grid or 1):
            raise InputError(
                f"grid range is {list(self.grid_range)}, where a grid of {self.grid} has no steps that float32 tells "
                "apart; take ends that lie further apart and within 1e38 of 0"
            )

    @property
    def total_epochs(self) -> int:
        """Passes over training rows that the whole run makes."""
        return self.epochs

    def check_task(self, task: object) -> None:
        """Raise `InputError` if the run cannot be made on the dataset `task`."""
        numbers = task.metric != "accuracy"
        if self.loss == "cross_entropy" and numbers:
            raise InputError(f"loss 'cross_entropy' needs classes, but {task.name} has numbers as targets; use 'mse'")
        if self.selection == "rmse" and not numbers:
            raise InputError(f"selection 'rmse' needs numbers as targets, but {task.name} has classes; use 'metric'")
        if self.embedding is not None and task.vocabulary_size is None:
            raise InputError(f"embedding is {self.embedding}, but {task.name} has no texts; leave it out")

    def as_dict(self) -> dict[str, object]:
        """The fields that are not None, as plain values: what the key is made of."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> "RunSpec":
        """The spec whose `as_dict` gives `values`; other entries of `values` are ignored."""
        known = {f.name for f in fields(cls) if f.init}
        return cls(**{name: value for name, value in values.items() if name in known})

    def stack_key(self) -> tuple:
        """Runs with equal stack keys can train as one stack.

        They may differ in learning rate, in grid range, in whether a KAN has a silu shortcut or none and, where data and
        batches do not depend on it, in the seed. Datasets with the same inputs may also differ (`sweep.plan`).
        """
        ends = None if self.grid_range is None else (-1.0, 1.0)
        shortcut = "silu" if self.shortcut == "zero" else self.shortcut
        shared = replace(self, lr=1.0, grid_range=ends, shortcut=shortcut).as_dict()
        free = {"dataset"} if self.protocol == "published" else {"dataset", "seed"}
        kind = ("kind", type(self).__name__)
        return kind, *((name, value) for name, value in shared.items() if name not in free)


def at_least_one(specs: Sequence[RunSpec]) -> Sequence[RunSpec]:
    """`specs`; `InputError` if they are not a list or tuple of at least one spec."""
    if not isinstance(specs, list | tuple) or not specs or not all(isinstance(spec, RunSpec) for spec in specs):
        raise refusal("the argument specs", specs, "a list of at least one RunSpec")
    return specs


def grid(**choices: object) -> list[RunSpec]:
    """All specs that combine the given choices: a list, range or array of values is varied, everything else is held fixed.

    >>> [spec.lr for spec in grid(dataset="Digits", model="MLP", widths=(8,), lr=[1e-2, 1e-3])]
    [0.01, 0.001]
    """
    varied = {name: value if isinstance(value, list | range | numpy.ndarray) else [value] for name, value in choices.items()}
    combined: Iterable[tuple] = itertools.product(*varied.values())
    return [RunSpec(**dict(zip(varied, values, strict=True))) for values in combined]
