"""The size that meets a budget, and what is said where none does."""

import math

import pytest

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.models import LayerCount, kan, match, matching, register
from kanbefair.specs import RunSpec
from kanbefair.training.continual.spec import ContinualSpec

SMALL = {"kind": "parameters", "family": "MLP", "input_size": 3, "output_size": 2, "activation": "relu"}
"""An MLP 3 → w → 2 with (3+1)w + (w+1)2 = 6w + 2 parameters: 8, 14, 20, …"""
SPLINES = {"kind": "parameters", "family": "KAN", "input_size": 3, "output_size": 2, "order": 3, "shortcut": "zero"}
"""A KAN 3 → w → 2 of G intervals with (3w + 2w)(G + 3 + 2) + w + 2 parameters."""


@pytest.mark.parametrize("model", [{"model": "MLP"}, {"model": "KAN"}, {"model": "BSpline_MLP"}])
@pytest.mark.parametrize("name", ["Digits", "Docstrings"])
def test_matched_widths_are_the_nearest(model, name):
    task = load(name)
    budget = 2500

    def sized(width: int) -> RunSpec:
        return RunSpec(dataset=name, widths=(8, width) if name == "Docstrings" else (width, width), **model)

    def off(width: int) -> float:
        return abs(math.log(matching.trainable_values(sized(width), task) / budget))

    found = matching.matched(sized(8), task, budget)
    assert found == sized(found.widths[1])
    assert off(found.widths[1]) == min(off(width) for width in range(1, 200))


@pytest.mark.parametrize(
    ("given", "widths", "count"),
    [
        (SMALL | {"budget": 20, "tolerance": 0}, (3, 3, 2), 20),
        (SMALL | {"budget": 10}, (3, 1, 2), 8),
        (SMALL | {"budget": 11.2}, (3, 2, 2), 14),
        (SMALL | {"budget": 6.4}, (3, 1, 2), 8),
        (SMALL | {"budget": 6, "tolerance": 0.5}, (3, 1, 2), 8),
        (SMALL | {"budget": 0.008, "tolerance": None}, (3, 1, 2), 8),
        (SMALL | {"budget": 32, "vary": "depth", "width": 2}, (3, 2, 2, 2, 2, 2), 32),  # 8 + 3·6 + 6
        (SMALL | {"budget": 1e9, "vary": "depth", "width": 1, "tolerance": None}, (3, *[1] * 1024, 2), 4 + 1023 * 2 + 4),
        (SPLINES | {"budget": 50, "vary": "grid", "width": 1}, (3, 1, 2), 5 * (4 + 5) + 3),
        (SPLINES | {"budget": 62, "vary": "grid", "depth": 0, "tolerance": 0}, (3, 2), 6 * (5 + 5) + 2),
        (SMALL | {"budget": 28, "embedding": 4, "depth": 2}, (4, 4, 1, 2), 20 + 5 + 4),
    ],
    ids=repr,
)
def test_match_gives_what_is_within_its_tolerance(given, widths, count):
    found = match(**given)
    assert (found.shape.widths, found.count) == (widths, count)
    assert found.ratio == count / given["budget"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            SMALL | {"budget": 5},
            r"no MLP has parameters within a factor of 1.25 of 5: the nearest, with widths \[3, 1, 2\], has 8, 1.6 times the "
            "budget; change the budget, what is held fixed or the tolerance",
        ),
        (SMALL | {"budget": 10.1}, r"of 10.1: the nearest, with widths \[3, 1, 2\], has 8, 0.792 times the budget"),
        (SMALL | {"budget": 21, "tolerance": 0}, r"within a factor of 1 of 21: .* widths \[3, 3, 2\], has 20, 0.952 times"),
        (SPLINES | {"budget": 10, "vary": "grid", "width": 1}, r"widths \[3, 1, 2\] and grid 1, has 33, 3.3 times"),
        (
            SMALL | {"budget": 1e9, "vary": "depth", "width": 1},
            r"widths \[3, 1, 1, 1, 1, 1, \.\.\.\], has 2054, 2.05e-06 times",
        ),
    ],
    ids=repr,
)
def test_match_refuses_what_is_not_and_says_how_near_which_network_comes(given, words):
    with pytest.raises(InputError, match=words):
        match(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (SMALL | {"budget": "20"}, "budget is '20'; it must be a number above 0"),
        (SMALL | {"budget": 20, "tolerance": -0.1}, "tolerance is -0.1; it must be 0 or a number above"),
        (SMALL | {"budget": 20, "width": 0, "vary": "depth"}, "width is 0; it must be a whole number of at least 1"),
        (SMALL | {"budget": 20, "depth": 0}, "depth is 0; it must be a whole number of at least 1"),
        (SMALL | {"budget": 20, "depth": 1, "embedding": 4}, "depth is 1; it must be a whole number of at least 2"),
        (SMALL | {"budget": 20, "embedding": 0}, "embedding is 0; it must be a whole number of at least 1"),
        (SMALL | {"budget": 20, "input_size": 0}, "layer width is 0; it must be a whole number of at least 1"),
        (SMALL | {"budget": 20, "activation": None}, "MLP needs 'activation'; give it"),
        (SMALL | {"budget": 20, "activation": "rely"}, "unknown activation 'rely'; did you mean 'relu'"),
        (SMALL | {"budget": 20, "grids": 3}, "unknown field of a shape 'grids'; did you mean 'grid'"),
        (SMALL | {"budget": 20, "vary": "grid"}, "parameters of MLP do not grow with the grid; vary another size"),
        (SPLINES | {"budget": 90}, "KAN needs 'grid'; give it, as in grid=5"),
        (SPLINES | {"budget": 90, "grid": None}, "KAN needs 'grid'; give it, as in grid=5"),
        (
            {"budget": 90, "kind": "flops", "family": "LocalBasis", "input_size": 784, "output_size": 2, "grid": 5, "order": 1},
            "flops of this LocalBasis are too many for any budget",
        ),
    ],
    ids=repr,
)
def test_match_refuses_bad_values_in_one_sentence(given, words):
    with pytest.raises(InputError, match=words):
        match(**given)


