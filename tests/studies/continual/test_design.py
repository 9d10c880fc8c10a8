"""The networks that the study of continual learning compares."""

from dataclasses import replace

import pytest

from kanbefair.data import load
from kanbefair.errors import InputError
from kanbefair.studies.continual import design
from kanbefair.training.continual.loop import train


def test_all_networks_of_a_stream_have_nearly_equal_trainable_values():
    tried = [t for t in design.tries("smoke") if t.spec.strategy == "naive" and t.spec.seed == 1]
    runs = [train([replace(t.spec, epochs=1)], load(t.spec.dataset))[0]["live_parameters"] for t in tried]
    assert max(runs) / min(runs) < 1.03 and {t.network for t in tried} == set(design.NETWORKS)


def test_without_real_images_the_paper_profile_says_where_they_were_looked_for(tmp_path):
    with pytest.raises(InputError, match=f"none of MNIST, FMNIST is in '{tmp_path}'; name another folder"):
        design.tries("paper", str(tmp_path))
