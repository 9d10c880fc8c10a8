"""Random tensors that have the sizes of real datasets."""

import pytest
import torch

from kanbefair import data
from kanbefair.errors import InputError


def test_a_stand_in_has_the_sizes_in_its_name():
    task = data.load("Random_colour_300_40_12_5")
    assert (task.x_train.shape, task.x_test.shape) == ((300, 12), (40, 12))
    assert (task.metric, task.input_size, task.output_size, task.parts) == ("accuracy", 12, 5, ["train", "test"])
    assert task.x_train.dtype == torch.uint8
    assert task.inputs(task.x_train).std() == pytest.approx(0.2887 / 0.3, rel=0.05)  # uniform pixels over the stated deviation
    assert set(task.y_train.tolist()) == set(range(5))
    numbers = data.load("Random_numbers_200_200_2_0")
    assert (numbers.metric, numbers.output_size, numbers.y_test.shape) == ("mae", 1, (200, 1))
    assert -1 <= numbers.x_train.min() < -0.9 < 0.9 < numbers.x_train.max() <= 1


def test_stand_ins_are_the_same_each_time_and_no_others_are_known():
    first, second = (data.load("Random_numbers_20_5_3_2") for _ in range(2))
    assert torch.equal(first.x_train, second.x_train) and torch.equal(first.y_test, second.y_test)
    with pytest.raises(InputError, match="unknown dataset 'Random_words_20_5_3_2'"):
        data.load("Random_words_20_5_3_2")


@pytest.mark.parametrize("name", ["Random_grey_0_0_0_0", "Random_colour_0_5_3_2", "Random_grey_5_0_3_2", "Random_grey_5_5_0_2"])
def test_stand_ins_without_rows_or_inputs_are_refused(name):
    with pytest.raises(InputError, match=rf"number of (training rows|test rows|inputs) of {name} is 0; it must be a whole"):
        data.load(name)
