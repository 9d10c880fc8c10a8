"""Which size meets a budget? `match` solves for the shape of a network, `matched` for the hidden layers of a run."""

import reprlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from kanbefair.data import Task
from kanbefair.errors import InputError, choose
from kanbefair.models.counting import COUNTS, Shape, count
from kanbefair.models.networks import shape_of
from kanbefair.specs import OPTIONAL_FIELDS, RunSpec
from kanbefair.values import above_zero, whole, zero_or_above

MOST = {"width": 2**20, "depth": 2**10, "grid": 2**20}
"""The largest of each size that is solved for."""


@dataclass(frozen=True)
class Match:
    """The answer of `match`: the network's shape, its count, and that count over the budget."""

    shape: Shape
    count: float
    ratio: float


def match(
    budget: float,
    kind: str,
    family: str,
    *,
    input_size: int,
    output_size: int,
    vary: str = "width",
    width: int = 8,
    depth: int = 1,
    embedding: int | None = None,
    tolerance: float | None = 0.25,
    **fields: object,
) -> Match:
    """The network of `family` whose count `kind` is nearest to `budget`, in ratio.

    Args:
        budget: the count to meet.
        kind: one of `COUNTS`.
        family: a registered model.
        input_size, output_size: inputs (of a text: the size of its vocabulary) and outputs.
        vary: what is solved for: the "width" of the hidden layers, their number ("depth") or the "grid" size.
        width, depth: width and number of the hidden layers, where they are not solved for.
        embedding: width of a text's embedding, which its first hidden layer shares and which is never solved for.
        tolerance: the ratio, or one over it, may be up to 1 + tolerance; None: whatever is nearest is the answer.
        fields: the family's own fields of `Shape`.

    Raises `InputError` for a name that is not known, a field that is missing, a number that is not allowed, a count that does
    not grow with the size, and if no network comes within the tolerance: then it says how near which one comes.

    >>> match(8070, "parameters", "MLP", input_size=784, output_size=10, depth=2, activation="relu").shape.widths
    (784, 10, 10, 10)
    """
    choose("count", kind, COUNTS)
    choose("size to vary", vary, MOST)
    for name in fields:
        choose("field of a shape", name, OPTIONAL_FIELDS)
    budget = above_zero("budget", budget)
    if tolerance is not None:
        zero_or_above("tolerance", tolerance)
    text = embedding is not None
    fixed = (whole("embedding", embedding),) if text else ()
    whole("width", width)
    whole("depth", depth, least=len(fixed) + (vary == "width"))

    def sized(size: int) -> Match:
        layers = (size if vary == "depth" else depth) - len(fixed)
        hidden = fixed + (size if vary == "width" else width,) * layers
        own = fields | {"grid": size} if vary == "grid" else fields
        widths = (embedding if text else input_size, *hidden, output_size)
        shape = Shape(family=family, widths=widths, vocabulary=input_size if text else None, **own)
        value = getattr(count(shape), kind)
        return Match(shape, value, value / budget)

    try:
        found = _nearest(sized, MOST[vary])
    except OverflowError:
        raise InputError(f"{kind} of this {family} are too many for any budget; make what is held fixed smaller") from None
    if found is None:
        raise InputError(f"{kind} of {family} do not grow with the {vary}; vary another size")
    if tolerance is not None and not 1 / (1 + tolerance) <= found.ratio <= 1 + tolerance:
        grid = f" and grid {found.shape.grid}" if vary == "grid" else ""
        raise InputError(
            f"no {family} has {kind} within a factor of {1 + tolerance:g} of {budget:.10g}: the nearest, with widths "
            f"{reprlib.repr(list(found.shape.widths))}{grid}, has {found.count:.10g}, {found.ratio:.3g} times the budget; "
            f"change the budget, what is held fixed or the tolerance"
        )
    return found


def _nearest(sized: Callable[[int], Match], most: int) -> Match | None:
    """The match nearest to its budget among `sized(1)` … `sized(most)`, whose counts grow; None if they are seen not to."""
    tried: dict[int, Match] = {}

    def ratio(size: int) -> float:
        tried[size] = sized(size)
        return tried[size].ratio

    ratio(2)
    low, high = 1, 1
    while ratio(high) < 1 and high < most:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ratio(middle) < 1 else (low, middle)
    counts = [tried[size].count for size in sorted(tried)]
    if counts[0] == counts[1] or counts != sorted(counts):
        return None
    below, above = tried[low], tried[high]
    return below if below.ratio <= 1 and 1 / below.ratio <= above.ratio else above


def trainable_values(spec: RunSpec, task: Task) -> int:
    """Trainable values of the network that `spec` trains on `task`, without a text's embedding."""
    return count(shape_of(spec, task)).live_parameters


def matched(spec: RunSpec, task: Task, budget: float) -> RunSpec:
    """`spec` with hidden layers so wide that its trainable values on `task` come nearest to `budget`, in ratio.

    Their number stays. A text's first layer, as wide as its embedding, stays as wide as it is. Raises `InputError` if there
    is no other layer.
    """
    shape = shape_of(spec, task)
    text = shape.vocabulary is not None
    if len(spec.widths) == text:
        what = "layer but the one as wide as the embedding" if text else "layer"
        raise InputError(f"{spec.model} on {task.name} has no hidden {what}, so no width meets a budget; add a hidden layer")
    own = {name: value for name, value in vars(shape).items() if name not in ("family", "widths", "vocabulary")}
    found = match(
        budget,
        "live_parameters",
        spec.model,
        input_size=task.input_size,
        output_size=task.output_size,
        depth=len(spec.widths),
        embedding=spec.widths[0] if text else None,
        tolerance=None,
        **own,
    )
    return replace(spec, widths=found.shape.widths[1:-1])
