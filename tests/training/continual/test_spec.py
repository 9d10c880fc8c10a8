"""What a run over a stream is: which fields go together, and what is refused."""

import math
from dataclasses import fields, replace

import numpy
import pytest

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.training.continual.loop import train
from kanbefair.training.continual.spec import ContinualSpec


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"strategy": "ewcc"}, "did you mean 'ewc'"),
        ({"stream": "digits"}, "known: classes, permuted, peaks"),
        ({"strategy": "ewc"}, "needs 'strength'"),
        ({"strategy": "naive", "buffer": 3}, "does not take 'buffer'"),
        ({"strategy": "replay", "buffer": 0}, "buffer is 0; it must be a whole number of at least 1"),
        ({"strategy": "replay", "buffer": 2.5}, "buffer is 2.5; it must be a whole number"),
        ({"strategy": "replay", "buffer": "10"}, "buffer is '10'; it must be a whole number"),
        ({"strategy": "ewc", "strength": -1.0}, "strength is -1.0; it must be 0 or a number above"),
        ({"strategy": "ewc", "strength": "1"}, "strength is '1'; it must be 0 or a number above"),
        ({"strategy": "ewc", "strength": math.nan}, "strength is nan; it must be 0 or a number above"),
        ({"strategy": ["ewc"]}, "unknown strategy"),
        ({"stream": None}, "unknown stream 'None'"),
        ({"groups": 5}, "groups is 5; it must be a list or a tuple"),
        ({"groups": "01"}, "groups is '01'; it must be a list or a tuple"),
        ({"groups": (0, 1)}, "group of classes is 0; it must be a list or a tuple"),
        ({"groups": ((0, 1), (2.5,))}, "class of a task is 2.5; it must be a whole number of at least 0"),
        ({"groups": ((0, 1), (-1,))}, "class of a task is -1; it must be a whole number of at least 0"),
        ({"groups": ((0, 1), (True,))}, "class of a task is True; it must be a whole number"),
        ({"stream": "permuted", "groups": None, "tasks": "3"}, "tasks is '3'; it must be a whole number"),
        ({"stream": "permuted", "groups": None, "tasks": 1}, "the stream has 1 tasks; it needs at least 2"),
        ({"stream": "permuted", "groups": None, "tasks": 10**9}, "tasks is 1000000000; it must be .* at most 1,000"),
        ({"grid_update": "no"}, "grid_update is 'no'; it must be True or False"),
        ({"epochs": None}, "epochs is None; it must be a whole number"),
        ({"groups": ((0, 1), ())}, "task 2 of the stream has no classes"),
        ({"groups": ((0, 1),)}, "at least 2"),
        ({"optimizer_state": "kept"}, "known: carried, reset"),
        ({"stream": "peaks", "groups": None}, "not from Digits"),
        ({"stream": "permuted", "groups": None}, "needs 'tasks'"),
        ({"grid_update": True}, "MLP has no grid"),
        ({"strategy": "ewc", "strength": 1.0, "optimizer": "lbfgs"}, "lbfgs"),
        ({"model": "KAN", "without": ("scales",)}, "did you mean 'scale'"),
        ({"without": ("scale",)}, "known: bias"),
    ],
)
def test_bad_specs_are_refused_before_any_training(given, words, spec):
    with pytest.raises(InputError, match=words):
        spec(**given)


def test_parts_left_out_change_the_key_and_the_counts():
    bare = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="KAN", widths=(), grid=10, without=("bias", "scale"))
    full = ContinualSpec(dataset="Peaks_1d", stream="peaks", model="KAN", widths=(), grid=10)
    assert bare.key != full.key and "without" not in full.as_dict()
    assert bare.key == replace(bare, without=("scale", "bias")).key
    counts = [train([replace(own, epochs=1)], load("Peaks_1d"))[0]["live_parameters"] for own in (bare, full)]
    assert counts == [13 + 1, 13 + 1 + 1 + 1]


def test_every_field_is_checked():
    assert set(ContinualSpec.checks) == {f.name for f in fields(ContinualSpec) if f.init}


def test_one_value_is_one_key_however_it_is_written(spec):
    groups = numpy.array([[0, 1], [2, 3], [4, 5]])
    assert spec(groups=groups).key == spec(groups=[[0, 1], [2, 3], [4, 5]]).key == spec().key
    strengths = (0.1, numpy.float32(0.1), numpy.float64(0.1))
    assert len({spec(strategy="ewc", strength=strength).key for strength in strengths}) == 1
    assert spec(strategy="ewc", strength=-0.0).key == spec(strategy="ewc", strength=0).key
    assert spec(strategy="replay", buffer=numpy.int64(9)).key == spec(strategy="replay", buffer=9).key
    assert spec(model="KAN", grid_update=numpy.True_).key == spec(model="KAN", grid_update=True).key


def test_grids_are_not_laid_over_the_rows_of_a_text(spec):
    own = spec(dataset="Docstrings", model="KAN", groups=((0,), (1,)), grid_update=True)
    with pytest.raises(InputError, match="grid_update .* but Docstrings is a text; leave it out"):
        train([own], load("Docstrings"))
