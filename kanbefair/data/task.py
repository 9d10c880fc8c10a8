"""`Task`: everything that a training run needs to know about its data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor

VALIDATION_SHARE = 0.2
SPLIT_SPAN = 100_000
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Task:
    """Train, validation and test tensors of one dataset under one protocol.

    Inputs `x_*` have shape (N, features), float32; uint8 inputs are scaled to [0, 1] and then by `mean` and `std` when
    they are used; text inputs are int32 token numbers (N, longest text), -1 where a text has ended. Targets `y_*` are
    int64 class numbers (N,) when `metric` is "accuracy", float32 (N, outputs) when it is "mae"; (S, N, outputs) where each
    run of a stack has targets of its own (`together`). The `published` protocol has no validation part: `x_valid` and
    `y_valid` then have no rows.
    """

    name: str
    domain: str
    metric: str
    output_size: int
    x_train: Tensor
    y_train: Tensor
    x_valid: Tensor
    y_valid: Tensor
    x_test: Tensor
    y_test: Tensor
    vocabulary_size: int | None = None
    mean: Tensor | None = None
    std: Tensor | None = None

    @property
    def input_size(self) -> int:
        """Number of input features; for text the size of the vocabulary."""
        return self.vocabulary_size if self.vocabulary_size is not None else self.x_train.shape[1]

    @property
    def parts(self) -> list[str]:
        """The parts that have rows, in order."""
        return [part for part in PARTS if len(self.part(part)[0])]

    def part(self, part: str) -> tuple[Tensor, Tensor]:
        """Inputs and targets of "train", "valid" or "test"."""
        return getattr(self, f"x_{part}"), getattr(self, f"y_{part}")

    def inputs(self, x: Tensor) -> Tensor:
        """What the network sees of rows of `x_*`: uint8 scaled and normalised, texts cut to the longest of the rows."""
        if x.dtype == torch.int32:
            return x[..., : max(int((x >= 0).sum(-1).max()), 1)]
        if x.dtype != torch.uint8:
            return x
        x = x.float().div_(255)
        return x if self.mean is None else x.sub_(self.mean.to(x.device)).div_(self.std.to(x.device))

    def to(self, device: torch.device | str) -> "Task":
        """The same task with its tensors on `device`."""
        moved = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in vars(self).items()}
        return Task(**moved)


def together(tasks: Sequence[Task]) -> Task | None:
    """One task for a stack of runs, run s learning what `tasks[s]` asks; None where inputs or kinds of target differ.

    Tasks of numbers get targets (S, N, outputs). Of classes only the very same task can be shared.
    """
    first = tasks[0]
    if all(task is first for task in tasks):
        return first
    kinds = {(task.domain, task.metric, task.output_size, task.x_train.dtype) for task in tasks}
    inputs = [all(torch.equal(task.part(part)[0], first.part(part)[0]) for part in PARTS) for task in set(tasks)]
    if first.metric != "mae" or len(kinds) > 1 or not all(inputs):
        return None
    return replace(first, **{f"y_{part}": torch.stack([task.part(part)[1] for task in tasks]) for part in PARTS})


def targets_at(y: Tensor, rows: Tensor) -> Tensor:
    """Targets of the row numbers (B,) or (S, B): (B, …) or (S, B, …), from y (N, …) or, a target per run, (S, N, outputs)."""
    if y.dim() < 3:
        return y[rows]
    return y[:, rows] if rows.dim() == 1 else y[torch.arange(len(y), device=y.device).unsqueeze(1), rows]


def validation_split(y_train: Tensor) -> tuple[Tensor, Tensor]:
    """Row numbers (fit, valid) that hold out `VALIDATION_SHARE` of the training rows, always the same ones.

    Classes are held out in proportion where each has at least two rows.
    """
    rows = numpy.arange(len(y_train))
    labels = y_train.numpy() if y_train.dtype == torch.int64 else None
    if labels is not None and numpy.bincount(labels)[numpy.unique(labels)].min() < 2:
        labels = None
    fit, valid = train_test_split(rows, test_size=VALIDATION_SHARE, random_state=0, stratify=labels)
    return torch.from_numpy(numpy.sort(fit)), torch.from_numpy(numpy.sort(valid))


def index_split(rows: int, span: int = SPLIT_SPAN) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Row numbers (train, test) by the paper's rule for sets without a split of their own: the numbers below `span` are split
    4 to 1 in a fixed random order, and those that the set has are kept (protocol.md: Datasets)."""
    train, test = train_test_split(numpy.arange(span), test_size=0.2, random_state=42)
    return train[train < rows], test[test < rows]


def feature_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each column of x (N, features), 1 where a column is constant: float64 (features,)."""
    scaler = StandardScaler().fit(x.numpy())
    return torch.from_numpy(scaler.mean_), torch.from_numpy(scaler.scale_)


def overall_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """One mean and one standard deviation for all values, as the paper normalises images."""
    return x.mean(), x.std(correction=0)


def make_task(
    name: str,
    domain: str,
    protocol: str,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    moments: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
    **fields,
) -> Task:
    """Build a `Task` from a train and a test part; under the `fair` protocol a validation part is held out of train.

    `moments` gives the mean and standard deviation to normalise with; it is shown only the rows that are trained on.
    `fields` are further fields of `Task`; `metric` defaults to accuracy for int64 targets, else to mean absolute error.
    """
    x, y = train
    fit, valid = validation_split(y) if protocol == "fair" else (torch.arange(len(y)), torch.arange(0))
    if moments is not None:
        mean, std = moments(x[fit].double())
        x, test = ((x - mean) / std).float(), (((test[0] - mean) / std).float(), test[1])
    classification = y.dtype == torch.int64
    fields.setdefault("metric", "accuracy" if classification else "mae")
    fields.setdefault("output_size", int(max(y.max(), test[1].max())) + 1 if classification else y.shape[1])
    return Task(
        name=name,
        domain=domain,
        x_train=x[fit],
        y_train=y[fit],
        x_valid=x[valid],
        y_valid=y[valid],
        x_test=test[0],
        y_test=test[1],
        **fields,
    )