COUNTS = {"falls": lambda width: 1000 - width, "falls after 8": lambda width: width if width <= 8 else 1}


@pytest.mark.usefixtures("own_registries")
@pytest.mark.parametrize("how", COUNTS)
def test_match_refuses_a_count_that_does_not_grow(how):
    def count(shape, i, o, last):
        return LayerCount(*[COUNTS[how](i) if last else 0] * 5)

    register("Odd", kan.KANStack, defaults={}, layer_count=count)
    with pytest.raises(InputError, match="parameters of Odd do not grow with the width"):
        match(900, "parameters", "Odd", input_size=3, output_size=2)


@pytest.mark.usefixtures("own_registries")
def test_match_comes_to_an_end_where_a_count_is_bounded():
    def count(shape, i, o, last):
        return LayerCount(*[min(i, 50) if last else 0] * 5)

    register("Bounded", kan.KANStack, defaults={}, layer_count=count)
    assert match(30, "parameters", "Bounded", input_size=3, output_size=2).shape.widths == (3, 30, 2)
    with pytest.raises(InputError, match="has 50, 0.5 times the budget"):
        match(100, "parameters", "Bounded", input_size=3, output_size=2)


def test_matched_comes_as_near_as_it_can():
    spec = RunSpec(dataset="Digits", model="MLP", widths=(8, 8))
    assert matching.matched(spec, load("Digits"), 1).widths == (1, 1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (RunSpec(dataset="Docstrings", model="MLP", widths=(8,)), "MLP on Docstrings has no hidden layer but the one as wide"),
        (
            ContinualSpec(dataset="Digits", model="KAN", widths=(), stream="permuted", tasks=2),
            "KAN on Digits has no hidden layer, so no width meets a budget; add a hidden layer",
        ),
    ],
    ids=["text", "stream"],
)
def test_matched_says_so_where_there_is_nothing_to_vary(spec, words):
    with pytest.raises(InputError, match=words):
        matching.matched(spec, load(spec.dataset), 1000)
