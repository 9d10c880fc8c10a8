"""What a run over a stream is: which fields go together, and what is refused."""

from dataclasses import replace

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
        ({"strategy": "replay", "buffer": 0}, "at least 1 row"),
        ({"strategy": "ewc", "strength": -1.0}, "strength is -1.0"),
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
