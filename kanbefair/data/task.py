"""`Task`: everything that a training run needs to know about its data."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from kanbefair.errors import InputError

VALIDATION_SHARE = 0.2
"""The share of the training rows that the `fair` protocol holds out for validation."""

SPLIT_SPAN = 100_000
"""How many row numbers the paper's rule splits (`index_split`)."""

PARTS = ("train", "valid", "test")
METRICS = ("accuracy", "mae")


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


def validation_split(y_train: Tensor, division: int = 0) -> tuple[Tensor, Tensor]:
    """Row numbers (fit, valid), sorted int64, of the training rows with targets `y_train`.

    "valid" is a share `VALIDATION_SHARE`, drawn from `division`: the same rows at every call with the same one. If
    `y_train` are class numbers, each class has at least two rows, and there are no more classes than rows held out,
    classes are held out in proportion.

    Raises `InputError` if there are fewer than two rows.
    """
    rows = numpy.arange(len(y_train))
    if len(rows) < 2:
        raise InputError(f"a validation part cannot be held out of {len(rows)} rows; give at least 2, or use 'published'")
    labels = None
    if y_train.dtype == torch.int64:
        counts = y_train.unique(return_counts=True)[1]
        held_out = math.ceil(VALIDATION_SHARE * len(rows))
        if counts.min() >= 2 and len(counts) <= min(held_out, len(rows) - held_out):
            labels = y_train.numpy()
    fit, valid = train_test_split(rows, test_size=VALIDATION_SHARE, random_state=division, stratify=labels)
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


def scaled(values: Tensor, rows: numpy.ndarray | Tensor) -> Tensor:
    """`values` (N, columns), float64, less the mean and over the standard deviation of the given `rows`: float32."""
    mean, std = feature_moments(values[rows])
    return ((values - mean) / std).float()


def overall_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """One mean and one standard deviation for all values of x, as the paper normalises images: two tensors ().

    The standard deviation is 1 if all values are the same.
    """
    return x.mean(), x.std(correction=0).where(x.amin() < x.amax(), 1)


INPUT_TYPES = (torch.float32, torch.uint8, torch.int32)


def _kind(x: Tensor) -> str:
    """Type and shape, as in "float32 (20, 3)"."""
    return f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__


def _flaw_of_part(task: Task, part: str) -> str | None:
    """What of one part is not as `Task` says, and what is allowed; None if all is right."""
    x, y = task.part(part)
    numbers = task.metric == "mae"
    if not isinstance(x, Tensor) or x.dtype not in INPUT_TYPES or x.dim() != 2 or x.shape[1] == 0:
        return f"x_{part} is {_kind(x)}; inputs must be float32, uint8 or int32 (rows, features)"
    if not isinstance(y, Tensor) or y.dtype != (torch.float32 if numbers else torch.int64) or y.dim() != 1 + numbers:
        return f"y_{part} is {_kind(y)}; targets must be int64 (rows,) for classes, float32 (rows, outputs) for numbers"
    if len(x) != len(y):
        return f"x_{part} has {len(x):,} rows, y_{part} {len(y):,}; inputs and targets must have equally many"
    if len(x) == 0:
        return None if part == "valid" else f"there is no {part} row; at least one is needed"
    if x.dtype != task.x_train.dtype or (x.dtype != torch.int32 and x.shape[1] != task.x_train.shape[1]):
        return f"x_train is {_kind(task.x_train)}, x_{part} {_kind(x)}; type and features must be the same in all parts"
    for side, values in (("x", x), ("y", y)):
        if not all(value.isfinite() for value in values.aminmax()):  # NaN is the least and the largest
            row = int(values.isfinite().logical_not().any(1).nonzero()[0])
            return f"{side}_{part} has NaN or infinity in row {row}, counted from 0; numbers must be finite, in float32 too"
    if x.dtype == torch.int32 and not -1 <= x.min() <= x.max() < (task.vocabulary_size or 0):
        return f"x_{part} has tokens from {x.min()} to {x.max()}; vocabulary_size is {task.vocabulary_size}"
    if numbers and y.shape[1] != task.output_size:
        return f"y_{part} has {y.shape[1]} columns; output_size, {task.output_size}, must be the same"
    if not numbers and not 0 <= y.min() <= y.max() < task.output_size:
        return f"y_{part} has classes from {y.min()} to {y.max()}; allowed are 0 to {task.output_size - 1}"
    return None


