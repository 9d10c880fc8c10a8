"""Which size meets a budget? `match` solves for the shape of a network, `matched` for the hidden layers of a run."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from kanbefair.data import Task
from kanbefair.errors import InputError, choose
from kanbefair.models.counting import COUNTS, Shape, count
from kanbefair.models.networks import shape_of
from kanbefair.specs import RunSpec


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
        fields: the family's own fields of `Shape`.

    The answer says how near it comes: a budget below the smallest network gives that one, with a ratio above 1.
    Raises `InputError` for a name that is not known, a budget that is not above 0, or a size that the count does not
    depend on.

    >>> match(8070, "parameters", "MLP", input_size=784, output_size=10, depth=2, activation="relu").shape.widths
    (784, 10, 10, 10)
    """
    choose("count", kind, COUNTS)
    choose("size to vary", vary, ("width", "depth", "grid"))
    if not 0 < budget < math.inf:
        raise InputError(f"budget is {budget!r}; it must be a number above 0")
    text = embedding is not None
    fixed = (embedding,) if text else ()

    def sized(size: int) -> Match:
        layers = (size if vary == "depth" else depth) - len(fixed)
        hidden = fixed + (size if vary == "width" else width,) * layers
        own = fields | {"grid": size} if vary == "grid" else fields
        widths = (embedding if text else input_size, *hidden, output_size)
        shape = Shape(family=family, widths=widths, vocabulary=input_size if text else None, **own)
        value = getattr(count(shape), kind)
        return Match(shape, value, value / budget)

    if sized(1).count == sized(2).count:
        raise InputError(f"{kind} of {family} do not depend on the {vary}; vary another size")
    return _nearest(sized)


def _nearest(sized: Callable[[int], Match]) -> Match:
    """The match nearest to its budget among `sized(1)`, `sized(2)`, …, whose counts grow."""
    high = 1
    while sized(high).ratio < 1:
        high *= 2
    low = max(high // 2, 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sized(middle).ratio < 1 else (low, middle)
    below, above = sized(low), sized(high)
    return below if below.ratio <= 1 and 1 / below.ratio <= above.ratio else above


def trainable_values(spec: RunSpec, task: Task) -> int:
    """Trainable values of the network that `spec` trains on `task`, without a text's embedding."""
    return count(shape_of(spec, task)).live_parameters


def matched(spec: RunSpec, task: Task, budget: float) -> RunSpec:
    """`spec` with hidden layers so wide that its trainable values on `task` come nearest to `budget`, in ratio.

    Their number stays. A text's first layer, as wide as its embedding, stays as wide as it is.
    """
    shape = shape_of(spec, task)
    own = {name: value for name, value in vars(shape).items() if name not in ("family", "widths", "vocabulary")}
    found = match(
        budget,
        "live_parameters",
        spec.model,
        input_size=task.input_size,
        output_size=task.output_size,
        depth=len(spec.widths),
        embedding=None if shape.vocabulary is None else spec.widths[0],
        **own,
    )
    return replace(spec, widths=found.shape.widths[1:-1])
