"""The width that meets a budget."""

import math

import pytest

from kanbefair.data import load
from kanbefair.models import matching
from kanbefair.specs import RunSpec


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