def _flaw(task: Task) -> str | None:
    """What of a task is not as `Task` says, and what is allowed; None if all is right."""
    if task.metric not in METRICS:
        return f"metric is {task.metric!r}; it must be one of {', '.join(METRICS)}"
    for part in PARTS:
        if flaw := _flaw_of_part(task, part):
            return flaw
    if task.mean is not None or task.std is not None:
        shapes = [getattr(moment, "shape", None) for moment in (task.mean, task.std)]
        if shapes != [task.x_train.shape[1:]] * 2 or not (task.std > 0).all():
            return f"mean and std must have shape ({task.x_train.shape[1]},), and std be above 0"
    if task.metric == "mae":
        return None
    learned = set(torch.cat([task.y_train, task.y_valid]).unique().tolist())
    if len(learned) < 2:
        return f"all train rows are of class {learned.pop()}; at least two classes are needed"
    if unknown := set(task.y_test.unique().tolist()) - learned:
        return f"class {min(unknown)} has test rows but no train row; it needs one to be learned from"
    return None


def _outputs(*targets: Tensor) -> int:
    """How many classes there are up to the largest class number, or how many numbers a row has."""
    if targets[0].dtype == torch.int64:
        return max((int(y.max()) + 1 for y in targets if y.dtype == torch.int64 and y.numel()), default=0)
    return targets[0].shape[-1:].numel()


def _parts(*parts: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """The fields of `Task` for inputs and targets of the parts, in the order of `PARTS`."""
    fields = {f"x_{name}": x for name, (x, _) in zip(PARTS, parts, strict=True)}
    return fields | {f"y_{name}": y for name, (_, y) in zip(PARTS, parts, strict=True)}


def checked(task: Task, source: Path | None = None) -> Task:
    """The task itself if it is as `Task` says: types, shapes, numbers finite, and each class of the test part in train.

    `source` is the file or folder that it was made of, if there is one. Raises `InputError` that names the dataset, the
    source and what is wrong.
    """
    if flaw := _flaw(task):
        raise InputError(f"{task.name}: " + (f"in '{source}' " if source else "") + flaw)
    return task


def make_task(
    name: str,
    domain: str,
    protocol: str,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    moments: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
    source: Path | None = None,
    division: int = 0,
    **fields,
) -> Task:
    """Build a `Task` from a train and a test part, each a pair of inputs and targets as in `Task`.

    Under the protocol `fair` a validation part, which `division` draws (`validation_split`), is held out of the train
    part. `moments` gives the mean and the standard deviation to normalise all parts with (`feature_moments`). It sees
    only the rows that are trained on, as float64. Without it inputs stay as they are.

    `fields` are further fields of `Task`. The default of `metric` is "accuracy" for int64 targets, else "mae". The
    default of `output_size` is the number of classes, of which each must then have a train row, or of target columns.

    Raises `InputError` if the parts are not as `Task` says or hold numbers that are not finite (`checked`). It names the
    file or folder `source` that they were made of, if it is given.
    """
    x, y = train
    x_test, y_test = test
    if not all(isinstance(values, Tensor) for values in (x, y, x_test, y_test)):
        kinds = ", ".join(_kind(values) for values in (x, y, x_test, y_test))
        raise InputError(f"{name}: inputs and targets must be tensors (torch.from_numpy makes one of an array), not {kinds}")
    fields.setdefault("metric", "accuracy" if y.dtype == torch.int64 else "mae")
    counted = "output_size" not in fields
    if counted:
        fields["output_size"] = _outputs(y, y_test)
    seen, seen_test = (x, x_test) if moments is None else (x.float(), x_test.float())
    whole = checked(Task(name, domain, **fields, **_parts((seen, y), (seen[:0], y[:0]), (seen_test, y_test))), source)
    if counted and whole.metric == "accuracy":
        present = y.unique()
        gaps = (present != torch.arange(len(present))).nonzero()
        if len(gaps):
            raise InputError(f"{name}: class {int(gaps[0])} has no train row; number classes without gaps, or give output_size")
    fit, valid = validation_split(y, division) if protocol == "fair" else (torch.arange(len(y)), torch.arange(0))
    if moments is not None:
        mean, std = moments(x[fit].double())
        x = ((x - mean) / std).float()
        x_test = ((x_test - mean) / std).float()
    parts = _parts((x[fit], y[fit]), (x[valid], y[valid]), (x_test, y_test))
    return checked(replace(whole, **parts), source)
