import itertools

import pytest

from kanbefair.models import count
from kanbefair.models.networks import network
from kanbefair.studies.fairness import sizes, space
from kanbefair.studies.fairness.sizes import KINDS, LEAST_UNITS, TOLERANCE

TABLE = (11, 7)
FAMILIES = ("KAN", "MLP", "BSpline_MLP", "BSpline_First_MLP")


def sized(family, number, inputs, outputs, kind, budget):
    from dataclasses import replace

    widths = sizes.meet(family, number, inputs, outputs, kind, budget)
    own = sizes.shape(family, space.point(family, number), inputs, outputs)
    return widths, widths and replace(own, widths=(inputs, *widths, outputs))


@pytest.mark.parametrize(("family", "kind"), itertools.product(FAMILIES, KINDS))
def test_sizes_are_within_five_per_cent_with_four_units_in_every_layer(family, kind):
    for budget, number in itertools.product(sizes.levels((11,) * 3, 7, kind), range(24)):
        widths, shape = sized(family, number, *TABLE, kind, budget)
        if widths is not None:
            assert min(widths) >= LEAST_UNITS
            assert len(widths) == space.point(family, number)["depth"]
            assert getattr(count(shape), KINDS[kind]) == pytest.approx(budget, rel=TOLERANCE)


def test_values_are_those_that_pytorch_trains():
    for family, number in itertools.product(FAMILIES, range(6)):
        widths, shape = sized(family, number, *TABLE, "values", 3000)
        if widths is not None:
            values = sum(p.numel() for p in network(shape).parameters() if p.requires_grad)
            assert values == pytest.approx(3000, rel=TOLERANCE)


def test_what_cannot_be_met_has_no_widths():
    assert sizes.meet("KAN", 0, 784, 10, "values", 5_000) is None  # four units on 784 inputs hold more
    assert all(sizes.meet("MLP", number, 784, 10, "values", 3_000) is None for number in range(16))


def test_one_layer_is_met_only_where_a_unit_more_or_less_is_within_the_tolerance():
    # a unit of a hidden layer on 100 inputs with one output and biases holds 102 values: 4 units 409, 5 units 511
    point = next(n for n in range(space.POINTS) if space.point("MLP", n)["depth"] == 1 and not space.point("MLP", n)["norm"])
    assert sizes.meet("MLP", point, 100, 1, "values", 409) == (4,)
    assert sizes.meet("MLP", point, 100, 1, "values", 429) == (4,)
    assert sizes.meet("MLP", point, 100, 1, "values", 460) is None
    assert sizes.meet("MLP", point, 100, 1, "values", 490) == (5,)


@pytest.mark.parametrize(("inputs", "outputs", "kind"), [(2, 1, "values"), (11, 7, "flops"), (784, 10, "values")])
def test_levels_are_the_first_that_are_admissible(inputs, outputs, kind):
    found = sizes.levels((inputs,) * 3, outputs, kind)
    assert [level / found[0] for level in found] == [1, 2, 4]
    shares = [[sizes.accepted(family, inputs, outputs, kind, level) for family in ("KAN", "MLP")] for level in found]
    assert min(map(min, shares)) >= 0.8
    below = sizes.LADDER[sizes.LADDER.index(found[0]) - 1]
    under = [sizes.accepted(f, inputs, outputs, kind, below * 2**n) for f in ("KAN", "MLP") for n in range(3)]
    assert min(under) < 0.8


def test_profiles_are_kept_but_for_what_is_widened_to_meet_the_budget():
    for number in range(24):
        values = space.point("MLP", number)
        widths = sizes.meet("MLP", number, 11, 7, "values", 12_000)
        if widths and len(widths) == 3 and values["profile"] != "constant":
            assert (widths[0] > widths[-1]) == (values["profile"] == "falling")
