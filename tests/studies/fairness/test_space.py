import math

import numpy
import pytest
from scipy.stats import qmc

from kanbefair.specs import RunSpec
from kanbefair.studies.fairness import space

FAMILIES = list(space.OWN)


def points(family):
    return [space.point(family, number) for number in range(space.POINTS)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_the_shared_dimensions_and_five_of_its_own(family):
    assert len(space.OWN[family]) == 5
    assert list(space.point(family, 0)) == [own.name for own in (*space.SHARED, *space.OWN[family])]


def test_shared_dimensions_are_at_the_same_place_in_every_family():
    names = [own.name for own in space.SHARED]
    first, *others = ([{name: point[name] for name in names} for point in points(family)] for family in FAMILIES)
    assert all(other == first for other in others)


def test_points_are_those_of_a_scrambled_sobol_sequence():
    expected = qmc.Sobol(9, scramble=True, rng=numpy.random.default_rng(space.SEED)).random(4)
    assert [space.point("KAN", n)["depth"] for n in range(4)] == [1 + int(3 * u) for u in expected[:, 0]]
    assert [space.point("KAN", n)["grid"] for n in range(4)] == [int(21**u) for u in expected[:, 4]]


def test_spaces_hold_what_they_say():
    kans, mlps = points("KAN"), points("MLP")
    assert {p["grid"] for p in kans} >= {1, 2, 3, 5, 8, 20} and all(1 <= p["grid"] <= 20 for p in kans)
    assert {p["order"] for p in kans} == {1, 2, 3}
    assert {p["shortcut"] for p in kans} == {"silu", "identity", "zero"}
    assert {p["start"] for p in kans} == {"paper", "pykan", "power_law"}
    assert {p["norm"] for p in kans} == {p["norm"] for p in mlps} == {None, "batch_norm", "layer_norm"}
    assert {p["activation"] for p in mlps} == {"relu", "gelu", "silu", "tanh"}
    assert sum(p["dropout"] == 0 for p in mlps) == space.POINTS / 2
    assert all(0.5 <= p["gain"] <= 2 for p in mlps)
    decays = [p["weight_decay"] for p in kans]
    assert sum(decay == 0 for decay in decays) == space.POINTS / 2
    assert all(decay == 0 or 1e-4 <= decay <= 1e-1 for decay in decays)


@pytest.mark.parametrize("place", [0.0, 0.37, 0.999])
def test_a_learning_rate_lies_in_each_third(place):
    logarithms = [math.log10(rate) for rate in space.rates(place)]
    assert [math.floor(value + 1e-6) for value in logarithms] == [-4, -3, -2]
    assert [value + 4 - third for third, value in enumerate(logarithms)] == pytest.approx([place] * 3, abs=1e-2)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_point_is_a_run(family):
    specs = {RunSpec(dataset="any", model=family, widths=(4,), **space.fields(point)).key for point in points(family)}
    assert len(specs) == space.POINTS
