"""The sizes that meet a budget: hidden widths whose count is within 5 % of a level, and the levels of a dataset."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from kanbefair.models.counting import Shape, count
from kanbefair.models.networks import fields_of
from kanbefair.specs import RunSpec
from kanbefair.studies.fairness import space

TOLERANCE = 0.05
LEAST_UNITS = 4
"""Every hidden layer has at least so many units."""
KINDS = {"values": "live_parameters", "flops": "flops_local"}
"""The kinds of budget and what they count: values trained, and FLOPs with the non-zero bases alone (`models.counting`)."""
OTHER_KINDS = {"values_paper": "parameters", "flops_paper": "flops", "flops_shared": "flops_shared"}
"""Kinds of sensitivity alone: the paper's counts of values and of FLOPs, and FLOPs with shared bases."""
COUNTED = KINDS | OTHER_KINDS
LEVELS = 3
ACCEPTED = 0.8
"""A level is admissible where such a share of both families' first points can meet it."""
LOOKED_AT = 32
"""So many points are looked at for that."""
LADDER = [step * 10**power for power in range(2, 9) for step in (1, 1.5, 2, 3, 5, 7)]
"""The numbers among which a dataset's lowest level is found."""
FACTOR = 2
"""From one level to the next."""
EMBEDDINGS = (8, 16, 32)
"""Widths of a text's embedding at the three levels, the same for all families."""


def _nearest(size: Callable[[int], float], budget: float, start: int, most: int = 2**20) -> int:
    """The whole number from `start` on whose size, which grows with it, is nearest to a budget, in ratio."""
    low, high = start, start
    while size(high) < budget and high < most:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < budget else (low, middle)
    return min((low, high), key=lambda number: max(size(number) / budget, budget / size(number)))


@cache
def widths(shape: Shape, profile: str, depth: int, kind: str, budget: float) -> tuple[int, ...] | None:
    """The hidden widths with which a network's count of a `kind` comes within `TOLERANCE` of a budget; None if there are none.

    All layers grow together, in the proportions of the profile; then the last, the one before and so on are widened or
    narrowed, to no less than half and no more than double, where that comes nearer. `shape` has two widths, inputs and outputs.
    """
    inputs, outputs = shape.widths
    proportions = space.PROFILES[profile][:depth]

    def size(hidden: tuple[int, ...]) -> float:
        return getattr(count(replace(shape, widths=(inputs, *hidden, outputs))), COUNTED[kind])

    def scaled(number: int) -> tuple[int, ...]:
        return tuple(max(LEAST_UNITS, round(number / 4 * share / max(proportions))) for share in proportions)

    def off(hidden: tuple[int, ...]) -> float:
        return max(size(hidden) / budget, budget / size(hidden))

    if size((LEAST_UNITS,) * depth) > budget * (1 + TOLERANCE):
        return None
    best = scaled(_nearest(lambda number: size(scaled(number)), budget, 1))
    for layer in reversed(range(depth)):
        if off(best) <= 1 + TOLERANCE / 5:
            break

        def changed(width: int, layer: int = layer, hidden: tuple[int, ...] = best) -> tuple[int, ...]:
            return (*hidden[:layer], width, *hidden[layer + 1 :])

        found = _nearest(lambda width: size(changed(width)), budget, LEAST_UNITS)
        width = min(max(found, LEAST_UNITS, best[layer] // 2), 2 * best[layer])
        best = min(best, changed(width), key=off)
    return best if 1 - TOLERANCE <= size(best) / budget <= 1 + TOLERANCE else None


def shape(family: str, values: dict[str, object], inputs: int, outputs: int) -> Shape:
    """The shape of a family's point on inputs and outputs, without hidden layers."""
    spec = RunSpec(dataset="any", model=family, widths=(LEAST_UNITS,), **space.fields(values))
    return Shape(family=family, widths=(inputs, outputs), **fields_of(spec))


@cache
def meet(family: str, number: int, inputs: int, outputs: int, kind: str, budget: float) -> tuple[int, ...] | None:
    """The hidden widths with which point `number` of a family meets a budget, None if it cannot."""
    values = space.point(family, number)
    own = shape(family, values, inputs, outputs)
    return widths(own, values.get("profile", "constant"), values["depth"], kind, budget)


def accepted(family: str, inputs: int, outputs: int, kind: str, budget: float) -> float:
    """The share of a family's first points that can meet a budget."""
    found = [meet(family, number, inputs, outputs, kind, budget) for number in range(LOOKED_AT)]
    return sum(own is not None for own in found) / LOOKED_AT


@cache
def levels(inputs: tuple[int, int, int], outputs: int, kind: str, families: tuple[str, ...] = ("KAN", "MLP")) -> tuple:
    """The three budgets of a dataset, the lowest first: the first of `LADDER` from which all three are admissible.

    `inputs` are the inputs of the network at each level: a text's embedding differs.
    """
    for low in LADDER:
        found = tuple(low * FACTOR**level for level in range(LEVELS))
        if all(
            accepted(family, width, outputs, kind, budget) >= ACCEPTED
            for width, budget in zip(inputs, found, strict=True)
            for family in families
        ):
            return found
    raise AssertionError("no level is admissible")
