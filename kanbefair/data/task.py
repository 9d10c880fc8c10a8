"""`Task`: everything that a training run needs to know about its data."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor

VALIDATION_SHARE = 0.2
"""The share of the training rows that the `fair` protocol holds out for validation."""

SPLIT_SPAN = 100_000
"""How many row numbers the paper's rule splits (`index_split`)."""

PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Task:
    """Train, validation and test tensors of one dataset under one protocol.

    `name` and `domain` are the dataset's. `output_size` is the number of classes or of predicted numbers.

    Inputs `x_*` have shape (N, features), of one of three kinds:
    - float32: the network sees them as they are;
    - uint8: divided by 255, then normalised with `mean` and `std` (features,), float32, when they are used;
    - int32: the token numbers of texts, (N, longest text), -1 where a text has ended. `vocabulary_size` is the number
      of different tokens, and None for other inputs.

    Targets `y_*` depend on `metric`:
    - "accuracy": int64 class numbers (N,);
    - "mae": float32 (N, outputs), or (S, N, outputs) where each of the S runs of a stack has its own (`together`).

    The `published` protocol has no validation part: `x_valid` and `y_valid` then have no rows.
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
        """Inputs and targets of `part`: "train", "valid" or "test"."""
        return getattr(self, f"x_{part}"), getattr(self, f"y_{part}")

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of all that a run sees of the data: equal for equal tensors, sizes and metric."""
        digest = hashlib.sha256(f"{self.metric} {self.output_size} {self.vocabulary_size}".encode())
        for name, tensor in vars(self).items():
            if isinstance(tensor, Tensor):
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()[:16]

    def inputs(self, x: Tensor) -> Tensor:
        """What the network sees of `x`, some rows of `x_*`.

        uint8 inputs come scaled and normalised, as float32. Texts come without the columns in which all have ended.
        """
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
    """One task for a stack of S runs, in which run s learns the targets of `tasks[s]`.

    If all are the same object, it is returned. Different tasks are joined if they predict numbers and have equal
    inputs; the targets are then (S, N, outputs). In all other cases None is returned.
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
    """The targets of a batch of B rows, for one run or for S runs.

    `y` is (N,) or (N, outputs) if all runs share the targets, and (S, N, outputs) if each run has its own. `rows` are
    row numbers: (B,) if all runs share them, else (S, B). The result is (B, …) if both are shared, else (S, B, …).
    """
    if y.dim() < 3:
        return y[rows]
    return y[:, rows] if rows.dim() == 1 else y[torch.arange(len(y), device=y.device).unsqueeze(1), rows]


def validation_split(y_train: Tensor) -> tuple[Tensor, Tensor]:
    """Row numbers (fit, valid), sorted int64, of the training rows with targets `y_train`.

    "valid" is a share `VALIDATION_SHARE`, the same rows at every call. If `y_train` are class numbers and each class
    has at least two rows, classes are held out in proportion.
    """
    rows = numpy.arange(len(y_train))
    labels = y_train.numpy() if y_train.dtype == torch.int64 else None
    if labels is not None and numpy.bincount(labels)[numpy.unique(labels)].min() < 2:
        labels = None
    fit, valid = train_test_split(rows, test_size=VALIDATION_SHARE, random_state=0, stratify=labels)
    return torch.from_numpy(numpy.sort(fit)), torch.from_numpy(numpy.sort(valid))


def index_split(rows: int, span: int = SPLIT_SPAN) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Row numbers (train, test) by the paper's rule for sets without a split of their own (docs/protocol.md, Datasets).

    The numbers below `span` are split 4 to 1 in a fixed random order. A set of `rows` rows keeps the numbers that it
    has; rows from number `span` on are in neither part.
    """
    train, test = train_test_split(numpy.arange(span), test_size=0.2, random_state=42)
    return train[train < rows], test[test < rows]


def feature_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each column of x (N, features), 1 where a column is constant: float64 (features,)."""
    scaler = StandardScaler().fit(x.numpy())
    return torch.from_numpy(scaler.mean_), torch.from_numpy(scaler.scale_)


def overall_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """One mean and one standard deviation for all values of x, as the paper normalises images: two tensors ()."""
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
    """Build a `Task` from a train and a test part, each a pair of inputs and targets as in `Task`.

    Under the protocol `fair` a validation part is held out of the train part (`validation_split`). `moments` gives the
    mean and the standard deviation to normalise all parts with (`feature_moments`). It sees only the rows that are
    trained on, as float64. Without it inputs stay as they are.

    `fields` are further fields of `Task`. The default of `metric` is "accuracy" for int64 targets, else "mae". The
    default of `output_size` is the number of classes or of target columns.
    """
    x, y = train
    x_test, y_test = test
    fit, valid = validation_split(y) if protocol == "fair" else (torch.arange(len(y)), torch.arange(0))
    if moments is not None:
        mean, std = moments(x[fit].double())
        x = ((x - mean) / std).float()
        x_test = ((x_test - mean) / std).float()
    classification = y.dtype == torch.int64
    fields.setdefault("metric", "accuracy" if classification else "mae")
    fields.setdefault("output_size", int(max(y.max(), y_test.max())) + 1 if classification else y.shape[1])
    return Task(
        name=name,
        domain=domain,
        x_train=x[fit],
        y_train=y[fit],
        x_valid=x[valid],
        y_valid=y[valid],
        x_test=x_test,
        y_test=y_test,
        **fields,
    )
