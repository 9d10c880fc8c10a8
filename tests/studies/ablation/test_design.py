"""The variants that the ablation compares: one change each, at equal numbers of trainable values."""

import math
from dataclasses import fields

import pytest

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.models import build
from kanbefair.models.counting import live_parameters
from kanbefair.specs import RunSpec
from kanbefair.studies.ablation import design


@pytest.fixture(scope="module")
def smoke() -> list[design.Try]:
    return design.tries("smoke")


def test_all_variants_of_a_budget_have_nearly_equal_trainable_values(smoke):
    focus = [t for t in smoke if t.focus and t.spec.seed == 1]
    assert {t.variant for t in focus} == set(design.CURVES) | {change.variant for change in design.CHANGES}
    for name in {t.spec.dataset for t in focus}:
        task = load(name)
        own = [t for t in focus if t.spec.dataset == name]
        values = {t.variant: live_parameters(build([t.spec], task)) for t in own}
        budget = values["KAN, silu shortcut"]
        assert all(abs(math.log(value / budget)) < math.log(1.2) for value in values.values()), values


def test_a_change_differs_from_its_base_in_one_thing_only():
    reach = 1.0
    for change in design.CHANGES:
        common = {"dataset": "Digits", "widths": (4,)}
        base = design.variant_spec(design.CURVES[design.BASES[change.base]], reach, **common)
        changed = design.variant_spec(change.fields, reach, **common)
        if changed.model == base.model and change.factor != "everything":
            assert sum(getattr(base, f.name) != getattr(changed, f.name) for f in fields(RunSpec) if f.compare) == 1, change


def test_without_real_datasets_the_paper_profile_says_where_they_were_looked_for(tmp_path):
    with pytest.raises(InputError, match=f"none of MNIST, FMNIST, Income, Bank is in '{tmp_path}'; name another folder"):
        design.tries("paper", str(tmp_path))
